"""The dashboard's search over all wikis, and the live progress of an index, as a person meets them."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MadeWiki, NewContext, link_for, new_slug, write_page
from tests.browser.stage import LONG
from tests.browser.test_platform_accessible import assert_good
from tests.harness import Robot, robot_command

pytestmark = pytest.mark.browser

QUESTION = "How much paid leave do workers get?"
PAGE = f"# Vacations\n\n{LONG}\n\n## Days off\n\nEmployees may take thirty days off each year.\n"
PAGES = 300  # some ten seconds' work, of which a test sees the first
DEADLINE_S = 60


def wait_for_index(script: httpx2.Client, enough: Callable[[dict[str, Any]], bool]) -> None:
    """Ask until it is so; no door announces how far an index is."""
    deadline = time.monotonic() + DEADLINE_S
    while not enough(status := script.get("/api/v1/reindex/status").json()):
        assert time.monotonic() < deadline, status


@pytest.fixture(scope="module")
def leave(robot: Robot, make_wiki: Callable[..., MadeWiki]) -> MadeWiki:
    """A private wiki of a long name, indexed, with a page that answers the question in other words."""
    slug = new_slug()
    wiki = make_wiki(slug=slug, name=f"Wiki {slug} {LONG[:55]}")
    write_page(robot, wiki, "Office/Vacations", PAGE)
    with robot.agent(wiki.token, wiki.origin) as script:
        wait_for_index(script, lambda status: status["pages_indexed"] == status["pages_total"])
    return wiki


@pytest.fixture
def big(robot: Robot, make_wiki: Callable[..., MadeWiki], tmp_path: Path) -> MadeWiki:
    """A wiki that takes a while to index, and of which nothing is indexed."""
    wiki = make_wiki()
    for number in range(PAGES):
        word = secrets.token_hex(4)  # no passage was ever embedded before
        (tmp_path / f"Page {number}.md").write_text(f"# Page {number}\n\nAbout {word} and the pump of {word}.\n" * 5)
    done = robot_command("import", wiki.slug, str(tmp_path), data=robot.data, port=robot.port)
    assert done.returncode == 0, done.stderr
    return wiki


def test_a_question_finds_the_section_in_one_of_many_wikis(robot: Robot, keeper: Page, leave: MadeWiki) -> None:
    keeper.goto(f"{robot.platform}/app/")
    keeper.keyboard.press("/")
    expect(keeper.get_by_role("searchbox", name="Search my wikis")).to_be_focused()
    keeper.keyboard.type(QUESTION)
    keeper.keyboard.press("Enter")
    expect(keeper.get_by_role("searchbox", name="Words, or a question")).to_have_value(QUESTION)
    hit = keeper.get_by_role("listitem").filter(has_text=f"Wiki {leave.slug}").filter(has_text="thirty days off")
    expect(hit).to_be_visible()
    expect(hit).to_contain_text("Office")
    assert_good(keeper)
    # The wiki is private and this browser was never there: it signs in on the way, and the section is not lost.
    hit.get_by_role("link").click()
    expect(keeper).to_have_url(re.compile(f"^{leave.origin}/Office/Vacations#(vacations|days-off)$"))
    expect(keeper.get_by_text("thirty days off")).to_be_visible()


def test_it_works_without_javascript(robot: Robot, new_context: NewContext, leave: MadeWiki) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(link_for(robot))
    page.get_by_role("searchbox", name="Search my wikis").fill('"thirty days"')
    page.get_by_role("button", name="Search").click()
    expect(page.locator("mark").filter(has_text="thirty days").first).to_be_visible()
    page.get_by_role("combobox", name="In").select_option(leave.slug)
    page.get_by_role("searchbox").fill('"thirty days" -employees')
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="Nothing was found")).to_be_visible()
    page.get_by_role("link", name="Search all my wikis").click()
    expect(page.get_by_role("combobox", name="In")).to_have_value("")
    page.get_by_role("searchbox").fill("thirty days")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=f"Search in Wiki {leave.slug}").click()
    expect(page.get_by_role("link", name="Vacations").first).to_be_visible()
    assert page.url.startswith(f"{leave.origin}/-/search")


def test_search_pages_with_little_on_them(robot: Robot, keeper: Page, stranger: Page, leave: MadeWiki) -> None:
    for query in ("", f"?q={LONG}+-a&wiki={leave.slug}"):
        keeper.goto(f"{robot.platform}/app/search{query}")
        assert_good(keeper)
    stranger.goto(link_for(robot, "newcomer"))
    stranger.goto(f"{robot.platform}/app/search?q=x")
    expect(stranger.get_by_role("heading", name="There is nothing to search yet")).to_be_visible()
    assert_good(stranger)


def test_a_link_of_a_wikis_page_is_not_searched_before_the_person_says_so(
    robot: Robot, keeper: Page, leave: MadeWiki
) -> None:
    keeper.goto(f"{robot.wiki}/Home")
    keeper.evaluate("address => { location.href = address; }", f"{robot.platform}/app/search?q=thirty")
    expect(keeper.get_by_role("status")).to_contain_text("Nothing was searched yet")
    assert_good(keeper)
    keeper.get_by_role("button", name="Search").click()
    expect(keeper.locator("mark").filter(has_text="thirty").first).to_be_visible()


def test_progress_moves_by_itself_and_ends_without_a_reload(robot: Robot, keeper: Page, big: MadeWiki) -> None:
    keeper.goto(f"{robot.platform}/app/wiki/{big.slug}")
    panel = keeper.locator("#index")
    expect(panel).to_contain_text("knows no page yet")
    panel.get_by_role("button", name="Build the index anew").click()
    bar = keeper.get_by_role("progressbar", name="How far it is")
    expect(bar).to_be_visible()
    keeper.evaluate("window.stayed = true")
    expect(bar).not_to_have_attribute("value", "0")
    expect(panel).to_contain_text("known.")
    panel.get_by_role("button", name="Cancel").focus()
    with robot.agent(big.token, big.origin) as script:
        assert script.delete("/api/v1/reindex").json() == {"status": "cancelled"}
    expect(bar).to_have_count(0)
    expect(panel).to_contain_text("by words all can be found. The others follow")
    expect(keeper.locator("#index-news")).to_contain_text("Search by meaning knows")
    expect(panel.get_by_role("heading", name="Search index")).to_be_focused()
    assert keeper.evaluate("window.stayed")

    panel.get_by_role("button", name="Build the index anew").click()
    expect(bar).to_be_visible()
    assert_good(keeper)
    panel.get_by_role("button", name="Cancel").click()
    expect(panel).to_contain_text("Cancelled.")
    with robot.agent(big.token, big.origin) as script:
        wait_for_index(script, lambda status: status["status"] == "idle")


def test_progress_reloads_by_itself_where_there_is_no_script(
    robot: Robot, new_context: NewContext, big: MadeWiki
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(link_for(robot))
    page.goto(f"{robot.platform}/app/wiki/{big.slug}")
    page.get_by_role("button", name="Build the index anew").click()
    expect(page).to_have_url(re.compile(r"\?look=1#index$"))
    with robot.agent(big.token, big.origin) as script:
        script.delete("/api/v1/reindex")
    expect(page.locator("#index")).to_contain_text("by words all", timeout=15_000)
