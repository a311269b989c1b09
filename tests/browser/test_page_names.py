"""A page that an agent may write, a person can open: one naming rule for all doors."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MadeWiki, read_page, write_page
from tests.harness import Robot

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    "name",
    [
        "50% off",
        "100%25",
        "Städte/Zürich",
        "a & b; c, d",
        "<b>bold</b>",
        "😀",
        "C# notes",
        "Why?",
        "Node.js 22.1",
        "Foo/history",
    ],
)
def test_every_name_opens(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki], name: str) -> None:
    wiki = make_wiki("unlisted")
    write_page(robot, wiki, quote(name), "Found me.")
    answer = keeper.goto(f"{wiki.origin}/{quote(name)}")
    assert answer is not None
    assert answer.status == 200
    expect(keeper.locator(".page")).to_contain_text("Found me.", timeout=2_000)


def test_names_that_differ_in_a_dot_are_two_pages(
    robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]
) -> None:
    wiki = make_wiki("unlisted")
    write_page(robot, wiki, "v12", "Twelve.")
    write_page(robot, wiki, "v1.2", "One point two.")
    keeper.goto(f"{wiki.origin}/v1.2")
    expect(keeper.locator(".page")).to_contain_text("One point two.", timeout=2_000)


def test_an_odd_page_is_edited_where_it_is(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    """Edit, save and history of a page whose name reads like something else; its namesakes stay as they were."""
    wiki = make_wiki("private")
    write_page(robot, wiki, "v12", "Twelve.")
    write_page(robot, wiki, "Foo", "Foo itself.")
    for name in ("v1.2", "Foo/history"):
        write_page(robot, wiki, quote(name, safe=""), "Before.")
        keeper.goto(f"{wiki.origin}/{quote(name)}?edit")
        editor = keeper.locator(".cm-content")
        editor.click()
        editor.press("Control+a")
        keeper.keyboard.insert_text("After.")
        keeper.get_by_title("Save", exact=True).click()
        keeper.locator("#commit-message").fill("Changed")
        with keeper.expect_navigation():  # the form has a `.page` too, for its preview
            keeper.locator("#saveform input[type=submit]").click()
        expect(keeper.locator(".page")).to_contain_text("After.")
        assert text_of(robot, wiki, name) == "After."
    assert text_of(robot, wiki, "v12") == "Twelve."
    assert text_of(robot, wiki, "Foo") == "Foo itself."


def text_of(robot: Robot, wiki: MadeWiki, name: str) -> str:
    status, page = read_page(robot, wiki, quote(name, safe=""))
    assert status == 200
    return str(page["content"]).strip()


def test_links_lead_to_odd_pages(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    wiki = make_wiki("unlisted")
    # Not `C# notes` nor `Why?`: in a wikilink `#` begins an anchor and `?` a query.
    names = ["50% off", "Städte/Zürich", "v1.2"]
    for name in names:
        write_page(robot, wiki, quote(name), f"This is {name}.")
    write_page(robot, wiki, "Index", "\n".join(f"- [[{name}]]" for name in names))
    for name in names:
        keeper.goto(f"{wiki.origin}/Index")
        keeper.locator(".page").get_by_role("link", name=name, exact=True).click()
        expect(keeper.locator(".page")).to_contain_text(f"This is {name}.")
