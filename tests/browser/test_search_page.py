"""The search page of a wiki: by meaning, by keyboard, without JavaScript, in both suits, on a phone, printed."""

from __future__ import annotations

import re
import time
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
HARBOUR = (
    f"---\ntags: [sea]\ncategory: guide\n---\n# Harbour\n\n{'The pilot waits. ' * 200}\n\n"
    f"## Crane\n\nThe crane <b>lifts</b> {LONG}.\n"
)
# None of its words are in the question below.
BREWING = (
    "# Brewing\n\n## Steeping\n\nLeaves left in hot water for many minutes release tannins, which turn the cup harsh.\n"
)
QUESTION = "why does my tea taste bitter"
INDEXED_WITHIN_S = 60
STATE = ".robot-search [role=status]"


@pytest.fixture(scope="module")
def wiki(robot: Robot, make_wiki: Callable[..., MadeWiki]) -> MadeWiki:
    made = make_wiki("unlisted")
    write_page(robot, made, "Guides/Harbour", HARBOUR)
    write_page(robot, made, "Guides/Brewing", BREWING)
    write_page(robot, made, "Crane", "A crane, and one more crane.\n")
    wait_until_indexed(robot, made)
    return made


def wait_until_indexed(robot: Robot, wiki: MadeWiki) -> None:
    with robot.agent(wiki.token, wiki.origin) as agent:
        agent.get("/api/v1/find", params={"q": "crane"})  # a wiki is indexed when it is first searched
        deadline = time.monotonic() + INDEXED_WITHIN_S
        while (status := agent.get("/api/v1/reindex/status").json())["pages_indexed"] < status["pages_total"]:
            assert time.monotonic() < deadline, status
            time.sleep(0.05)  # nothing announces it


def test_a_question_finds_the_section_that_has_none_of_its_words(wiki: MadeWiki, stranger: Page) -> None:
    stranger.goto(f"{wiki.origin}/Home")
    stranger.locator("#search-query").fill(QUESTION)
    stranger.keyboard.press("Enter")
    first = stranger.locator(".robot-search ol > li").first
    expect(first.locator(".place")).to_have_text("Guides › Brewing › Steeping")
    expect(first).to_contain_text("release tannins")
    expect(first).to_contain_text(re.compile(r"Changed \d{4}-\d\d-\d\d"))
    first.get_by_role("link").click()
    stranger.wait_for_url(f"{wiki.origin}/Guides/Brewing#steeping")
    expect(stranger.locator("h2#steeping")).to_be_in_viewport()


def test_a_search_by_keyboard_leads_to_the_section(wiki: MadeWiki, stranger: Page) -> None:
    stranger.goto(f"{wiki.origin}/-/search?query=x")
    stranger.locator("body").press("/")
    expect(stranger.get_by_role("searchbox")).to_be_focused()
    stranger.keyboard.press("Control+A")
    stranger.keyboard.type('"crane"')
    stranger.keyboard.press("Enter")
    expect(stranger.locator(STATE)).to_have_text("2 results.")
    expect(stranger.locator("mark").first).to_have_text(re.compile("crane", re.IGNORECASE))
    stranger.locator("body").press("/")
    results = stranger.locator(".robot-search h2 a")
    for _ in range(3):
        stranger.keyboard.press("ArrowDown")
    expect(results.nth(1)).to_be_focused()  # there is nothing below the last
    stranger.keyboard.press("ArrowUp")
    expect(results.nth(0)).to_be_focused()
    stranger.keyboard.press("Tab")
    expect(results.nth(1)).to_be_focused()
    harbour = results.filter(has_text="Harbour")
    harbour.focus()
    expect(harbour).to_have_css("outline-style", "solid")
    stranger.keyboard.press("Enter")
    stranger.wait_for_url(f"{wiki.origin}/Guides/Harbour#crane")
    expect(stranger.locator("h2#crane")).to_be_in_viewport()


def test_it_needs_no_script(wiki: MadeWiki, new_context: NewContext) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(f"{wiki.origin}/-/search")
    page.get_by_label("Tag").select_option("sea")
    page.get_by_label("Folder").select_option(label="Guides/ (2)")
    page.get_by_label("From each page").select_option("3")
    page.get_by_role("searchbox").fill("crane")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".place").first).to_contain_text("Guides › Harbour")
    expect(page.get_by_label("Tag")).to_have_value("sea")
    expect(page.locator(".robot-search h2").filter(has_text="Brewing")).to_have_count(0)
    page.get_by_role("link", name="tag sea").click()
    expect(page.get_by_label("Tag")).to_have_value("")
    expect(page.get_by_label("Folder")).to_have_value("Guides/")
    page.get_by_role("searchbox").fill("^The crane .* ?lifts")
    page.get_by_label("Regular expression").check()
    page.get_by_role("button", name="Search").click()
    expect(page.locator(STATE)).to_have_text("1 result.")
    expect(page.get_by_label("Regular expression")).to_be_checked()
    page.get_by_text("What you can ask for").click()
    expect(page.get_by_text("pages without it", exact=True)).to_be_visible()


def test_nothing_found_says_what_next(wiki: MadeWiki, stranger: Page) -> None:
    stranger.goto(f"{wiki.origin}/-/search?query=%22walrus%22&tag=sea&mode=words")
    expect(stranger.locator(STATE)).to_have_text("Nothing was found.")
    stranger.get_by_role("link", name="tag sea").click()
    expect(stranger.locator(STATE)).to_have_text("Nothing was found.")
    expect(stranger.get_by_role("link", name="tag sea")).to_have_count(0)
    stranger.get_by_role("link", name="Look through all pages").click()
    stranger.wait_for_url(f"{wiki.origin}/-/index")


def test_a_page_leads_to_those_that_are_like_it(wiki: MadeWiki, stranger: Page) -> None:
    stranger.goto(f"{wiki.origin}/Crane")
    stranger.get_by_role("link", name="Similar pages").click()
    expect(stranger.get_by_role("heading", name="Pages similar to Crane")).to_be_visible()
    expect(stranger.locator(".place").first).to_contain_text("Guides › Harbour")
    expect(stranger.locator(".robot-search h2 a[href='/Crane']")).to_have_count(0)


@pytest.mark.parametrize("suit", ["light", "dark"])
def test_it_is_readable_in_both_suits_and_on_a_phone(wiki: MadeWiki, new_context: NewContext, suit: str) -> None:
    context = new_context(reduced_motion="reduce")
    mode = {"name": "halfmoon_preferredMode", "value": f"{suit}-mode", "url": wiki.origin}
    context.add_cookies([mode])  # type: ignore[list-item]
    page = context.new_page()
    for query, width in (
        ("query=crane+lifts&tag=sea", 375),
        ("query=crane&is_casesensitive=y", 1280),
        ("query=((&is_regexp=y", 320),
        ("query=%22walrus%22&since=day", 375),
        ("like=Crane", 320),
    ):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{wiki.origin}/-/search?{query}")
        page.locator("details").evaluate_all("found => found.forEach(each => { each.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found: list[dict[str, Any]] = Axe().run(page, ".robot-search", options=RULES).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


def test_print_shows_results_without_the_form(wiki: MadeWiki, stranger: Page) -> None:
    stranger.goto(f"{wiki.origin}/-/search?query=crane")
    stranger.emulate_media(media="print")
    expect(stranger.get_by_role("searchbox")).to_be_hidden()
    expect(stranger.locator(".robot-search h2").first).to_be_visible()


def test_an_old_name_leads_to_the_page(robot: Robot, make_wiki: Callable[..., MadeWiki], stranger: Page) -> None:
    wiki = make_wiki("unlisted")
    write_page(robot, wiki, "Crane", "A crane, and one more crane.\n")
    with robot.agent(wiki.token, wiki.origin) as agent:
        assert agent.post("/api/v1/pages/Crane/rename", json={"new_path": "Derrick"}).status_code == 200
    stranger.goto(f"{wiki.origin}/Crane")
    stranger.wait_for_url(f"{wiki.origin}/Derrick")
    expect(stranger.locator(".page")).to_contain_text("one more crane")
    stranger.goto(f"{wiki.origin}/Crane?redirect=no")
    stranger.locator(".page").get_by_role("link", name="Derrick").click()
    stranger.wait_for_url(f"{wiki.origin}/Derrick")
