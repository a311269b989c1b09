"""The operator freezes a wiki while somebody types: the text is given back, and the wiki says that it is read-only."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from playwright.sync_api import Page, expect

from robot.commands.wiki import command as wiki_command
from tests.browser.conftest import MadeWiki, write_page
from tests.browser.test_conflict import TEXT, open_editor, save_text
from tests.browser.test_platform_accessible import assert_good
from tests.harness import Robot

pytestmark = pytest.mark.browser


def test_a_text_typed_when_the_wiki_was_frozen_is_shown(
    robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]
) -> None:
    wiki = make_wiki()
    write_page(robot, wiki, "Plan", TEXT)
    open_editor(keeper, wiki)
    settings = {"ROBOT_CONFIG": os.devnull, "ROBOT_DATA": str(robot.data)}
    assert CliRunner(env=settings).invoke(wiki_command, ["freeze", wiki.slug]).exit_code == 0
    typed = TEXT.replace("two", "second")
    save_text(keeper, typed)
    expect(keeper.get_by_role("heading", level=1)).to_have_text("This wiki is read-only")
    expect(keeper.get_by_label("The text you wanted to save")).to_have_value(typed)
    assert_good(keeper)
    keeper.goto(f"{wiki.origin}/Plan")
    expect(keeper.get_by_role("note")).to_contain_text("read-only by the operator")
    expect(keeper.locator("a[href$='?edit']")).to_have_count(0)
    keeper.goto(f"{robot.platform}/app/wiki/{wiki.slug}")
    expect(keeper.get_by_text("read-only", exact=True)).to_be_visible()
