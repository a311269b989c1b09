"""The example Caddyfile with the real Caddy, in front of the real robot: what a visitor from outside sees."""

from __future__ import annotations

import fcntl
import shutil
import ssl
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2
import pytest
import trio

from tests.caddy.edge import EXAMPLE, Edge, running_edge
from tests.harness import Robot, free_port, running_robot
from wikihost.layout import WikiHome

pytestmark = [
    pytest.mark.caddy,
    pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not installed (apt install caddy)"),
]

SPOOFED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-For": "203.0.113.66",
    "Forwarded": "for=203.0.113.66;host=evil.example;proto=http",
    "X-Otterwiki-Name": "Mallory",
    "X-Otterwiki-Email": "mallory@evil.example",
    "X-Otterwiki-Permissions": "READ,WRITE,UPLOAD,ADMIN",
    "X_Otterwiki_Name": "Mallory",
    "X_Otterwiki_Email": "mallory@evil.example",
    "X_Otterwiki_Permissions": "READ,WRITE,UPLOAD,ADMIN",
}
HANDSHAKE_ERA = "2025-11-25"
REGISTRATIONS_PER_HOUR = 3


@dataclass(frozen=True, slots=True)
class Site:
    """robot behind Caddy, and an operator's browser signed in to the platform and to the demo wiki."""

    robot: Robot
    edge: Edge
    operator: httpx2.Client


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("caddy")
    port = free_port()
    tls_port, plain_port = port + 1, port + 2
    public = {
        "ROBOT_SCHEME": "https",
        "ROBOT_PUBLIC_PORT": str(tls_port),
        "ROBOT_OAUTH_REGISTRATIONS_PER_HOUR": str(REGISTRATIONS_PER_HOUR),
    }
    with (
        running_robot(home / "data", port=port, env=public) as robot,
        running_edge(home, upstream_port=port, tls_port=tls_port, plain_port=plain_port) as edge,
        edge.browser() as operator,
    ):
        assert robot.wiki == f"https://demo.robot.localhost:{tls_port}"
        assert operator.get(robot.signin_link).status_code == 200
        assert operator.get(f"{robot.wiki}/auth/start?next=/").url == httpx2.URL(f"{robot.wiki}/")
        yield Site(robot, edge, operator)


def save(browser: httpx2.Client, wiki: str, page: str, text: str, **headers: str) -> httpx2.Response:
    """Send the editor's form, with the headers that a browser adds."""
    return browser.post(
        f"{wiki}/{page}/save",
        data={"content": text, "commit": ""},
        headers={"Origin": wiki, "Sec-Fetch-Site": "same-origin", **headers},
    )


def test_registering_is_limited_by_the_address_that_caddy_saw(site: Site) -> None:
    said = {"client_name": "x", "redirect_uris": ["https://client.example/cb"]}
    with site.edge.browser() as client:
        statuses = [
            client.post(
                f"{site.robot.platform}/oauth/register", json=said, headers={"X-Forwarded-For": f"203.0.113.{n}"}
            ).status_code
            for n in range(REGISTRATIONS_PER_HOUR + 1)
        ]
    assert statuses == [201] * REGISTRATIONS_PER_HOUR + [429]


def test_a_stranger_reads_a_public_page(site: Site) -> None:
    with site.edge.browser() as stranger:
        page = stranger.get(f"{site.robot.wiki}/", headers={"X-Request-Id": "chosen-by-the-client"})
        platform = stranger.get(f"{site.robot.platform}/")
    assert (page.status_code, platform.status_code) == (200, 200)
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["server"] == "Caddy"
    assert uuid.UUID(page.headers["x-request-id"]), "robot calls the request as Caddy does"
    assert "http://" + urlsplit(site.robot.wiki).netloc not in page.text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_figures_are_not_for_who_comes_through_caddy(site: Site, host: str) -> None:
    """Not for one who calls the machine as its own programs do, and would have Caddy leave out for whom it asks."""
    forged = {
        "Host": host,
        "X-Forwarded-For": "127.0.0.1",
        "Connection": "keep-alive, X-Forwarded-For, X-Forwarded-Host",
    }
    with site.edge.browser() as stranger:
        figures = stranger.get(f"{site.robot.platform}/metrics", headers=forged)
        ready = stranger.get(f"{site.robot.platform}/readyz", headers=forged)
    assert (figures.status_code, "robot_requests_total" in figures.text) == (404, False)
    assert (ready.status_code, ready.json()) == (200, {"status": "ok"})


def test_a_link_signs_in_and_cookies_are_secure(site: Site) -> None:
    dashboard = site.operator.get(f"{site.robot.platform}/app/")
    assert dashboard.status_code == 200
    assert dashboard.url == httpx2.URL(f"{site.robot.platform}/app/")
    cookies = list(site.operator.cookies.jar)
    assert {cookie.domain for cookie in cookies} >= {"robot.localhost", "demo.robot.localhost"}
    for cookie in cookies:
        assert cookie.secure, cookie.name
        assert cookie.name.startswith("__Host-"), cookie.name
        assert not cookie.domain_specified, cookie.name


def test_an_edited_page_is_seen(site: Site) -> None:
    wiki = site.robot.wiki
    assert save(site.operator, wiki, "Behind Caddy", "# Harbour\n\nSeen over TLS.\n").status_code == 200
    with site.edge.browser() as stranger:
        assert "Seen over TLS." in stranger.get(f"{wiki}/Behind Caddy").text


async def test_an_agent_writes_a_page(site: Site) -> None:
    wiki = site.robot.wiki
    with trio.fail_after(30):
        async with site.edge.agent(f"{wiki}/mcp", site.robot.token) as agent:
            written = await agent.call_tool(
                "write_note", {"path": "Caddy Agent", "content": "# From an agent\n\nThrough the front door.\n"}
            )
            assert not written.is_error, written.content
            read = await agent.call_tool("read_note", {"path": "Caddy Agent"})
    assert "Through the front door." in str(read.content)
    assert "Through the front door." in site.operator.get(f"{wiki}/Caddy Agent").text


def test_a_stream_is_passed_on_as_it_comes(site: Site) -> None:
    """The answer to a writer begins while the wiki is locked, and ends with the event when it is not any more."""
    [home] = site.robot.data.glob("wikis/*")
    arguments = {"path": "Caddy Stream", "content": "# Stream\n"}
    call = {"name": "write_note", "arguments": arguments, "_meta": {"progressToken": 1}}
    with site.edge.browser() as agent, WikiHome(home).write_lock.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with agent.stream(
            "POST",
            f"{site.robot.wiki}/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call},
            headers={
                "Authorization": f"Bearer {site.robot.token}",
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": HANDSHAKE_ERA,
            },
        ) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert site.edge.handshake("demo.robot.localhost")  # a whole exchange with Caddy, and still no event
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert "Created Caddy Stream" in answer.read().decode()


def test_only_names_that_robot_serves_get_a_certificate(site: Site) -> None:
    assert site.edge.handshake("demo.robot.localhost").startswith("TLS")
    for name in ("missing.robot.localhost", "demo.robot.localhost.evil.example", "a.demo.robot.localhost"):
        with pytest.raises(ssl.SSLError):
            site.edge.handshake(name)


def test_what_a_client_says_about_itself_is_not_believed(site: Site) -> None:
    wiki = site.robot.wiki
    with site.edge.browser() as stranger:
        honest = stranger.get(f"{wiki}/")
        lying = stranger.get(f"{wiki}/", headers=SPOOFED)
        assert (lying.status_code, lying.url) == (honest.status_code, honest.url)
        assert "evil.example" not in lying.text
        assert "Mallory" not in lying.text
        refused = save(stranger, wiki, "Mallory", "# Mine\n", **SPOOFED)
        assert "evil.example" not in str(refused.url)
        assert stranger.get(f"{wiki}/Mallory").status_code == 404
        admin = stranger.get(f"{wiki}/-/admin", headers=SPOOFED)
        assert urlsplit(str(admin.url)).netloc != "evil.example"
        assert admin.status_code in (401, 403, 404) or "/auth/" in str(admin.url)


def test_a_spoofed_scheme_leaves_addresses_and_cookies_as_they_are(site: Site) -> None:
    with site.edge.browser() as stranger:
        stranger.follow_redirects = False
        answer = stranger.get(f"{site.robot.wiki}/auth/start?next=/", headers=SPOOFED)
    assert answer.is_redirect
    assert answer.headers["location"].startswith(f"{site.robot.platform}/")
    for cookie in answer.headers.get_list("set-cookie"):
        assert "; secure" in cookie.lower()


def test_plain_http_is_sent_to_https(site: Site) -> None:
    with site.edge.browser() as stranger:
        stranger.follow_redirects = False
        answer = stranger.get(f"http://demo.robot.localhost:{site.edge.plain_port}/Home?a=b")
    assert (answer.status_code, answer.headers["location"]) == (301, "https://demo.robot.localhost/Home?a=b")


def test_the_example_is_formatted_as_caddy_does() -> None:
    """`caddy fmt` would change nothing, so that operators can run it on their copy."""
    done = subprocess.run(["caddy", "fmt", EXAMPLE], capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout == EXAMPLE.read_text("utf-8")


OWN = "notes.example"


async def test_a_wiki_at_its_own_domain(site: Site) -> None:
    """A certificate once the domain is in force and not before; pages, signing in and an agent there."""
    with pytest.raises(ssl.SSLError):
        site.edge.handshake(OWN)
    site.robot.put_in_force(OWN)
    for name in (f"www.{OWN}", "wanted.example"):
        with pytest.raises(ssl.SSLError):
            site.edge.handshake(name)
    own = f"https://{OWN}:{site.edge.port}"
    with site.edge.browser() as stranger:
        page = stranger.get(f"{site.robot.wiki}/Home?a=b")
        assert ([answer.status_code for answer in page.history], page.status_code) == ([308], 200)
        assert page.url == httpx2.URL(f"{own}/Home?a=b")
        feed = stranger.get(f"{own}/-/changelog/feed.rss")
        assert f"{own}/" in feed.text
        for text in (page.text, feed.text):
            assert urlsplit(site.robot.wiki).netloc not in text
    assert site.operator.get(f"{site.robot.wiki}/auth/start?next=/Home").url == httpx2.URL(f"{own}/Home")
    cookies = [cookie for cookie in site.operator.cookies.jar if cookie.domain == OWN]
    assert cookies
    for cookie in cookies:
        assert (cookie.secure, cookie.domain_specified, cookie.name[:7]) == (True, False, "__Host-"), cookie.name
    saved = save(site.operator, own, "Own Domain", "# Here\n\nWritten at home.\n")
    assert saved.url == httpx2.URL(f"{own}/Own%20Domain")
    with trio.fail_after(30):
        for origin in (own, site.robot.wiki):
            async with site.edge.agent(f"{origin}/mcp", site.robot.token) as agent:
                read = await agent.call_tool("read_note", {"path": "Own Domain"})
            assert "Written at home." in str(read.content)
    # Given up, it ends at once, and the first address is the wiki's again.
    removed = site.operator.post(
        f"{site.robot.platform}/app/wiki/demo/domain/remove", headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert "The domain is removed." in removed.text
    with site.edge.browser() as stranger:
        assert stranger.get(f"{site.robot.wiki}/Home").history == []
        assert stranger.get(f"{own}/Home").status_code == 421
