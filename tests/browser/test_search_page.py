"""The search page of a wiki: by keyboard, without JavaScript, in both suits, on a phone; and what an old name shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import MadeWiki, NewContext, write_page
from tests.browser.test_platform_accessible import RULES
from tests.harness import Robot

pytestmark = pytest.mark.browser

LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung" * 2
HARBOUR = f"# Harbour\n\n{'The pilot waits. ' * 200}\n\n## Crane\n\nThe crane <b>lifts</b> {LONG}.\n"


@pytest.fixture
def wiki(robot: Robot, make_wiki: Callable[..., MadeWiki]) -> MadeWiki:
    made = make_wiki("unlisted")
    write_page(robot, made, "Guides/Harbour", HARBOUR)
    write_page(robot, made, "Crane", "A crane, and one more crane.\n")
    return made


def test_a_search_by_keyboard_leads_to_the_section(wiki: MadeWiki, stranger: Page) -> None:
    stranger.goto(f"{wiki.origin}/Home")
    stranger.locator("#search-query").fill("crane lifts")
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_role("status")).to_have_text("2 pages found.")
    expect(stranger.locator("mark").first).to_have_text("Crane")
    stranger.get_by_role("searchbox", name="Search this wiki").fill("crane path:Guides/")
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_role("status")).to_have_text("1 page found.")
    stranger.get_by_role("link", name="Harbour").focus()
    stranger.keyboard.press("Enter")
    stranger.wait_for_url(f"{wiki.origin}/Guides/Harbour#crane")
    expect(stranger.locator("h2#crane")).to_be_in_viewport()


def test_it_needs_no_script(wiki: MadeWiki, new_context: NewContext) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(f"{wiki.origin}/-/search")
    page.get_by_role("searchbox").fill("^The crane .* ?lifts")
    page.get_by_label("Regular expression").check()
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("status")).to_have_text("1 page found.")
    expect(page.get_by_label("Regular expression")).to_be_checked()
    page.get_by_text("What you can ask for").click()
    expect(page.get_by_text("pages without it", exact=True)).to_be_visible()


@pytest.mark.parametrize("suit", ["light", "dark"])
def test_it_is_readable_in_both_suits_and_on_a_phone(wiki: MadeWiki, new_context: NewContext, suit: str) -> None:
    context = new_context(reduced_motion="reduce")
    mode = {"name": "halfmoon_preferredMode", "value": f"{suit}-mode", "url": wiki.origin}
    context.add_cookies([mode])  # type: ignore[list-item]
    page = context.new_page()
    for query, width in (("crane lifts", 375), ("crane&is_casesensitive=y", 1280), ("((&is_regexp=y", 320)):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{wiki.origin}/-/search?query={query}")
        page.locator("details").evaluate("each => { each.open = true; }")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found: list[dict[str, Any]] = Axe().run(page, ".robot-search", options=RULES).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


def test_an_old_name_leads_to_the_page(robot: Robot, wiki: MadeWiki, stranger: Page) -> None:
    with robot.agent(wiki.token, wiki.origin) as agent:
        assert agent.post("/api/v1/pages/Crane/rename", json={"new_path": "Derrick"}).status_code == 200
    stranger.goto(f"{wiki.origin}/Crane")
    stranger.wait_for_url(f"{wiki.origin}/Derrick")
    expect(stranger.locator(".page")).to_contain_text("one more crane")
    stranger.goto(f"{wiki.origin}/Crane?redirect=no")
    stranger.locator(".page").get_by_role("link", name="Derrick").click()
    stranger.wait_for_url(f"{wiki.origin}/Derrick")
