"""The platform's pages, in both suits and both widths: WCAG 2.2 AA as far as a machine can tell, nothing cut off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import MadeWiki, NewContext
from tests.harness import Robot

pytestmark = pytest.mark.browser

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def assert_good(page: Page) -> None:
    found: list[dict[str, Any]] = Axe().run(page, options=RULES).response["violations"]
    assert not [(each["id"], each["nodes"][0]["html"]) for each in found], page.url
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"wider than the window: {page.url}"


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("suit", ["light", "dark"])
def test_pages_can_be_read_and_used_by_everybody(
    robot: Robot, new_context: NewContext, make_wiki: Callable[..., MadeWiki], suit: str, width: int
) -> None:
    wiki = make_wiki()
    page = new_context(color_scheme=suit, viewport={"width": width, "height": 800}).new_page()
    for path in ("/", "/auth/login", "/auth/link?token=used", "/nothing-here"):
        page.goto(robot.platform + path)
        assert_good(page)
    page.goto(robot.login_link())
    for path in ("/app/", "/app/create", f"/app/wiki/{wiki.slug}?created=1", f"/app/wiki/{wiki.slug}/agents"):
        page.goto(robot.platform + path)
        assert_good(page)
    page.get_by_role("textbox", name="Name").fill("Claude Code")
    page.get_by_role("button", name="Make token").click()
    page.get_by_text("It is shown this once").wait_for()
    assert_good(page)
    page.goto(f"{robot.platform}/app/create")
    page.get_by_role("textbox", name="Name").fill("Admin")
    page.get_by_text("is reserved").wait_for()
    page.get_by_role("button", name="Create wiki").click()
    page.get_by_role("alert").wait_for()
    assert_good(page)
