"""The platform's pages, in both suits and widths: WCAG 2.2 AA as far as a machine can tell, nothing cut off."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect

from robot.model import User
from robot.web.page import _ENVIRONMENT, render
from robot.web.setups import agent_setups
from tests.browser.conftest import MadeWiki
from tests.browser.screens import DESKTOP, PHONE, SCREENS, Screen
from tests.browser.stage import LONG, Browsers, make_stage
from tests.harness import Robot

pytestmark = pytest.mark.browser

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RULES = {"runOnly": [*WCAG, "best-practice"], "rules": {"target-size": {"enabled": True}}}
# Of a part of a page: landmarks and headings, which best practice asks for, are the surrounding page's.
RULES_OF_A_PART = RULES | {"runOnly": WCAG}
# Colours do not depend on the width, nor anything else on the suit, so two looks see all of it.
LOOKS: tuple[tuple[Literal["light", "dark"], int], ...] = (("light", DESKTOP), ("dark", PHONE))
NARROW = 320


def violations(page: Page, selector: str, rules: dict[str, Any]) -> list[tuple[str, str]]:
    """What axe finds in that part of the page: rules and the HTML that breaks them."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(f"axe.run({json.dumps(selector)}, {json.dumps(rules | {'resultTypes': ['violations']})})")
    return [(each["id"], node["html"]) for each in found["violations"] for node in each["nodes"]]


def assert_good(page: Page, *, allowed: str | None = None, part: str = "html") -> None:
    """No violation in light nor dark, wide nor narrow, and no sideways scrolling down to 320 px (WCAG 1.4.10)."""
    rules = RULES if part == "html" else RULES_OF_A_PART
    for suit, width in LOOKS:
        page.emulate_media(color_scheme=suit, reduced_motion="reduce")
        if part != "html":  # Otter Wiki goes by a class
            page.evaluate("isDark => document.body.classList.toggle('dark-mode', isDark)", suit == "dark")
        assert_fits(page, width)
        problems = [each for each in violations(page, part, rules) if each[0] != allowed]
        assert not problems, f"{page.url} in {suit} at {width} px"
    assert_fits(page, NARROW)


def assert_fits(page: Page, width: int) -> None:
    """Nothing is wider than a window of that many pixels, which it has from now on."""
    page.set_viewport_size({"width": width, "height": 800})
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"{page.url} is {wide} px wide in a window of {width}"


@pytest.fixture(scope="module")
def browsers(robot: Robot, chromium: Browser, make_wiki: Callable[..., MadeWiki]) -> Any:
    made = Browsers(chromium, make_stage(robot, make_wiki))
    yield made
    made.close()


@pytest.mark.parametrize("screen", [screen for screen in SCREENS if screen.judged], ids=lambda screen: screen.name)
def test_screen(browsers: Browsers, screen: Screen) -> None:
    page = screen.show(browsers)
    assert_good(page, allowed=screen.allowed, part="html" if screen.judged == "body" else screen.judged)
    page.set_viewport_size({"width": DESKTOP, "height": 800})


def test_settings_keep_what_was_typed(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    wiki = make_wiki()
    keeper.goto(f"{robot.platform}/app/wiki/{wiki.slug}/settings")
    keeper.get_by_role("textbox", name="Name").fill(" ")
    keeper.get_by_role("textbox", name="What it is about").fill(f"{LONG}{LONG}")
    keeper.get_by_role("textbox", name="Guidance for agents").fill("One page a bird.\n\nLeave Archive/ alone.")
    keeper.get_by_role("radio", name="Public").check()
    keeper.get_by_role("checkbox", name="Clone, fetch and push with git").uncheck()
    keeper.get_by_role("button", name="Save settings").click()
    expect(keeper.get_by_role("alert")).to_be_visible()
    expect(keeper.get_by_role("textbox", name="What it is about")).to_have_value(f"{LONG}{LONG}")
    expect(keeper.get_by_role("radio", name="Public")).to_be_checked()
    expect(keeper.get_by_role("checkbox", name="Clone, fetch and push with git")).not_to_be_checked()
    keeper.get_by_role("textbox", name="Name").fill(LONG)
    keeper.get_by_role("button", name="Save settings").click()
    expect(keeper.get_by_role("status")).to_contain_text("in force")
    expect(keeper.get_by_role("textbox", name="Guidance for agents")).to_have_value(
        "One page a bird.\n\nLeave Archive/ alone."
    )
    keeper.goto(f"{robot.platform}/app/wiki/{wiki.slug}")
    expect(keeper.get_by_text("git clone")).to_have_count(0)


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


def test_what_robot_adds_to_a_wiki_page(robot: Robot, keeper: Page, stranger: Page) -> None:
    """Otter Wiki's own pages are as they are; our links have plain names and are no worse than their neighbours."""
    stranger.goto(f"{robot.wiki}/Home")
    sign_in = stranger.get_by_role("link", name="Sign in", exact=True)
    expect(sign_in).to_be_visible()
    keeper.goto(f"{robot.wiki}/auth/start?next=/Home")
    expect(keeper.get_by_role("link", name="Wiki and agents", exact=True)).to_be_visible()
    expect(keeper.get_by_role("button", name="Sign out", exact=True)).to_be_visible()
    for page in (stranger, keeper):
        found = violations(page, "html", RULES_OF_A_PART)
        assert not [each for each in found if "/auth/" in each[1] or robot.platform in each[1]]


def test_page_between_sign_in_and_wiki(robot: Robot, keeper: Page) -> None:
    """It goes on by itself; on a slow line somebody sees it."""
    body = render("continue.html", user=None, domain="robot.localhost", next="/").replace("http-equiv=", "name=")
    keeper.route("**/auth/continue", lambda route: route.fulfill(body=body, content_type="text/html"))
    keeper.goto(f"{robot.platform}/auth/continue")
    expect(keeper.get_by_role("heading", level=1)).to_have_text("You are signed in")
    assert_good(keeper)
