"""Two people with Bluesky accounts, a wiki, and an agent: from the first sign-in to the wiki's return from the dead."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.harness import Robot
from tests.pds.internet import PLATFORM, Account, Internet
from tests.pds.pds_pages import sign_in

pytestmark = pytest.mark.pds

ORIGIN = f"https://{PLATFORM}"
PATIENCE_MS = 20_000


@pytest.fixture
def heidis(chromium_there: Browser) -> Iterator[Page]:
    yield from _window(chromium_there)


@pytest.fixture
def ivans(chromium_there: Browser) -> Iterator[Page]:
    yield from _window(chromium_there)


def _window(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(ignore_https_errors=True)
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def test_two_people_and_an_agent_share_a_wiki(
    internet: Internet, robot_there: Robot, heidis: Page, ivans: Page
) -> None:
    heidi, ivan = (internet.create_account(f"{name}.test") for name in ("heidi", "ivan"))
    _sign_up(heidis, heidi, "heidi")
    _create_wiki(heidis, "heronry", "Heronry")
    _invite(heidis, "heronry", ivan)

    _sign_up(ivans, ivan, "ivan")
    _accept(ivans)
    _edit(ivans, f"https://heronry.{PLATFORM}", "Ivan saw two herons.")

    secret = _make_token(heidis, "heronry")
    with robot_there.agent(secret, f"https://heronry.{PLATFORM}") as agent:
        read = agent.get("/api/v1/pages/Home").json()
        assert "Ivan saw two herons." in read["content"]
        written = agent.put(
            "/api/v1/pages/Home",
            json={"content": read["content"] + "\n\nThree, said an agent.\n", "revision": read["revision"]},
        )
        assert written.status_code == 200, written.text
        _activity_shows_all(heidis, "heronry")

        _revoke(heidis, "heronry")
        assert agent.get("/api/v1/pages/Home").status_code == 401
        _delete(heidis, "heronry")
        assert ivans.goto(f"https://heronry.{PLATFORM}/Home").status == 404  # type: ignore[union-attr]
        _undelete(heidis, "heronry")
    ivans.goto(f"https://heronry.{PLATFORM}/Home")
    expect(ivans.locator(".page")).to_contain_text("Three, said an agent.")


def _sign_up(page: Page, account: Account, name: str) -> None:
    page.goto(f"{ORIGIN}/")
    page.get_by_role("link", name="Sign in").first.click()
    sign_in(page, account)
    page.wait_for_url(f"{ORIGIN}/auth/sign-up")
    expect(page.get_by_label("User name")).to_have_value(name)
    page.get_by_role("button", name="Make my account").click()
    page.wait_for_url(f"{ORIGIN}/app/")


def _create_wiki(page: Page, slug: str, name: str) -> None:
    page.get_by_role("main").get_by_role("link", name=re.compile("Create")).click()
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("textbox", name="Address").fill(slug)
    page.get_by_role("button", name="Create wiki").click()
    expect(page.get_by_role("status")).to_contain_text("Your wiki is ready")


def _invite(page: Page, slug: str, account: Account) -> None:
    page.get_by_role("link", name="People").click()
    page.get_by_label("Handle or user name").fill(f"@{account.handle}")
    page.get_by_label("As", exact=True).select_option("editor")
    page.get_by_role("button", name="Invite", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Invited")
    expect(page.get_by_role("row", name=account.handle)).to_contain_text("waits until")


def _accept(page: Page) -> None:
    expect(page.get_by_role("main")).to_contain_text("Heronry")
    page.get_by_role("button", name="Accept").click()


def _edit(page: Page, origin: str, text: str) -> None:
    page.goto(f"{origin}/auth/start?next=/Home/edit")
    editor = page.locator(".cm-content")
    editor.click()
    editor.press("Control+End")
    page.keyboard.insert_text(f"\n\n{text}\n")
    page.get_by_title("Save", exact=True).click()
    page.locator("#commit-message").fill("Herons")
    page.locator("#saveform input[type=submit]").click()
    page.wait_for_url(lambda url: "/edit" not in url and "/save" not in url)
    expect(page.locator(".page")).to_contain_text(text)


def _make_token(page: Page, slug: str) -> str:
    page.goto(f"{ORIGIN}/app/wiki/{slug}/agents")
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.get_by_role("textbox", name="Name").fill("Counter")
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_text("It is shown this once")).to_be_visible()
    found = re.search(r"robot_[A-Za-z0-9_-]{20,}", page.content())
    assert found
    return found[0]


def _activity_shows_all(page: Page, slug: str) -> None:
    page.goto(f"{ORIGIN}/app/wiki/{slug}/activity")
    for name in ("ivan", "Counter", "heidi"):
        expect(page.get_by_role("main")).to_contain_text(re.compile(name, re.I))


def _revoke(page: Page, slug: str) -> None:
    page.goto(f"{ORIGIN}/app/wiki/{slug}/agents")
    page.get_by_role("link", name="Revoke Counter").click()
    page.get_by_role("button", name="Revoke token").click()
    page.wait_for_url(f"{ORIGIN}/app/wiki/{slug}/agents**")


def _delete(page: Page, slug: str) -> None:
    page.goto(f"{ORIGIN}/app/wiki/{slug}/delete")
    page.get_by_label(re.compile("type its address")).fill(slug)
    page.get_by_role("button", name=re.compile("Delete")).click()
    page.wait_for_url(f"{ORIGIN}/app/**")


def _undelete(page: Page, slug: str) -> None:
    page.goto(f"{ORIGIN}/app/")
    page.get_by_role("button", name=re.compile("Undelete")).click()
