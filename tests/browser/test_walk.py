"""What somebody does in their first ten minutes, by mouse and keyboard, and an agent beside them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MadeWiki, NewContext, link_for, new_slug, read_page, write_page
from tests.harness import Robot

pytestmark = pytest.mark.browser


def test_a_new_user_makes_a_wiki_writes_in_it_and_lets_an_agent_in(robot: Robot, stranger: Page) -> None:
    page = stranger
    slug = new_slug()
    page.goto(robot.login_link())
    expect(page).to_have_url(f"{robot.platform}/app/")
    expect(page.get_by_role("heading", level=1)).to_have_text("My wikis")

    page.get_by_role("main").get_by_role("link", name="Create wiki").click()
    _refused_slugs_keep_what_was_typed(page)
    page.get_by_role("textbox", name="Address").fill(slug)
    page.get_by_role("button", name="Create wiki").click()
    expect(page).to_have_url(f"{robot.platform}/app/wiki/{slug}?created=1")
    expect(page.get_by_role("status")).to_contain_text("Your wiki is ready")

    page.get_by_role("link", name="Open wiki").click()
    expect(page).to_have_url(f"{robot.wiki_origin(slug)}/")
    expect(page.locator(".page h1").first).to_have_text("Field Notes")
    _edit(page, "Saw two herons at the weir.", "Herons")
    expect(page.locator(".page")).to_contain_text("Saw two herons at the weir.")
    page.goto(f"{robot.wiki_origin(slug)}/Home/history")
    newest = page.locator("table tbody tr").first
    expect(newest).to_contain_text("Herons")
    expect(newest).to_contain_text("Keeper")

    page.get_by_role("link", name="Wiki and agents").click()
    expect(page).to_have_url(f"{robot.platform}/app/wiki/{slug}")
    secret = _make_token(page)
    with robot.agent(secret, robot.wiki_origin(slug)) as agent:
        assert "two herons" in agent.get("/api/v1/pages/Home").json()["content"]
        _revoke_token(page)
        refused = agent.get("/api/v1/pages/Home")
    assert refused.status_code == 401
    assert secret not in page.content()


def _refused_slugs_keep_what_was_typed(page: Page) -> None:
    name, about = page.get_by_role("textbox", name="Name"), page.get_by_role("textbox", name="What it is about")
    name.fill("Field Notes")
    about.fill("Birds, weather & “odd things” <seen>")
    page.get_by_role("radio", name="Unlisted").check()
    for taken, sentence in (("demo", "The address demo is taken."), ("admin", "The address admin is reserved")):
        address = page.get_by_role("textbox", name="Address")
        address.fill(taken)
        page.get_by_role("button", name="Create wiki").click()
        expect(page.get_by_role("alert")).to_contain_text("not created")
        expect(page.locator("#slug-problem")).to_contain_text(sentence)
        expect(address).to_have_value(taken)
        expect(address).to_have_attribute("aria-invalid", "true")
        expect(name).to_have_value("Field Notes")
        expect(about).to_have_value("Birds, weather & “odd things” <seen>")
        expect(page.get_by_role("radio", name="Unlisted")).to_be_checked()


def _edit(page: Page, text: str, message: str) -> None:
    """Type at the end of the open page in Otter Wiki's editor, and save."""
    page.locator("#edit-page-btn").click()
    editor = page.locator(".cm-content")
    editor.click()
    editor.press("Control+End")
    page.keyboard.insert_text(f"\n\n{text}\n")
    page.get_by_title("Save", exact=True).click()
    page.locator("#commit-message").fill(message)
    page.locator("#saveform input[type=submit]").click()
    page.wait_for_url(lambda url: "/edit" not in url and "/save" not in url)


def _make_token(page: Page) -> str:
    page.get_by_role("link", name="Agents", exact=True).click()
    page.get_by_role("textbox", name="Name").fill("Notebook")
    page.get_by_role("button", name="Make token").click()
    secret = page.get_by_label("the token", exact=True).inner_text()
    assert secret.startswith("robot_")
    assert page.get_by_text(f"Bearer {secret}").count() > 0
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("rowheader", name="Notebook")).to_be_visible()
    assert secret not in page.content(), "a token is shown once"
    return secret


def _revoke_token(page: Page) -> None:
    page.get_by_role("link", name="Revoke Notebook").click()
    expect(page.get_by_role("heading", name="Revoke “Notebook”?")).to_be_visible()
    page.get_by_role("button", name="Revoke token").click()
    expect(page.get_by_role("status")).to_contain_text("The token is revoked")
    expect(page.get_by_text("Notebook")).to_have_count(0)


def test_the_address_follows_the_name_and_is_checked_while_typing(robot: Robot, keeper: Page) -> None:
    keeper.goto(f"{robot.platform}/app/create")
    keeper.get_by_role("textbox", name="Name").fill("Älteste Notizen!")
    expect(keeper.get_by_role("textbox", name="Address")).to_have_value("a-lteste-notizen")
    expect(keeper.locator("#slug-live")).to_have_text("The address a-lteste-notizen is free.")
    keeper.get_by_role("textbox", name="Address").fill("demo")
    expect(keeper.locator("#slug-live")).to_have_text("The address demo is taken.")
    keeper.get_by_role("textbox", name="Name").fill("Another name")
    expect(keeper.get_by_role("textbox", name="Address")).to_have_value("demo")


def test_what_an_agent_writes_is_there_after_a_reload(
    robot: Robot, keeper: Page, make_wiki: Callable[[], MadeWiki]
) -> None:
    wiki = make_wiki()
    write_page(robot, wiki, "Log", "# Log\n\nFirst reading.")
    keeper.goto(f"{wiki.origin}/Log")
    expect(keeper.locator(".page")).to_contain_text("First reading.")
    write_page(robot, wiki, "Log", "# Log\n\nSecond reading.")
    keeper.reload()
    expect(keeper.locator(".page")).to_contain_text("Second reading.")
    expect(keeper.locator(".page")).not_to_contain_text("First reading.")


def test_what_a_person_writes_an_agent_reads_at_once(
    robot: Robot, keeper: Page, make_wiki: Callable[[], MadeWiki]
) -> None:
    wiki = make_wiki()
    keeper.goto(f"{wiki.origin}/Home")
    _edit(keeper, "The tide was low.", "Tide")
    status, said = read_page(robot, wiki)
    assert status == 200
    assert "The tide was low." in said["content"]
    assert said["last_commit"]["author"] == "Keeper"


def test_a_sign_in_link_works_once(robot: Robot, stranger: Page, new_context: NewContext) -> None:
    link = link_for(robot)
    new_context().new_page().goto(link)
    answer = stranger.goto(link)
    assert answer is not None
    assert answer.status == 400
    expect(stranger.get_by_role("heading", level=1)).to_have_text("This link no longer works")


def test_signing_out_on_the_platform_signs_out_of_wikis_too(
    robot: Robot, stranger: Page, make_wiki: Callable[[], MadeWiki]
) -> None:
    wiki, keeper = make_wiki(), stranger
    keeper.goto(link_for(robot))
    keeper.goto(f"{wiki.origin}/Home")
    expect(keeper).to_have_url(f"{wiki.origin}/Home")
    keeper.goto(f"{robot.platform}/app/")
    keeper.get_by_role("button", name="Sign out").click()
    expect(keeper).to_have_url(f"{robot.platform}/")
    keeper.goto(f"{wiki.origin}/Home")
    expect(keeper.get_by_role("heading", level=1)).to_have_text("Sign in")
