"""Every cookie stays on its host, out of reach of scripts; one that a sibling host sets signs nobody in or out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from robot.signin.cookies import NONCE_COOKIE, PLATFORM_COOKIE, RETURN_COOKIE, WIKI_COOKIE
from tests.browser.conftest import MadeWiki, link_for
from tests.harness import Robot

pytestmark = pytest.mark.browser

WORKERS_COOKIE = "__Host-wiki"


def test_each_cookie_set_on_the_way_is_for_one_host_only(
    robot: Robot, stranger: Page, make_wiki: Callable[..., MadeWiki]
) -> None:
    wiki = make_wiki()
    answers: list[Response] = []

    def note(answer: Response) -> None:
        answers.append(answer)

    stranger.context.on("response", note)
    stranger.goto(f"{wiki.origin}/Home")
    stranger.get_by_role("textbox", name="Sign-in link").fill(link_for(robot))
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.locator(".page h1").first).to_be_visible()
    stranger.goto(f"{wiki.origin}/Home?edit")
    stranger.get_by_title("Save", exact=True).click()
    stranger.locator("#commit-message").fill("Changed")
    with stranger.expect_navigation():
        stranger.locator("#saveform input[type=submit]").click()  # the notice after it is in Otter Wiki's session
    expect(stranger.locator(".page h1").first).to_be_visible()
    for address in (
        f"{wiki.origin}/Home/history",
        f"{wiki.origin}/-/changelog",
        f"{wiki.origin}/-/settings",
        f"{wiki.origin}/-/create",
        f"{wiki.origin}/Nothing here",
        f"{robot.platform}/app/create",
        f"{robot.platform}/app/wiki/{wiki.slug}/agents",
    ):
        stranger.goto(address)
    stranger.get_by_role("button", name="Sign out").click()
    expect(stranger).to_have_url(f"{robot.platform}/")

    seen = set()
    for answer in answers:
        for header in answer.headers_array():
            if header["name"].lower() == "set-cookie":
                for line in header["value"].split("\n"):
                    seen.add(line.partition("=")[0])
                    _assert_confined(line)
    assert {PLATFORM_COOKIE, WIKI_COOKIE, NONCE_COOKIE, RETURN_COOKIE, WORKERS_COOKIE} <= seen


def _assert_confined(line: str) -> None:
    name, *attributes = (part.strip() for part in line.split(";"))
    said = {attribute.partition("=")[0].lower(): attribute.partition("=")[2] for attribute in attributes}
    assert name.startswith("__Host-"), line
    assert "domain" not in said, line
    assert said.get("path") == "/", line
    assert {"secure", "httponly"} <= said.keys(), line
    assert said.get("samesite", "").lower() == "lax", line


def test_scripts_see_no_cookie_of_ours(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    wiki = make_wiki()
    for address in (f"{robot.platform}/app/", f"{wiki.origin}/Home"):
        keeper.goto(address)
        assert "robot" not in keeper.evaluate("document.cookie")
        assert "__Host" not in keeper.evaluate("document.cookie")


def test_cookies_set_for_the_whole_domain_by_a_wiki_change_no_sign_in(
    robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]
) -> None:
    hostile, target = make_wiki("unlisted"), make_wiki()
    keeper.goto(f"{target.origin}/Home")
    keeper.goto(f"{hostile.origin}/Home")
    before = _own_cookies(keeper)
    for name in (PLATFORM_COOKIE, WIKI_COOKIE, NONCE_COOKIE, RETURN_COOKIE, WORKERS_COOKIE):
        for spelling in (name, name.lower(), name.upper(), f" {name}", f"\t{name}", f"={name}", name[7:]):
            for domain in ("robot.localhost", ".robot.localhost", target.origin[7:].partition(":")[0]):
                for more in ("; secure", "", "; path=/app; secure", "; path=/auth; secure"):
                    path = "" if "path" in more else "; path=/"
                    keeper.evaluate("line => { document.cookie = line; }", f"{spelling}=x; domain={domain}{path}{more}")
    assert _own_cookies(keeper) == before
    assert any(cookie["domain"].startswith(".") for cookie in keeper.context.cookies()), (
        "some were taken by the browser"
    )
    for address in (f"{robot.platform}/app/", f"{target.origin}/Home", f"{robot.platform}/app/create"):
        answer = keeper.goto(address)
        assert answer is not None
        assert (answer.status, answer.url, answer.request.redirected_from) == (200, address, None)


def _own_cookies(page: Page) -> list[Any]:
    """The cookies that belong to one host and bear one of our names."""
    kept = [cookie for cookie in page.context.cookies() if cookie["name"].startswith("__Host-")]
    return sorted((cookie["domain"], cookie["name"], cookie["value"]) for cookie in kept)


def test_a_stranger_with_tossed_cookies_stays_a_stranger(robot: Robot, stranger: Page) -> None:
    stranger.context.add_cookies(
        [
            {"name": name, "value": "x" * 43, "domain": ".robot.localhost", "path": "/"}
            for name in ("robot_session", "robot_wiki", "robot_return", "Host-robot_session")
        ]
    )
    stranger.goto(f"{robot.platform}/app/")
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Sign in")
    stranger.get_by_role("textbox", name="Sign-in link").fill(link_for(robot))
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger).to_have_url(f"{robot.platform}/app/")


@pytest.fixture(scope="module")
def signed_in(robot: Robot) -> tuple[str, str]:
    """The values of the platform's cookie and of the demo wiki's."""
    return robot.sign_in()[PLATFORM_COOKIE], robot.sign_in(robot.wiki)[WIKI_COOKIE]


@pytest.mark.parametrize("order", ["tossed first", "tossed last", "tossed around"])
@pytest.mark.parametrize("value", ["x", "", "x" * 43, '"', "x; Path=/", "=", "\xff"], ids=repr)
def test_duplicates_in_either_order_sign_nobody_in_or_out(
    robot: Robot, signed_in: tuple[str, str], order: str, value: str
) -> None:
    """As a browser without the prefix rule would send them: straight to the server."""
    for origin, path, name, good in (
        (robot.platform, "/app/", PLATFORM_COOKIE, signed_in[0]),
        (robot.wiki, "/Home", WIKI_COOKIE, signed_in[1]),
    ):
        tossed = f"{name}={value}"
        own = f"{name}={good}"
        pairs = {"tossed first": [tossed, own], "tossed last": [own, tossed], "tossed around": [tossed, own, tossed]}
        with robot.client(origin) as client:
            answer = client.get(path, headers={b"Cookie": "; ".join(pairs[order]).encode("latin-1")})
            alone = client.get(path, headers={b"Cookie": tossed.encode("latin-1")})
        assert answer.status_code == 200
        assert "Keeper" in answer.text or "Wiki and agents" in answer.text
        assert "Keeper" not in alone.text
        assert "Wiki and agents" not in alone.text
