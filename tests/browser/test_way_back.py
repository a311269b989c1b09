"""Somebody who is signed in nowhere opens a deep link: they sign in, and are where they wanted to be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MadeWiki, link_for, write_page
from tests.harness import Robot

pytestmark = pytest.mark.browser

PAGE = "Städte/Zürich & Umland"
PATH = "/St%C3%A4dte/Z%C3%BCrich%20%26%20Umland"


@pytest.fixture
def wiki(robot: Robot, make_wiki: Callable[..., MadeWiki]) -> MadeWiki:
    made = make_wiki()
    write_page(robot, made, PATH.removeprefix("/"), "# Zürich\n\nOn the Limmat.")
    return made


def test_deep_link_to_a_private_wiki_survives_a_pasted_sign_in_link(
    robot: Robot, stranger: Page, wiki: MadeWiki
) -> None:
    _arrive_at_sign_in(robot, stranger, wiki.origin + PATH)
    stranger.get_by_role("textbox", name="Sign-in link").fill(link_for(robot))
    stranger.get_by_role("button", name="Sign in").click()
    _expect_the_page(stranger, wiki)


def test_deep_link_to_a_private_wiki_survives_a_link_opened_from_the_terminal(
    robot: Robot, stranger: Page, wiki: MadeWiki
) -> None:
    _arrive_at_sign_in(robot, stranger, wiki.origin + PATH)
    another_tab = stranger.context.new_page()
    another_tab.goto(link_for(robot))
    _expect_the_page(another_tab, wiki)


def test_deep_link_survives_a_wrong_sign_in_link_in_between(robot: Robot, stranger: Page, wiki: MadeWiki) -> None:
    _arrive_at_sign_in(robot, stranger, f"{wiki.origin}/-/search?query=Limmat")
    stranger.get_by_role("textbox", name="Sign-in link").fill("robot, please")
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.locator("#link-problem")).to_contain_text("no sign-in link that works")
    stranger.get_by_role("textbox", name="Sign-in link").fill(link_for(robot))
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger).to_have_url(f"{wiki.origin}/-/search?query=Limmat")


def test_reader_of_a_public_wiki_signs_in_from_the_page_and_stays_on_it(robot: Robot, stranger: Page) -> None:
    stranger.goto(f"{robot.wiki}/Home")
    stranger.get_by_role("link", name="Sign in").click()
    stranger.get_by_role("textbox", name="Sign-in link").fill(link_for(robot))
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger).to_have_url(f"{robot.wiki}/Home")
    expect(stranger.get_by_role("link", name="Wiki and agents")).to_be_visible()
    expect(stranger.get_by_title("Edit Page (e)")).to_be_visible()


def test_somebody_without_a_role_is_told_no_more_than_about_a_missing_wiki(
    robot: Robot, stranger: Page, wiki: MadeWiki
) -> None:
    stranger.goto(link_for(robot, "visitor"))
    told = []
    for origin in (wiki.origin, robot.wiki_origin("no-such-wiki")):
        answer = stranger.goto(origin + PATH)
        assert answer is not None
        told.append((answer.status, stranger.get_by_role("main").inner_text()))
    assert told[0] == told[1]
    assert told[0][0] == 404


def _arrive_at_sign_in(robot: Robot, page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert page.url.startswith(f"{robot.platform}/auth/login?")


def _expect_the_page(page: Page, wiki: MadeWiki) -> None:
    expect(page).to_have_url(wiki.origin + PATH)
    expect(page.locator(".page")).to_contain_text("On the Limmat.")
