"""A page that an agent may write, a person can open: one naming rule for all doors."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MadeWiki, write_page
from tests.harness import Robot

pytestmark = pytest.mark.browser

# Otter Wiki's `sanitize_pagename` takes ? | $ . ! # \\ out of an address before it looks for the file.
TAKEN_OUT = pytest.mark.xfail(strict=True, reason="Otter Wiki looks for another file than the page's")
# Its routes for a page's views come before pages whose last part has the same name.
TAKEN_FOR_A_VIEW = pytest.mark.xfail(strict=True, reason="Otter Wiki takes the last part for a view of a page")


@pytest.mark.parametrize(
    "name",
    [
        "50% off",
        "100%25",
        "Städte/Zürich",
        "a & b; c, d",
        "<b>bold</b>",
        "😀",
        pytest.param("C# notes", marks=TAKEN_OUT),
        pytest.param("Why?", marks=TAKEN_OUT),
        pytest.param("Node.js 22.1", marks=TAKEN_OUT),
        pytest.param("Foo/history", marks=TAKEN_FOR_A_VIEW),
    ],
)
def test_every_name_opens(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki], name: str) -> None:
    wiki = make_wiki("unlisted")
    write_page(robot, wiki, quote(name), "Found me.")
    answer = keeper.goto(f"{wiki.origin}/{quote(name)}")
    assert answer is not None
    assert answer.status == 200
    expect(keeper.locator(".page")).to_contain_text("Found me.", timeout=2_000)


@pytest.mark.xfail(strict=True, reason="both addresses show the page without the dot")
def test_names_that_differ_in_a_dot_are_two_pages(
    robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]
) -> None:
    wiki = make_wiki("unlisted")
    write_page(robot, wiki, "v12", "Twelve.")
    write_page(robot, wiki, "v1.2", "One point two.")
    keeper.goto(f"{wiki.origin}/v1.2")
    expect(keeper.locator(".page")).to_contain_text("One point two.", timeout=2_000)
