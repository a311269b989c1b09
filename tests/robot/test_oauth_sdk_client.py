"""The MCP SDK's own OAuth client against the whole of it: finds out whom to ask, comes in, and asks for more."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from robot.oauth.endpoints import CONSENT
from robot.oauth.pairs import challenge_of
from tests.mcp_message import tool_call
from tests.robot.front_host import front_host
from tests.robot.oauth_client import answer_sent
from tests.robot.small_host import ADDRESS, Browser, SmallHost, small_host, text_of
from tests.robot.tls_server import reply, tls_server

NOTES = ADDRESS.wiki_origin("notes")
CALLBACK = "http://127.0.0.1:51234/callback"


@dataclass
class Memory:
    """What the program keeps."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@dataclass
class AtTheBrowser:
    """A person who is asked, and consents to `access`."""

    browser: Browser
    access: str
    asked: list[str] = field(default_factory=list)
    _answer: dict[str, str] = field(default_factory=dict)

    async def send(self, address: str) -> None:
        self.asked.append(address)
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}" == ADDRESS.platform_origin
        page = await text_of(await self.browser.get(ADDRESS.platform_origin, f"{parts.path}?{parts.query}"))
        hidden = dict(re.findall(r'<input type="hidden" name="(request|person|wiki)" value="(.*?)">', page))
        form = {name: html.unescape(value) for name, value in hidden.items()}
        answer = await self.browser.post(
            ADDRESS.platform_origin, CONSENT, form={**form, "access": self.access, "decision": "allow"}
        )
        self._answer = await answer_sent(answer)

    async def wait(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**{name: self._answer[name] for name in ("code", "state", "iss")})


def a_program(
    person: AtTheBrowser,
    memory: Memory,
    *,
    origin: str = NOTES,
    callback: str = CALLBACK,
    document: str | None = None,
) -> OAuthClientProvider:
    said = OAuthClientMetadata(client_name="A program", redirect_uris=[AnyUrl(callback)])
    return OAuthClientProvider(f"{origin}/mcp", said, memory, person.send, person.wait, client_metadata_url=document)


async def test_a_program_comes_in_reads_and_writes_once_its_person_says_so(host: SmallHost) -> None:
    await host.make_wiki("notes")
    person, memory = AtTheBrowser(await host.signed_in(host.ada), access="read"), Memory()
    async with front_host(host) as front, front.client(NOTES) as client:
        client.auth = a_program(person, memory)
        assert (await client.post(**tool_call("list_notes"))).status_code == 200
        assert memory.tokens is not None
        assert (memory.tokens.scope, len(person.asked)) == ("wiki:read", 1)
        person.access = "write"
        written = await client.post(**tool_call("write_note", path="New", content="x"))
        assert (written.status_code, written.json()["result"]["isError"]) == (200, False)
        assert (memory.tokens.scope, len(person.asked)) == ("wiki:read wiki:write", 2)


async def test_a_program_comes_in_at_a_wikis_own_domain(host: SmallHost) -> None:
    own = await host.give_domain(await host.make_wiki("notes"), "notes.example")
    person, memory = AtTheBrowser(await host.signed_in(host.ada), access="write"), Memory()
    async with front_host(host) as front, front.client(own) as client:
        client.auth = a_program(person, memory, origin=own)
        assert (await client.post(**tool_call("write_note", path="New", content="x"))).status_code == 200
        assert memory.tokens is not None
        token = memory.tokens.access_token
    [asked] = person.asked
    assert parse_qs(urlsplit(asked).query)["resource"] == [f"{own}/mcp"]
    async with front_host(host) as front, front.client(NOTES, token) as client:
        assert (await client.post(**tool_call("read_note", path="New"))).status_code == 200


async def test_a_program_with_a_document_does_not_register(tmp_path: Path) -> None:
    """The document is fetched from a real https server; the port of the redirect is what the program got this time."""
    with tls_server(tmp_path, lambda handler: reply(handler, 200, document, "application/json")) as server:
        client_id = server.url("/oauth/client.json")
        document = json.dumps(
            {"client_id": client_id, "client_name": "A program", "redirect_uris": ["http://127.0.0.1/callback"]}
        ).encode()
        async with small_host(tmp_path, server.door()) as host, front_host(host) as front:
            await host.make_wiki("notes")
            person, memory = AtTheBrowser(await host.signed_in(host.ada), access="write"), Memory()
            async with front.client(NOTES) as client:
                client.auth = a_program(person, memory, document=client_id)
                assert (await client.post(**tool_call("write_note", path="New", content="x"))).status_code == 200
            assert memory.client is not None
            assert memory.client.client_id == client_id
            assert host.db.all("SELECT id FROM oauth_clients") == []
        assert server.seen == ["/oauth/client.json"]


async def test_a_program_from_before_resource_metadata(host: SmallHost) -> None:
    """MCP of March 2025: it asks the wiki's own host for the server's metadata, and names no resource anywhere."""
    await host.make_wiki("notes")
    person = AtTheBrowser(await host.signed_in(host.ada), access="write")
    verifier = "v" * 43
    async with front_host(host) as front, front.client(NOTES) as client, front.client() as platform:
        server = (await client.get("/.well-known/oauth-authorization-server")).json()
        said = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
        registered = (await platform.post(server["registration_endpoint"], json=said)).json()
        query = {
            "response_type": "code",
            "client_id": registered["client_id"],
            "redirect_uri": CALLBACK,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
        }
        opened = await platform.get(f"{server['authorization_endpoint']}?{urlencode({**query, 'state': 's'})}")
        assert opened.status_code == 303
        await person.send(ADDRESS.platform_origin + opened.headers["location"])
        form = {
            "grant_type": "authorization_code",
            "code": (await person.wait()).code,
            "redirect_uri": CALLBACK,
            "client_id": registered["client_id"],
            "code_verifier": verifier,
        }
        tokens = (await platform.post(server["token_endpoint"], data=form)).json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        assert (await client.post(**tool_call("list_notes"))).status_code == 200
