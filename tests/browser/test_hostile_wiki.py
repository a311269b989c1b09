"""Script on one wiki, in the browser of somebody signed in everywhere, cannot act on another wiki or the platform.

The attacker's script runs for real: what a page evaluates here has all the powers of a script of that origin. Wiki and
platform are same-site, so the browser sends the victim's cookies with every attack: refusing is the server's work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from playwright.sync_api import BrowserContext, Page, Response, expect

from tests.browser.conftest import MadeWiki, NewContext, link_for, new_slug, read_page, write_page
from tests.harness import Robot

pytestmark = pytest.mark.browser

SECRET = "The vault is under the oak."

SEND = """async ([address, options]) => {
  try {
    const answer = await fetch(address, {credentials: "include", redirect: "follow", ...options});
    return {type: answer.type, status: answer.status, text: await answer.text()};
  } catch (error) { return {type: "error", status: 0, text: String(error)}; }
}"""

FORM = """([address, fields]) => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = address;
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement("input");
    input.name = name;
    input.value = value;
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}"""

FRAME = """address => new Promise(done => {
  const frame = document.createElement("iframe");
  frame.onload = frame.onerror = () => {
    let text = "";
    try { text = frame.contentDocument?.body?.textContent ?? ""; } catch (error) { text = String(error.name); }
    done(text);
  };
  frame.src = address;
  document.body.append(frame);
})"""

POPUP = """address => {
  window.popup = window.open(address);
  return window.popup !== null;
}"""

REACH_INTO_POPUP = """() => {
  const tries = {
    document: w => w.document.body.textContent,
    href: w => w.location.href,
    cookie: w => w.document.cookie,
    script: w => w.eval("document.body.textContent"),
    origin: w => w.origin,
    localStorage: w => w.localStorage.length,
  };
  const read = {};
  for (const [name, attempt] of Object.entries(tries)) {
    try { read[name] = String(attempt(window.popup)); } catch (error) { read[name] = null; }
  }
  return read;
}"""


@dataclass(frozen=True)
class Scene:
    """The victim's browser, signed in everywhere; `trap` shows a page of the attacker's wiki."""

    robot: Robot
    victim: BrowserContext
    trap: Page
    hostile: MadeWiki
    target: MadeWiki
    seen_from_outside: httpx2.Client

    def platform(self, path: str) -> str:
        return self.robot.platform + path

    def state(self) -> dict[str, Any]:
        """All that an attack could have changed, asked without the victim's browser."""
        status, home = read_page(self.robot, self.target)
        with self.robot.agent(self.target.token, self.target.origin) as agent:
            pages = agent.get("/api/v1/pages").json()
        tokens = self.seen_from_outside.get(f"/app/wiki/{self.target.slug}/agents").text
        wikis = self.seen_from_outside.get("/app/").text
        return {
            "home": (status, home["revision"], home["content"]),
            "pages": sorted(page["path"] for page in pages["pages"]),
            "tokens": tokens.count("/revoke"),
            "wikis": wikis.count('class="card wiki"'),
        }

    def assert_still_signed_in(self) -> None:
        page = self.victim.new_page()
        for address, place in (
            (self.platform("/app/"), self.platform("/app/")),
            (f"{self.target.origin}/Home", f"{self.target.origin}/Home"),
        ):
            answer = page.goto(address)
            assert answer is not None
            assert page.url == place
            assert answer.request.redirected_from is None, "no new hand-off was needed"
        page.close()


@pytest.fixture(scope="package")
def wikis(robot: Robot, make_wiki: Callable[..., MadeWiki]) -> tuple[MadeWiki, MadeWiki]:
    hostile, target = make_wiki("unlisted"), make_wiki()
    write_page(robot, hostile, "Trap", "# Win a prize\n\nRead on.")
    write_page(robot, target, "Home", f"# Home\n\n{SECRET}")
    return hostile, target


@pytest.fixture
def bypass_csp() -> bool:
    """Whether the browser leaves the policies of pages aside; a test may say so by a parameter of this name."""
    return False


@pytest.fixture
def scene(
    robot: Robot,
    new_context: NewContext,
    keeper_state: Any,
    wikis: tuple[MadeWiki, MadeWiki],
    bypass_csp: bool,
) -> Iterator[Scene]:
    hostile, target = wikis
    victim = new_context(storage_state=keeper_state, bypass_csp=bypass_csp)
    trap = victim.new_page()
    trap.goto(f"{target.origin}/Home")
    expect(trap.locator(".page")).to_contain_text(SECRET)
    trap.goto(f"{hostile.origin}/auth/start?next=/Trap")
    expect(trap).to_have_url(f"{hostile.origin}/Trap")
    cookies = {cookie["name"]: cookie["value"] for cookie in keeper_state["cookies"]}
    with robot.client(robot.platform, cookies=cookies) as outside:
        yield Scene(robot, victim, trap, hostile, target, outside)


def attacks_by_fetch(scene: Scene) -> list[tuple[str, dict[str, Any]]]:
    """Requests that would do harm if they came from the victim's own pages: address and fetch options."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    json = {"Content-Type": "application/json"}
    mine, theirs = scene.platform, scene.target.origin
    token_path = f"/app/wiki/{scene.target.slug}/tokens"
    create = f"name=Stolen&slug={new_slug()}&visibility=public"
    content = "content=Defaced&commit=x"
    page = '{"content": "Defaced"}'
    posts = [
        (mine("/app/create"), create, form),
        (mine(token_path), "name=Stolen&scope=write&expiry=never", form),
        (mine(f"/app/wiki/{scene.target.slug}/reindex"), "", form),
        (mine(f"/app/wiki/{scene.target.slug}/reindex/cancel"), "", form),
        (mine("/auth/logout"), "", form),
        (f"{theirs}/Home/save", content, form),
        (f"{theirs}/Stolen/save", content, form),
        (f"{theirs}/Home/delete", "message=x", form),
        (f"{theirs}/Home/rename", "new_pagename=Gone&message=x", form),
        (f"{theirs}/-/create", "pagename=Stolen", form),
        (f"{theirs}/auth/logout", "", form),
        (f"{theirs}/mcp", '{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}', {"Content-Type": "text/plain"}),
        (f"{theirs}/api/v1/reindex", "", {"Content-Type": "text/plain"}),
    ]
    attacks = [
        (address, {"method": "POST", "mode": mode, "body": body, "headers": headers})
        for address, body, headers in posts
        for mode in ("no-cors", "cors")
    ]
    # The same fields in the query: a GET is not refused, so it must not act.
    attacks += [(f"{address}?{body}", {"mode": "no-cors"}) for address, body, _ in posts if "=" in body]
    for method in ("PUT", "PATCH", "DELETE"):
        attacks.append((f"{theirs}/api/v1/pages/Home", {"method": method, "body": page, "headers": json}))
        attacks.append((f"{theirs}/api/v1/pages/Stolen", {"method": method, "body": page, "headers": json}))
    return attacks


def test_fetch_changes_nothing(scene: Scene) -> None:
    before = scene.state()
    answers: list[Response] = []

    def note(answer: Response) -> None:
        answers.append(answer)

    scene.trap.on("response", note)
    for address, options in attacks_by_fetch(scene):
        got = scene.trap.evaluate(SEND, [address, options])
        assert got["type"] in ("opaque", "error"), (address, options["method"], got)
        assert got["text"] == "" or got["type"] == "error"
    assert scene.state() == before
    scene.assert_still_signed_in()
    posts = [answer for answer in answers if answer.request.method == "POST"]
    assert posts
    assert {answer.status for answer in posts} <= {401, 403}, [(answer.status, answer.url) for answer in posts]
    _assert_cookies_go_along(scene)


def _assert_cookies_go_along(scene: Scene) -> None:
    """The attack has the victim's cookies: pages for signed-in people answer it, though it cannot read them."""
    for address in (scene.platform("/app/"), f"{scene.target.origin}/Home"):
        with scene.trap.expect_response(address) as answer:
            assert scene.trap.evaluate(SEND, [address, {"mode": "no-cors"}])["type"] == "opaque"
        assert answer.value.status == 200, address


def test_fetch_reads_nothing(scene: Scene) -> None:
    for address in (
        scene.platform("/app/"),
        scene.platform(f"/app/wiki/{scene.target.slug}/agents"),
        scene.platform("/app/create/check?slug=demo"),
        f"{scene.target.origin}/Home",
        f"{scene.target.origin}/api/v1/pages/Home",
        f"{scene.target.origin}/api/v1/search?q=vault",
        f"{scene.target.origin}/-/search?query=vault",
    ):
        for mode in ("cors", "no-cors"):
            got = scene.trap.evaluate(SEND, [address, {"mode": mode}])
            assert got["type"] in ("opaque", "error"), (address, mode, got)
            assert SECRET not in got["text"]
    # The same call on the victim's own page reads: what refuses above is the origin, not the address.
    own = scene.victim.new_page()
    own.goto(f"{scene.target.origin}/Home")
    got = own.evaluate(SEND, [f"{scene.target.origin}/api/v1/pages/Home", {"mode": "cors"}])
    assert (got["status"], SECRET in got["text"]) == (200, True)


@pytest.mark.parametrize("bypass_csp", [False, True], ids=["csp", "csp-bypassed"])
def test_forms_change_nothing(scene: Scene, bypass_csp: bool) -> None:
    """Also with the browser's refusal off: the policy of the attacker's own page must not be what saves us."""
    before = scene.state()
    forms = [
        (scene.platform("/app/create"), {"name": "Stolen", "slug": new_slug(), "visibility": "public"}),
        (
            scene.platform(f"/app/wiki/{scene.target.slug}/tokens"),
            {"name": "Stolen", "scope": "write", "expiry": "never"},
        ),
        (scene.platform("/auth/logout"), {}),
        (f"{scene.target.origin}/Home/save", {"content": "Defaced", "commit": "x"}),
        (f"{scene.target.origin}/Home/delete", {"message": "x"}),
        (f"{scene.target.origin}/auth/logout", {}),
    ]
    for address, fields in forms:
        page = scene.victim.new_page()
        page.goto(f"{scene.hostile.origin}/Trap")
        if bypass_csp:
            with page.expect_response(address) as refused:
                page.evaluate(FORM, [address, fields])
            assert refused.value.status == 403
            assert "robot" in refused.value.request.all_headers().get("cookie", ""), "with the victim's cookie"
            expect(page.get_by_role("heading", level=1)).to_have_text("Refused")
        else:
            with page.expect_console_message(lambda message: "form-action" in message.text):
                page.evaluate(FORM, [address, fields])
            assert page.url == f"{scene.hostile.origin}/Trap"
        page.close()
    assert scene.state() == before
    scene.assert_still_signed_in()


def test_frames_stay_empty(scene: Scene) -> None:
    for address in (
        scene.platform("/"),
        scene.platform("/app/"),
        scene.platform("/app/create"),
        scene.platform(f"/app/wiki/{scene.target.slug}/agents"),
        scene.platform("/auth/login"),
        scene.platform("/auth/logout"),
        f"{scene.target.origin}/Home",
        f"{scene.target.origin}/Home/delete",
        f"{scene.target.origin}/-/settings",
    ):
        scene.trap.evaluate(FRAME, address)
        frame = scene.trap.frames[-1]
        shown = frame.evaluate("document.documentElement.outerHTML")
        # A refused frame holds the browser's own error page and no element of ours.
        assert frame.url.startswith("chrome-error:"), (address, frame.url, shown[:200])
        scene.trap.reload()


def test_popups_cannot_be_read_or_scripted(scene: Scene) -> None:
    for address in (
        scene.platform("/app/"),
        scene.platform(f"/app/wiki/{scene.target.slug}/agents"),
        f"{scene.target.origin}/Home",
    ):
        with scene.victim.expect_page() as opened:
            assert scene.trap.evaluate(POPUP, address)
        popup = opened.value
        popup.wait_for_load_state()
        assert popup.url == address
        read = scene.trap.evaluate(REACH_INTO_POPUP)
        assert set(read.values()) == {None}, (address, read)
        popup.close()


def test_platform_has_no_opener(scene: Scene) -> None:
    """Neither does a popup of ours give the attacker's page away, nor can the attacker's page steer it."""
    with scene.victim.expect_page() as opened:
        scene.trap.evaluate(POPUP, scene.platform("/app/"))
    popup = opened.value
    popup.wait_for_load_state()
    assert popup.evaluate("window.opener") is None
    assert scene.trap.evaluate("window.popup.closed"), "the handle is cut off"


def test_a_sign_in_link_on_a_hostile_page_signs_nobody_in(scene: Scene) -> None:
    """Somebody else's link, followed from a wiki page: the visitor is asked, and stays who they are."""
    link = link_for(scene.robot, "mallory")
    assert scene.trap.evaluate(SEND, [link, {"mode": "no-cors"}])["type"] == "opaque"
    page = scene.victim.new_page()
    page.goto(f"{scene.hostile.origin}/Trap")
    page.evaluate("address => { location.href = address; }", link)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in as Mallory?")
    page.goto(scene.platform("/app/"))
    expect(page.locator(".who")).to_contain_text("Keeper")


def test_the_wiki_asks_for_nobody_elses_hand_off(scene: Scene) -> None:
    """A code that the platform makes for this browser lands on the wiki it is for, never on the attacker's."""
    address = f"/auth/handoff?wiki={scene.target.slug}&challenge={'0' * 64}&next=/"
    page = scene.victim.new_page()
    page.goto(f"{scene.hostile.origin}/Trap")
    with page.expect_response(lambda response: "/auth/finish" in response.url) as finished:
        page.evaluate("address => { location.href = address; }", scene.platform(address))
    assert finished.value.url.startswith(f"{scene.target.origin}/auth/finish?")
    assert finished.value.status == 400
    assert scene.trap.evaluate(SEND, [scene.platform(address), {"mode": "cors"}])["type"] == "error"
