"""Two editors open one page: what can be merged is, and the rest is asked about with both texts on the page."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MadeWiki, read_page, write_page
from tests.browser.test_platform_accessible import assert_good
from tests.harness import Robot, robot_command

pytestmark = pytest.mark.browser

TEXT = "# Plan\n\none\n\ntwo\n\nthree\n"


@pytest.fixture
def wiki(robot: Robot, make_wiki: Callable[..., MadeWiki]) -> MadeWiki:
    made = make_wiki()
    write_page(robot, made, "Plan", TEXT)
    return made


def open_editor(page: Page, wiki: MadeWiki) -> None:
    page.goto(f"{wiki.origin}/Plan?edit")
    expect(page.locator(".cm-content")).to_contain_text("three")


def save_text(page: Page, text: str) -> None:
    editor = page.locator(".cm-content")
    editor.click()
    editor.press("Control+a")
    page.keyboard.insert_text(text)
    page.get_by_title("Save", exact=True).click()
    page.locator("#commit-message").fill("Changed")
    with page.expect_navigation():
        page.locator("#saveform input[type=submit]").click()


def content(robot: Robot, wiki: MadeWiki) -> str:
    return str(read_page(robot, wiki, "Plan")[1]["content"])


def test_changes_in_different_places_are_merged(robot: Robot, keeper: Page, wiki: MadeWiki) -> None:
    open_editor(keeper, wiki)
    keeper.get_by_title("Preview", exact=True).click()
    expect(keeper.locator("#preview_block")).to_contain_text("three")
    keeper.locator("#editor_btn").click()
    write_page(robot, wiki, "Plan", TEXT.replace("three", "3"))
    save_text(keeper, TEXT.replace("one", "1"))
    expect(keeper).to_have_url(f"{wiki.origin}/Plan")
    expect(keeper.get_by_text("Merged with what")).to_be_visible()
    assert content(robot, wiki) == "# Plan\n\n1\n\ntwo\n\n3\n"


def test_two_editors_of_one_line(robot: Robot, keeper: Page, wiki: MadeWiki) -> None:
    other = keeper.context.new_page()
    open_editor(keeper, wiki)
    open_editor(other, wiki)
    save_text(other, TEXT.replace("two", "second"))
    expect(other).to_have_url(f"{wiki.origin}/Plan")
    save_text(keeper, TEXT.replace("two", "zwei\n\n" + "lang " * 60))
    expect(keeper.get_by_role("heading", level=1)).to_have_text("This page was changed while you wrote")
    expect(keeper.get_by_label("Your text", exact=True)).to_contain_text("zwei")
    expect(keeper.get_by_label("The text that was saved meanwhile")).to_contain_text("second")
    assert_good(keeper)
    _take_pictures(keeper)
    keeper.get_by_role("button", name="Save this draft").click()
    expect(keeper.get_by_role("heading", level=1)).to_have_text("There are still marks in the text")
    keeper.get_by_label("Draft").fill(TEXT.replace("two", "second and zwei"))
    keeper.get_by_role("button", name="Save this draft").click()
    expect(keeper).to_have_url(f"{wiki.origin}/Plan")
    assert content(robot, wiki) == TEXT.replace("two", "second and zwei")


def test_somebody_who_was_signed_out_keeps_the_text(robot: Robot, keeper: Page, wiki: MadeWiki) -> None:
    open_editor(keeper, wiki)
    cookies = keeper.context.cookies(wiki.origin)
    keeper.context.clear_cookies(domain=wiki.origin.split("/")[2].split(":")[0])
    save_text(keeper, TEXT.replace("two", "zwei"))
    expect(keeper.get_by_label("Draft")).to_contain_text("zwei")
    assert_good(keeper)
    keeper.context.add_cookies(cookies)  # type: ignore[arg-type]  # what it gave is what it takes
    keeper.get_by_role("button", name="Save this draft").click()
    expect(keeper).to_have_url(f"{wiki.origin}/Plan")
    assert content(robot, wiki) == TEXT.replace("two", "zwei")


def test_a_text_that_does_not_fit_into_the_wiki_is_kept_and_saved_shortened(
    robot: Robot, keeper: Page, wiki: MadeWiki
) -> None:
    open_editor(keeper, wiki)
    grant = ["wiki", "quota", wiki.slug, "--mebibytes", "0"]
    assert robot_command(*grant, data=robot.data, port=robot.port).returncode == 0
    save_text(keeper, TEXT + "lang " * 60)
    expect(keeper.get_by_role("heading", level=1)).to_have_text("The wiki is full")
    expect(keeper.get_by_label("Draft")).to_contain_text("lang lang")
    assert_good(keeper)
    keeper.get_by_label("Draft").fill(TEXT.replace("two", "2"))
    keeper.get_by_role("button", name="Save this draft").click()
    expect(keeper).to_have_url(f"{wiki.origin}/Plan")
    assert content(robot, wiki) == TEXT.replace("two", "2")


def _take_pictures(page: Page) -> None:
    """For whoever wants to look at it: ROBOT_TEST_PICTURES names a directory."""
    place = os.environ.get("ROBOT_TEST_PICTURES")
    if not place:
        return
    for name, scheme, width in (("light", "light", 1280), ("dark", "dark", 1280), ("phone", "light", 375)):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size({"width": width, "height": 800})
        page.screenshot(path=str(Path(place) / f"conflict-{name}.png"), full_page=True)
