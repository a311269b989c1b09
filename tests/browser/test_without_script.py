"""Everything that the platform offers, and reading a wiki, in a browser that runs no script."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewContext, link_for, new_slug
from tests.harness import Robot

pytestmark = pytest.mark.browser


def test_the_whole_walk_without_javascript(robot: Robot, new_context: NewContext) -> None:
    page = new_context(java_script_enabled=False).new_page()
    slug = new_slug()
    origin = robot.wiki_origin(slug)
    page.goto(f"{robot.platform}/auth/login")
    page.get_by_role("textbox", name="Sign-in link").fill(link_for(robot))
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{robot.platform}/app/")

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Create wiki").click()
    page.get_by_role("textbox", name="Name").fill("Plain")
    page.get_by_role("textbox", name="Address").fill(slug)
    page.get_by_role("button", name="Create wiki").click()
    expect(page.get_by_role("status")).to_contain_text("Your wiki is ready")
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)

    page.get_by_role("link", name="Agents", exact=True).click()
    page.get_by_role("textbox", name="Name").fill("Script")
    page.get_by_role("button", name="Make token").click()
    secret = page.get_by_label("the token", exact=True).inner_text()
    with robot.agent(secret, origin) as agent:
        assert agent.put("/api/v1/pages/Plain", json={"content": "No script needed."}).status_code == 201

    page.goto(f"{origin}/Plain")
    expect(page.locator(".page")).to_contain_text("No script needed.")
    page.locator(".robot-menu > summary").click()
    page.locator(".robot-menu").get_by_role("link", name="Agents").click()
    page.get_by_role("link", name="Revoke Script").click()
    page.get_by_role("button", name="Revoke token").click()
    expect(page.get_by_role("status")).to_contain_text("The token is revoked")

    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{robot.platform}/")


def test_a_deep_link_survives_sign_in_without_javascript(robot: Robot, new_context: NewContext) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(f"{robot.wiki}/Home")
    page.get_by_role("link", name="Sign in").click()
    page.get_by_role("textbox", name="Sign-in link").fill(link_for(robot))
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{robot.wiki}/Home")
    expect(page.get_by_role("link", name="Wiki and agents")).to_be_visible()
