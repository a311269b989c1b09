"""A wiki at its own domain in a real browser: truly another site than the platform and the other wikis."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MadeWiki, NewContext, link_for, read_page
from tests.browser.test_conflict import save_text
from tests.browser.test_hostile_wiki import FORM, SEND
from tests.harness import Robot

pytestmark = pytest.mark.browser


def own_domain(robot: Robot, wiki: MadeWiki) -> str:
    """Put a domain of the wiki's own in force; browsers know every name under .localhost, each a site of its own."""
    robot.put_in_force(f"{wiki.slug}.localhost", wiki.slug)
    return f"http://{wiki.slug}.localhost:{robot.port}"


def test_signing_in_editing_and_going_back(robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]) -> None:
    wiki = make_wiki()
    own = own_domain(robot, wiki)
    keeper.goto(f"{wiki.origin}/Home?from=afar")
    expect(keeper).to_have_url(f"{own}/Home?from=afar")
    cookies = keeper.context.cookies(own)
    assert cookies
    assert {(each["domain"], each["sameSite"], each["httpOnly"]) for each in cookies if "__Host-" in each["name"]} == {
        (f"{wiki.slug}.localhost", "Lax", True)
    }
    keeper.goto(f"{own}/Home?edit")
    save_text(keeper, "Born at home.")
    expect(keeper).to_have_url(f"{own}/Home")
    expect(keeper.locator(".page")).to_contain_text("Born at home.")
    keeper.goto(f"{robot.platform}/app/wiki/{wiki.slug}/domain")
    keeper.get_by_role("button", name="Remove").click()
    expect(keeper.get_by_role("status")).to_contain_text("The domain is removed.")
    # No browser kept that the first address led elsewhere.
    keeper.goto(f"{wiki.origin}/Home")
    expect(keeper).to_have_url(f"{wiki.origin}/Home")
    expect(keeper.locator(".page")).to_contain_text("Born at home.")


def test_a_page_that_was_open_before_the_domain_came_can_still_be_saved(
    robot: Robot, keeper: Page, make_wiki: Callable[..., MadeWiki]
) -> None:
    wiki = make_wiki()
    keeper.goto(f"{wiki.origin}/Home?edit")
    expect(keeper.locator(".cm-content")).to_be_visible()
    own = own_domain(robot, wiki)
    save_text(keeper, "Begun before.")
    expect(keeper.locator(".page")).to_contain_text("Begun before.")
    keeper.goto(f"{wiki.origin}/Home")
    expect(keeper).to_have_url(f"{own}/Home")


def test_a_wiki_at_one_domain_does_nothing_at_another(
    robot: Robot, new_context: NewContext, make_wiki: Callable[..., MadeWiki]
) -> None:
    """With the browser's refusals by policy off: no session's cookie goes along, and what comes is refused."""
    hostile, target = make_wiki("unlisted"), make_wiki()
    theirs, ours = own_domain(robot, hostile), own_domain(robot, target)
    victim = new_context(bypass_csp=True)
    page = victim.new_page()
    page.goto(link_for(robot))
    page.goto(f"{ours}/Home")
    expect(page).to_have_url(f"{ours}/Home")
    before = read_page(robot, target)
    page.goto(f"{theirs}/auth/start?next=/Home")
    targets = [
        f"{ours}/Home/save",
        f"{target.origin}/Home/save",
        f"{robot.platform}/app/wiki/{target.slug}/domain/remove",
    ]
    for address in targets:
        options = {"method": "POST", "mode": "no-cors", "body": "content=Defaced&commit=x"}
        with page.expect_response(address) as refused:
            page.evaluate(SEND, [address, options])
        assert refused.value.status == 403
        assert "__Host-" not in refused.value.request.all_headers().get("cookie", "")
        page.goto(f"{theirs}/Home")
        with page.expect_response(address) as refused:
            page.evaluate(FORM, [address, {"content": "Defaced", "commit": "x"}])
        assert refused.value.status == 403
        assert "__Host-" not in refused.value.request.all_headers().get("cookie", "")
        expect(page.get_by_role("heading", level=1)).to_have_text("Refused")
        page.goto(f"{theirs}/Home")
    assert page.evaluate(SEND, [f"{ours}/api/v1/pages/Home", {"mode": "cors"}])["type"] == "error"
    assert read_page(robot, target) == before
    page.goto(f"{ours}/Home")
    expect(page).to_have_url(f"{ours}/Home")
