"""An agent is let in: from its request over the sign-in and the consent page to its first call, in a real browser."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

from robot.oauth.pairs import challenge_of
from tests.browser.conftest import MadeWiki, NewContext, link_for
from tests.browser.test_keyboard import tab_through
from tests.browser.test_platform_accessible import assert_good
from tests.harness import Robot

pytestmark = pytest.mark.browser

SITE = "https://agent.example/callback"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
MCP_HEADERS = {"Accept": "application/json, text/event-stream"}


@dataclass
class Callback:
    """Where a program on this computer waits for its answer; it sends the browser on to another host."""

    port: int
    got: list[dict[str, list[str]]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/callback"

    @property
    def last_page(self) -> str:
        return f"http://localhost:{self.port}/done"


@contextmanager
def waiting_program() -> Iterator[Callback]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/callback":
                callback.got.append(parse_qs(parts.query))
                self.send_response(302)
                self.send_header("Location", callback.last_page)
            else:
                self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        callback = Callback(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield callback
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Program:
    """A client that registered itself with the running robot."""

    robot: Robot
    wiki: MadeWiki
    callback: Callback
    client_id: str
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(40))

    def address(self, **changes: str) -> str:
        query = {
            "client_id": self.client_id,
            "redirect_uri": self.callback.address,
            "response_type": "code",
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
            "resource": f"{self.wiki.origin}/mcp",
            "state": "a b&c",
        }
        return f"{self.robot.platform}/oauth/authorize?{urlencode(query | changes)}"

    def fetch_token(self) -> str:
        """Change the code that came last for a token."""
        form = {
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "code": self.callback.got[-1]["code"][0],
            "redirect_uri": self.callback.address,
            "code_verifier": self.verifier,
        }
        with self.robot.client(self.robot.platform) as client:
            answer = client.post("/oauth/token", data=form)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token


def a_program(robot: Robot, wiki: MadeWiki, callback: Callback) -> Program:
    about = {
        "client_name": "Garden Helper",
        "redirect_uris": [callback.address, SITE],
        "token_endpoint_auth_method": "none",
    }
    with robot.client(robot.platform) as client:
        answer = client.post("/oauth/register", json=about)
    assert answer.status_code == 201, answer.text
    return Program(robot, wiki, callback, answer.json()["client_id"])


def test_from_the_request_to_the_first_call(
    robot: Robot, new_context: NewContext, make_wiki: Callable[..., MadeWiki]
) -> None:
    """Without a script on any page. The client's own redirects may lead on to wherever it likes."""
    page = new_context(java_script_enabled=False).new_page()
    with waiting_program() as callback:
        program = a_program(robot, make_wiki(), callback)
        page.goto(program.address())
        expect(page.get_by_text("A program that calls itself Garden Helper asks")).to_be_visible()
        page.get_by_role("textbox", name="Sign-in link").fill(link_for(robot))
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Let “Garden Helper” into Wiki {program.wiki.slug}?")
        page.get_by_role("radio", name="Only read").check()
        page.get_by_role("button", name="Allow").click()
        expect(page).to_have_url(callback.last_page)
        [told] = callback.got
        assert (told["state"], told["iss"]) == (["a b&c"], [robot.platform])
        token = program.fetch_token()
    with robot.agent(token, program.wiki.origin) as agent:
        assert agent.get("/api/v1/pages").status_code == 200
        assert agent.put("/api/v1/pages/New", json={"content": "x"}).status_code == 403
        assert agent.get("/.git/info/refs?service=git-upload-pack").status_code == 200
        assert agent.post("/mcp", json=PING, headers=MCP_HEADERS).status_code == 200
    with robot.agent(token) as agent:  # at the demo's wiki
        for answer in (agent.get("/api/v1/pages"), agent.post("/mcp", json=PING, headers=MCP_HEADERS)):
            assert answer.status_code == 401
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_the_page_in_every_suit_and_by_keyboard(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    with waiting_program() as callback:
        program = a_program(robot, make_wiki(), callback)
        keeper.goto(program.address())
        assert tab_through(keeper)[3:] == [
            "Not you?",
            "Read and change pages",
            "Only in this folder (optional)",
            "Allow",
            "Deny",
        ]
        assert_good(keeper)
        keeper.goto(program.address(resource=f"{robot.wiki_origin('nowhere')}/mcp"))
        expect(keeper.get_by_role("heading", level=1)).to_have_text("There is no such wiki for you")
        assert_good(keeper)
        keeper.goto(program.address(redirect_uri=SITE, response_type="token"))
        expect(keeper.get_by_role("heading", level=1)).to_have_text("This program cannot be connected")
        expect(keeper.get_by_role("main")).to_contain_text("takes you to the site agent.example.")
        assert_good(keeper)
        keeper.goto(program.address(redirect_uri="http://evil.example/"))
        expect(keeper.get_by_role("heading", level=1)).to_have_text("This program cannot be connected")
        assert_good(keeper)


def test_the_second_half_of_a_double_click_allows_nothing(
    robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]
) -> None:
    """A page on top has itself clicked and goes away; this one comes to the front under the second click."""
    with waiting_program() as callback:
        program = a_program(robot, make_wiki(), callback)
        keeper.goto(program.address())
        allow = keeper.get_by_role("button", name="Allow")
        sent: list[str] = []
        keeper.on("request", lambda request: sent.append(request.url))
        allow.evaluate("button => { window.dispatchEvent(new Event('focus')); button.click(); }")
        expect(allow).not_to_have_attribute("aria-disabled", "true")
        assert not [address for address in sent if address.endswith("/oauth/consent")]
        allow.click()
        keeper.wait_for_url(callback.last_page)
        assert "code" in callback.got[0]


def test_a_client_that_waits_in_the_opening_window(
    robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]
) -> None:
    """A site opens the request in a window of its own, whose last page, the site's, then calls back."""
    with waiting_program() as callback:
        program = a_program(robot, make_wiki(), callback)
        keeper.goto(callback.last_page)
        with keeper.expect_popup() as opened:
            keeper.evaluate("address => { window.waiting = window.open(address); }", program.address())
        opened.value.get_by_role("button", name="Deny").click()
        opened.value.wait_for_url(callback.last_page)
        assert opened.value.evaluate("window.opener !== null")
        assert callback.got[0]["error"] == ["access_denied"]
