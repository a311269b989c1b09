"""The platform by keyboard alone: every action is reached, in the order it is read, and one sees where one is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MadeWiki, new_slug
from tests.harness import Robot

pytestmark = pytest.mark.browser

HERE = """() => {
  const here = document.activeElement;
  if (here === document.body) return null;
  const box = here.getBoundingClientRect(), style = getComputedStyle(here);
  return {
    name: (here.getAttribute("aria-label") || here.labels?.[0]?.innerText.split("\\n")[0] || here.textContent)
      .trim().replace(/\\s+/g, " "),
    visible: box.width > 0 && box.height > 0 && box.right > 0 && box.left < innerWidth
      && box.bottom > 0 && box.top < innerHeight,
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
  };
}"""


FRAME = ["Skip to content", "robot", "My wikis", "Create wiki", "Account", "Administration"]
FRAME += ["Search my wikis", "Search", "Sign out"]
MOST_STOPS = 400  # the dashboard has two for each wiki that other tests made


def tab_through(page: Page) -> list[str]:
    """Names of all stops of the Tab key, each of which must be seen and marked."""
    names: list[str] = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        here = page.evaluate(HERE)
        if here is None:
            return names
        assert here["visible"], here
        assert here["outlined"], here
        names.append(here["name"])
    raise AssertionError(f"no end: {names}")


def test_the_dashboard_in_order(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    wiki = make_wiki()
    keeper.goto(f"{robot.platform}/app/")
    names = tab_through(keeper)
    assert names[: len(FRAME) + 1] == [*FRAME, "Create wiki"]
    assert f"Wiki {wiki.slug}" in names[len(FRAME) :]


def test_the_skip_link_skips(robot: Robot, keeper: Page) -> None:
    keeper.goto(f"{robot.platform}/app/")
    keeper.keyboard.press("Tab")
    expect(keeper.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    keeper.keyboard.press("Enter")
    keeper.keyboard.press("Tab")
    expect(keeper.get_by_role("main").get_by_role("link", name="Create wiki")).to_be_focused()


def test_a_wiki_is_made_without_a_mouse(robot: Robot, keeper: Page) -> None:
    slug = new_slug()
    keeper.goto(f"{robot.platform}/app/create")
    names = tab_through(keeper)
    assert names[len(FRAME) :] == ["Name", "Address", "What it is about (optional)", "Private", "Create wiki", "Cancel"]
    keeper.goto(f"{robot.platform}/app/create")
    for _ in range(len(FRAME) + 1):
        keeper.keyboard.press("Tab")
    keeper.keyboard.type("By hand")
    keeper.keyboard.press("Tab")
    keeper.keyboard.press("Control+A")
    keeper.keyboard.type(slug)
    keeper.keyboard.press("Tab")
    keeper.keyboard.press("Tab")
    keeper.keyboard.press("ArrowDown")
    expect(keeper.get_by_role("radio", name="Unlisted")).to_be_checked()
    keeper.keyboard.press("Tab")
    keeper.keyboard.press("Enter")
    expect(keeper).to_have_url(f"{robot.platform}/app/wiki/{slug}?created=1")
    expect(keeper.get_by_role("heading", level=1)).to_have_text("By hand")


def test_tokens_in_order(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    wiki = make_wiki()
    keeper.goto(f"{robot.platform}/app/wiki/{wiki.slug}/agents")
    names = tab_through(keeper)
    order = [names.index(name) for name in ("Open wiki", "Agents", "the MCP address", "Claude Code", "Revoke test")]
    order += [names.index(name) for name in ("Name", "Only in the folder (optional)", "Make token")]
    assert order == sorted(order)


def test_the_robot_menu_of_a_wiki(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    wiki = make_wiki()
    keeper.goto(f"{wiki.origin}/auth/start?next=/Home")
    menu = keeper.locator(".robot-menu")
    menu.locator("summary").focus()
    keeper.keyboard.press("Enter")
    expect(menu.get_by_text("Signed in as Keeper")).to_be_visible()
    names = ["Signed in as Keeper", "My wikis", "Overview", "Agents", "People", "Activity", "Settings", "Sign out"]
    for name in names:
        keeper.keyboard.press("Tab")
        expect(menu.get_by_text(name, exact=True)).to_be_focused()
    keeper.keyboard.press("Escape")
    expect(menu.get_by_text("Overview")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()
    keeper.keyboard.press("Enter")
    menu.get_by_text("Overview").click()
    expect(keeper).to_have_url(f"{robot.platform}/app/wiki/{wiki.slug}")


def test_on_paper_there_is_what_one_reads(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    wiki = make_wiki()
    keeper.goto(f"{robot.platform}/app/wiki/{wiki.slug}/agents")
    keeper.emulate_media(media="print")
    for ways in ("banner", "navigation", "button", "form"):
        expect(keeper.get_by_role(ways)).to_have_count(0)
    expect(keeper.get_by_role("heading", level=1)).to_be_visible()
    expect(keeper.get_by_label("the MCP address")).to_be_visible()
