"""The PDS's pages in a real browser, from where robot sends it to where the PDS sends it back."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.pds.internet import PDS, PLATFORM, Account


def sign_in(page: Page, account: Account) -> None:
    """Begin at robot's sign-in page, which must be open, and come back with the account's consent."""
    page.get_by_label("Bluesky handle").fill(account.handle)
    page.get_by_role("button", name="Sign in with Bluesky").click()
    page.wait_for_url(f"https://{PDS}/oauth/authorize?**")
    page.get_by_role("textbox", name="Password").fill(account.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Authorize").click()
    page.wait_for_url(f"https://{PLATFORM}/**")
