"""What an agent did is looked at and undone, without a script; the pages on the way are good to read."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MadeWiki, NewContext, link_for, write_page
from tests.browser.test_platform_accessible import assert_good
from tests.harness import Robot

pytestmark = pytest.mark.browser


def test_an_agents_changes_are_undone_without_javascript(
    robot: Robot, keeper: Page, new_context: NewContext, make_wiki: Callable[..., MadeWiki]
) -> None:
    page, wiki = new_context(java_script_enabled=False).new_page(), make_wiki()
    activity = f"{robot.platform}/app/wiki/{wiki.slug}/activity"
    keeper.goto(activity)
    expect(keeper.get_by_role("heading", name="No agent has done anything here yet")).to_be_visible()
    write_page(robot, wiki, "Plan", "# Plan\n\nFrom the agent.\n")
    write_page(robot, wiki, "Home", "# Replaced\n")

    page.goto(link_for(robot))
    page.goto(f"{robot.platform}/app/wiki/{wiki.slug}")
    page.get_by_role("link", name="Activity", exact=True).click()
    expect(page.get_by_role("link", name="Create: Plan")).to_be_visible()
    page.get_by_label("Show", exact=True).select_option("Calls of agents")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("row", name=re.compile(r"write page in revision \w+ over REST"))).to_have_count(2)
    keeper.goto(activity)
    assert_good(keeper)
    page.get_by_label("When").select_option("in the last hour")
    page.get_by_role("button", name="Show what would be undone").click()
    expect(page.get_by_label("What changes in Plan")).to_contain_text("-From the agent.")
    keeper.goto(page.url)
    assert_good(keeper)
    page.get_by_role("button", name="Undo these 2 pages").click()
    expect(page.get_by_role("status")).to_contain_text("It is done")
    page.get_by_role("link", name="Look at the change").click()
    expect(page.get_by_text("Undo what Keeper changed with “test”").first).to_be_visible()
    page.goto(f"{wiki.origin}/Home/history")
    expect(page.locator("td", has_text="Keeper (test)").first).to_contain_text("agent")
    expect(page.locator("td .badge", has_text="agent")).to_have_count(1)
