"""The platform's pages, in both suits and both widths: WCAG 2.2 AA as far as a machine can tell, nothing cut off."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from robot.model import User
from robot.web.errors import render_error, render_notice, render_waking
from robot.web.page import _ENVIRONMENT, render
from robot.web.setups import agent_setups
from tests.browser.conftest import MadeWiki, link_for, new_slug
from tests.harness import Robot, robot_command
from wikihost.layout import DataDir

pytestmark = pytest.mark.browser

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RULES = {"runOnly": [*WCAG, "best-practice"], "rules": {"target-size": {"enabled": True}}}
DESKTOP, PHONE, NARROW = 1280, 375, 320
LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung"


def assert_good(page: Page, *, allowed: str | None = None) -> None:
    """No violation in light nor dark, and no sideways scrolling down to 320 px (WCAG 1.4.10)."""
    for suit in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if suit == "dark" else "light", reduced_motion="reduce")
        for width in (DESKTOP, PHONE, NARROW):
            page.set_viewport_size({"width": width, "height": 800})
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{page.url} is {wide} px wide in a window of {width}"
            if width != NARROW:
                found: list[dict[str, Any]] = Axe().run(page, options=RULES).response["violations"]
                problems = [(each["id"], each["nodes"][0]["html"]) for each in found if each["id"] != allowed]
                assert not problems, f"{page.url} in {suit} at {width} px"


def connect(robot: Robot, wiki: MadeWiki, name: str, scopes: str, redirect: str, **columns: object) -> None:
    """A connection of the wiki's owner, as consent leaves it."""
    with closing(sqlite3.connect(DataDir(robot.data).robot_db)) as db, db:
        wiki_id, user_id = db.execute(
            "SELECT id, user_id FROM wikis JOIN grants ON wiki_id = id WHERE slug = ?", (wiki.slug,)
        ).fetchone()
        values: dict[str, object] = {
            "id": f"c_{wiki.slug}_{len(name)}", "wiki_id": wiki_id, "user_id": user_id, "client_id": name,
            "client_name": name, "redirect_uri": redirect, "scopes": scopes, "created_at": 1, "expires_at": 2**40,
            **columns,
        }  # fmt: skip
        marks = ", ".join(f":{column}" for column in values)
        db.execute(f"INSERT INTO connections ({', '.join(values)}) VALUES ({marks})", values)


def test_pages_for_strangers(robot: Robot, stranger: Page) -> None:
    for path in ("/", "/auth/login", "/auth/link?token=used", "/auth/logout", "/nothing-here"):
        stranger.goto(robot.platform + path)
        assert_good(stranger)
    stranger.goto(f"{robot.platform}/auth/login")
    stranger.get_by_role("textbox", name="Sign-in link").fill("nonsense")
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.locator("#link-problem")).to_be_visible()
    assert_good(stranger)


def test_page_that_asks_before_a_link_is_used(robot: Robot, stranger: Page) -> None:
    link = link_for(robot)
    stranger.goto(f"{robot.wiki}/Home")
    stranger.evaluate("address => { location.href = address; }", link)
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Sign in as Keeper?")
    assert_good(stranger)


def test_dashboard_of_somebody_without_a_wiki(robot: Robot, stranger: Page) -> None:
    stranger.goto(link_for(robot, "newcomer"))
    expect(stranger.get_by_text("You have no wiki yet")).to_be_visible()
    assert_good(stranger)


def test_pages_of_somebody_with_wikis(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    wiki = make_wiki()
    for path in (
        "/",
        "/app/",
        "/app/create",
        "/auth/logout",
        f"/app/wiki/{wiki.slug}?created=1",
        f"/app/wiki/{wiki.slug}/agents?revoked=1",
        f"/app/wiki/{wiki.slug}/settings?saved=1",
        "/app/wiki/nobodys",
    ):
        keeper.goto(robot.platform + path)
        assert_good(keeper)


def test_create_form_with_errors_and_long_words(robot: Robot, keeper: Page) -> None:
    keeper.goto(f"{robot.platform}/app/create")
    keeper.get_by_role("textbox", name="Name").fill(LONG)
    keeper.get_by_role("textbox", name="Address").fill("admin")
    keeper.get_by_role("textbox", name="What it is about").fill(f"{LONG}{LONG}")
    keeper.get_by_role("button", name="Create wiki").click()
    expect(keeper.get_by_role("alert")).to_be_visible()
    assert_good(keeper)
    slug = "x" * 20 + new_slug()
    keeper.get_by_role("textbox", name="Address").fill(slug)
    keeper.get_by_role("button", name="Create wiki").click()
    expect(keeper.get_by_role("status")).to_be_visible()
    assert_good(keeper)
    keeper.goto(f"{robot.platform}/app/")
    assert_good(keeper)


def test_settings_with_errors_and_a_wiki_over_its_quota(
    robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]
) -> None:
    wiki = make_wiki()
    assert robot_command("wiki", "quota", wiki.slug, "--pages", "3", data=robot.data, port=robot.port).returncode == 0
    keeper.goto(f"{robot.platform}/app/wiki/{wiki.slug}")
    expect(keeper.get_by_role("meter", name="Pages: 4 of 3")).to_be_visible()
    expect(keeper.get_by_text("over quota")).to_be_visible()
    assert_good(keeper)
    keeper.goto(f"{robot.platform}/app/wiki/{wiki.slug}/settings")
    keeper.get_by_role("textbox", name="Name").fill(" ")
    keeper.get_by_role("textbox", name="What it is about").fill(f"{LONG}{LONG}")
    keeper.get_by_role("radio", name="Public").check()
    keeper.get_by_role("checkbox", name="Clone, fetch and push with git").uncheck()
    keeper.get_by_role("button", name="Save settings").click()
    expect(keeper.get_by_role("alert")).to_be_visible()
    expect(keeper.get_by_role("textbox", name="What it is about")).to_have_value(f"{LONG}{LONG}")
    expect(keeper.get_by_role("radio", name="Public")).to_be_checked()
    expect(keeper.get_by_role("checkbox", name="Clone, fetch and push with git")).not_to_be_checked()
    assert_good(keeper)
    keeper.get_by_role("textbox", name="Name").fill(LONG)
    keeper.get_by_role("button", name="Save settings").click()
    expect(keeper.get_by_role("status")).to_contain_text("in force")
    keeper.goto(f"{robot.platform}/app/wiki/{wiki.slug}")
    expect(keeper.get_by_text("git clone")).to_have_count(0)


def test_pages_about_tokens(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    wiki = make_wiki()
    agents = f"{robot.platform}/app/wiki/{wiki.slug}/agents"
    keeper.goto(agents)
    keeper.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert_good(keeper)
    keeper.get_by_role("textbox", name="Name").fill(LONG[:60])
    keeper.get_by_role("button", name="Make token").click()
    expect(keeper.get_by_text("It is shown this once")).to_be_visible()
    assert_good(keeper)
    keeper.goto(agents)
    keeper.get_by_role("link", name=f"Revoke {LONG[:60]}").click()
    assert_good(keeper)


def test_pages_about_connections(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    wiki = make_wiki()
    agents = f"{robot.platform}/app/wiki/{wiki.slug}/agents"
    connect(robot, wiki, "Claude", "read write", "https://claude.ai/callback")
    connect(robot, wiki, LONG, "read", "http://127.0.0.1:1/callback", prefix=f"{LONG}/{LONG}/", ended_at=1)
    keeper.goto(agents)
    expect(keeper.get_by_text("may mean that it was stolen")).to_be_visible()
    assert_good(keeper)
    keeper.get_by_role("textbox", name="Name").fill("Reporter")
    keeper.get_by_role("textbox", name="Only in the folder").fill(f"{LONG}/..")
    keeper.get_by_role("button", name="Make token").click()
    expect(keeper.locator("#token-folder-problem")).to_contain_text("A folder is written as")
    expect(keeper.get_by_role("textbox", name="Only in the folder")).to_have_value(f"{LONG}/..")
    assert_good(keeper)
    keeper.goto(agents)
    keeper.get_by_role("link", name="Revoke Claude").click()
    assert_good(keeper)
    keeper.get_by_role("button", name="Revoke connection").click()
    expect(keeper.get_by_role("status")).to_contain_text("The connection is revoked")


def test_set_ups_of_a_public_host(keeper: Page, robot: Robot) -> None:
    """With signing in, buttons and a token for each agent, which a host under `.localhost` does not offer."""
    parts = '{% extends "app.html" %}{% from "parts.html" import setups %}{% block title %}Agents{% endblock %}'
    template = parts + "{% block main %}<h1>Agents</h1>{{ setups(items) }}{% endblock %}"
    user = User("u", "ada", "Ada", is_operator=False, created=datetime.now(UTC))
    items = agent_setups("field-notes", "https://field-notes.example.org")
    body = _ENVIRONMENT.from_string(template).render(user=user, here="wikis", items=items)
    keeper.route("**/set-ups", lambda route: route.fulfill(body=body, content_type="text/html"))
    keeper.goto(f"{robot.platform}/set-ups")
    keeper.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    expect(keeper.get_by_role("link", name="Add to Cursor")).to_be_visible()
    assert_good(keeper)


def test_settings_and_pages_of_a_frozen_wiki(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    wiki = make_wiki()
    keeper.goto(f"{robot.platform}/app/wiki/{wiki.slug}/settings")
    keeper.get_by_role("textbox", name="Guidance for agents").fill("One page a bird.\n\nLeave Archive/ alone.")
    keeper.get_by_role("button", name="Save settings").click()
    expect(keeper.get_by_role("textbox", name="Guidance for agents")).to_have_value(
        "One page a bird.\n\nLeave Archive/ alone."
    )
    with closing(sqlite3.connect(DataDir(robot.data).robot_db)) as db, db:
        db.execute("UPDATE wikis SET frozen_at = 1 WHERE slug = ?", (wiki.slug,))
    keeper.goto(f"{robot.platform}/app/wiki/{wiki.slug}")
    expect(keeper.get_by_text("Read-only by the operator")).to_be_visible()
    assert_good(keeper)


def test_pages_that_say_what_went_wrong(robot: Robot, stranger: Page) -> None:
    """As any host of ours sends them; waking and broken wikis are no state to wait for here."""
    pages = {
        "403": render_error(403, "Refused", "A form or script of another site sent this request."),
        "503": render_error(503, "This wiki is out of order", f"{LONG} keeps failing to start."),
        "waking": render_waking(LONG, 600),
        "notice": render_notice("You are signed out", "For now.", [("Sign out everywhere", "/x"), ("Back", "/")]),
    }

    def answer(route: Route) -> None:
        route.fulfill(body=pages[route.request.url.rpartition("/")[2]], content_type="text/html")

    stranger.route(f"{robot.platform}/*", answer)
    for name in pages:
        stranger.goto(f"{robot.platform}/{name}")
        # Reloading is what the waking page is for, and there is nothing in it to lose (WCAG 2.2.1, "essential").
        assert_good(stranger, allowed="meta-refresh" if name == "waking" else None)


def test_what_robot_adds_to_a_wiki_page(robot: Robot, keeper: Page, stranger: Page) -> None:
    """Otter Wiki's own pages are as they are; our links have plain names and are no worse than their neighbours."""
    stranger.goto(f"{robot.wiki}/Home")
    sign_in = stranger.get_by_role("link", name="Sign in", exact=True)
    expect(sign_in).to_be_visible()
    keeper.goto(f"{robot.wiki}/auth/start?next=/Home")
    expect(keeper.get_by_role("link", name="Wiki and agents", exact=True)).to_be_visible()
    expect(keeper.get_by_role("button", name="Sign out", exact=True)).to_be_visible()
    for page in (stranger, keeper):
        # Landmarks, which best practice asks for, are the surrounding page's.
        found = Axe().run(page, options=RULES | {"runOnly": WCAG}).response["violations"]
        ours = [
            (each["id"], node["html"])
            for each in found
            for node in each["nodes"]
            if "/auth/" in node["html"] or robot.platform in node["html"]
        ]
        assert not ours


def test_page_between_sign_in_and_wiki(robot: Robot, keeper: Page) -> None:
    """It goes on by itself; on a slow line somebody sees it."""
    body = render("continue.html", user=None, domain="robot.localhost", next="/").replace("http-equiv=", "name=")
    keeper.route("**/auth/continue", lambda route: route.fulfill(body=body, content_type="text/html"))
    keeper.goto(f"{robot.platform}/auth/continue")
    expect(keeper.get_by_role("heading", level=1)).to_have_text("You are signed in")
    assert_good(keeper)
