"""What clients can discover: the documents, at every address where clients look, for every kind of wiki."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest
from authlib.oauth2 import rfc8414, rfc9207
from mcp.shared.auth import OAuthMetadata, ProtectedResourceMetadata

from proxy.hosts import OwnDomain, PlatformHost, WikiHost
from robot.model import Visibility
from robot.oauth.metadata import document_at
from tests.robot.front_host import FrontHost, front_host
from tests.robot.small_host import ADDRESS, SmallHost
from tests.robot.test_oauth_registration import CALLBACK, SAID

PLATFORM = ADDRESS.platform_origin
NOTES = ADDRESS.wiki_origin("notes")
SERVER = "/.well-known/oauth-authorization-server"
REQUEST_ID = "x-request-id"
RESOURCE = "/.well-known/oauth-protected-resource"
OPENID = "/.well-known/openid-configuration"
FORMS = ["", "/", "/mcp", "/mcp/"]


@pytest.fixture
async def front(host: SmallHost) -> AsyncIterator[FrontHost]:
    async with front_host(host) as made:
        yield made


async def test_the_server_describes_itself(front: FrontHost) -> None:
    async with front.client() as client:
        answer = await client.get(SERVER)
        for path in [base + form for base in (SERVER, OPENID) for form in FORMS]:
            assert (await client.get(path)).content == answer.content
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {
        "issuer": "https://wiki.test",
        "authorization_endpoint": "https://wiki.test/oauth/authorize",
        "token_endpoint": "https://wiki.test/oauth/token",
        "registration_endpoint": "https://wiki.test/oauth/register",
        "revocation_endpoint": "https://wiki.test/oauth/revoke",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["wiki:read", "wiki:write"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_post", "client_secret_basic"],
        "revocation_endpoint_auth_methods_supported": ["none", "client_secret_post", "client_secret_basic"],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": True,
        "service_documentation": "https://wiki.test/",
    }
    assert str(OAuthMetadata.model_validate(answer.json()).issuer) == PLATFORM
    rfc8414.AuthorizationServerMetadata(answer.json()).validate([rfc9207.AuthorizationServerMetadata])


async def test_a_wiki_names_its_server(host: SmallHost, front: FrontHost) -> None:
    """The same for a private wiki, a public one and none, with any credential or none."""
    await host.make_wiki("notes")
    await host.make_wiki("open", visibility=Visibility.PUBLIC)
    for slug, token in (("notes", None), ("notes", "robot_wrong"), ("open", None), ("missing", None)):
        origin = ADDRESS.wiki_origin(slug)
        for form in FORMS:
            async with front.client(origin, token) as client:
                answer = await client.get(RESOURCE + form)
            assert answer.status_code == 200
            assert answer.json() == {
                "resource": f"{origin}/mcp",
                "authorization_servers": ["https://wiki.test"],
                "scopes_supported": ["wiki:read", "wiki:write"],
                "bearer_methods_supported": ["header"],
                "resource_name": f"{slug}.wiki.test",
                "resource_documentation": "https://wiki.test/",
            }
            ProtectedResourceMetadata.model_validate(answer.json())


async def test_private_and_missing_wikis_look_the_same(host: SmallHost, front: FrontHost) -> None:
    await host.make_wiki("notes")
    seen = []
    for slug in ("notes", "other"):
        async with front.client(ADDRESS.wiki_origin(slug)) as client:
            answers = [await client.get(path) for path in (RESOURCE, SERVER, "/.well-known/nothing", "/mcp")]
        seen.append([(a.status_code, dict(a.headers), a.text.replace(slug, "X")) for a in answers])
    for ours, theirs in zip(*seen, strict=True):
        assert (ours[0], ours[2]) == (theirs[0], theirs[2])
        headers = {name: value.replace("notes", "X") for name, value in ours[1].items() if name != REQUEST_ID}
        assert headers == {name: value.replace("other", "X") for name, value in theirs[1].items() if name != REQUEST_ID}
        assert ours[1][REQUEST_ID] != theirs[1][REQUEST_ID], "it names a request, whatever is asked for"


async def test_an_old_client_is_led_to_the_server_with_the_wiki_it_came_from(front: FrontHost) -> None:
    """One that looks on the wiki's own host and knows no resource indicators."""
    async with front.client(NOTES) as client:
        found = (await client.get(SERVER)).json()
    assert found["issuer"] == PLATFORM
    asks = f"{found['authorization_endpoint']}?response_type=code&client_id=c&state=%2B%20x"
    async with front.client() as client:
        answer = await client.get(asks)
    assert answer.status_code == 303
    target = urlsplit(answer.headers["location"])
    assert target.path == "/oauth/authorize"
    assert parse_qs(target.query) == {
        "response_type": ["code"],
        "client_id": ["c"],
        "state": ["+ x"],
        "resource": [f"{NOTES}/mcp"],
    }
    async with front.client() as client:
        answer = await client.get(f"{asks}&resource=https://elsewhere.example/mcp")
    assert parse_qs(urlsplit(answer.headers["location"]).query)["resource"] == ["https://elsewhere.example/mcp"]


@pytest.mark.parametrize("origin", [PLATFORM, NOTES])
async def test_pages_of_any_origin_may_read_the_documents(front: FrontHost, origin: str) -> None:
    foreign = {"Origin": "https://inspector.example", "Sec-Fetch-Site": "cross-site"}
    asking = {
        **foreign,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "mcp-protocol-version",
    }
    async with front.client(origin) as client:
        allowed = await client.options(SERVER, headers=asking)
        answer = await client.get(SERVER, headers=foreign)
        head = await client.head(SERVER)
        refused = await client.post(SERVER, headers=foreign)
    assert allowed.status_code == 204
    assert "mcp-protocol-version" in allowed.headers["access-control-allow-headers"].lower()
    for each in (allowed, answer, head, refused):
        assert each.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in each.headers
    assert (head.status_code, head.content) == (200, b"")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_pages_of_any_origin_may_register_a_client(host: SmallHost, front: FrontHost) -> None:
    """Whoever's browser it is: no cookie gets that far."""
    foreign = {"Origin": "https://inspector.example", "Sec-Fetch-Site": "cross-site", "Cookie": "a=b"}
    async with front.client() as client:
        allowed = await client.options("/oauth/register", headers=foreign)
        answer = await client.post("/oauth/register", json=SAID, headers=foreign)
        refused = await client.post("/oauth/register", json={}, headers=foreign)
        elsewhere = await client.post("/app/new", json=SAID, headers=foreign)
    assert (allowed.status_code, "POST" in allowed.headers["access-control-allow-methods"]) == (204, True)
    assert (answer.status_code, answer.json()["redirect_uris"]) == (201, [CALLBACK])
    assert refused.status_code == 400
    for each in (allowed, answer, refused):
        assert each.headers.get_list("access-control-allow-origin") == ["*"]
        assert "access-control-allow-credentials" not in each.headers
    assert elsewhere.status_code == 403
    assert "access-control-allow-origin" not in elsewhere.headers


@pytest.mark.parametrize("path", ["/oauth/registers", "/oauth/authorize", "/oauth/consent", "/auth/logout"])
async def test_what_knows_a_browser_by_its_cookie_stays_closed_to_other_origins(front: FrontHost, path: str) -> None:
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Cookie": "a=b"}
    async with front.client() as client:
        answer = await client.post(path, headers=foreign)
        allowed = await client.options(path, headers=foreign)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in {**answer.headers, **allowed.headers}


@pytest.mark.parametrize("place", [PlatformHost(), WikiHost("notes"), OwnDomain("notes.example")])
@pytest.mark.parametrize("path", ["/.well-known", "/.well-known/", SERVER + "x", SERVER + "/x", SERVER + "//", "/"])
def test_other_addresses_have_no_document(path: str, place: PlatformHost | WikiHost | OwnDomain) -> None:
    assert document_at(path, ADDRESS, place) is None


def test_the_platform_is_no_wiki() -> None:
    assert document_at(RESOURCE, ADDRESS, PlatformHost()) is None
