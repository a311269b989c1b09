"""Signing in and out as a browser sees it: the platform's application and the one on the wikis' hosts together."""

from __future__ import annotations

import pytest

from robot.model import Visibility
from robot.signin.cookies import NONCE_COOKIE, PLATFORM_COOKIE, WIKI_COOKIE
from robot.signin.links import create_link
from tests.robot.small_host import ADDRESS, Browser, SmallHost

PLATFORM = ADDRESS.platform_origin
NOTES = ADDRESS.wiki_origin("notes")


async def test_from_a_deep_link_through_signing_in_and_back(host: SmallHost) -> None:
    await host.make_wiki("notes")
    browser = Browser(host)
    start = await browser.get(NOTES, "/auth/start", query_string={"next": "/On%20Call?a=b"})
    assert start.status_code == 303
    handoff, origin = await browser.follow(start, NOTES)
    login, origin = await browser.follow(handoff, origin)
    assert login.status_code == 200
    assert "robot login-link" in (await login.get_data(as_text=True))

    # The link is opened from a terminal; the way back was remembered.
    link = await create_link(host.db, host.ada)
    going_on = await browser.get(PLATFORM, f"/auth/link?token={link}")
    page, origin = await browser.follow(going_on, PLATFORM)
    assert page.status_code == 200
    text = str(await page.get_data(as_text=True))
    assert 'http-equiv="refresh"' in text
    target = text.partition('content="0; url=')[2].partition('"')[0].replace("&amp;", "&")
    code = await browser.get(PLATFORM, target)
    finished, origin = await browser.follow(code, PLATFORM)
    assert origin == NOTES
    assert finished.headers["Location"] == "/On%20Call?a=b"
    assert set(browser.jars[NOTES]) == {WIKI_COOKIE}
    assert set(browser.jars[PLATFORM]) == {PLATFORM_COOKIE}

    again = await browser.get(NOTES, "/auth/start?next=/Home")
    assert again.headers["Location"] == "/Home"  # signed in already


async def signed_in_on_notes(host: SmallHost) -> Browser:
    await host.make_wiki("notes")
    browser = await host.signed_in(host.ada)
    answer, origin = await browser.get(NOTES, "/auth/start?next=/"), NOTES
    for _ in range(2):
        answer, origin = await browser.follow(answer, origin)
    assert WIKI_COOKIE in browser.jars[NOTES]
    return browser


async def test_signing_out_on_the_platform_ends_the_wikis_too(host: SmallHost) -> None:
    browser = await signed_in_on_notes(host)
    old = dict(browser.jars[NOTES])
    answer = await browser.post(PLATFORM, "/auth/logout", headers={"Sec-Fetch-Site": "same-origin"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert browser.jars[PLATFORM] == {}
    browser.jars[NOTES] = old
    assert (await browser.get(NOTES, "/auth/start")).headers["Location"].startswith(f"{PLATFORM}/auth/handoff?")


async def test_signing_out_on_a_wiki_leaves_the_platform_alone(host: SmallHost) -> None:
    browser = await signed_in_on_notes(host)
    answer = await browser.post(NOTES, "/auth/logout")
    assert answer.status_code == 200
    assert f"{PLATFORM}/auth/logout" in await answer.get_data(as_text=True)
    assert browser.jars[NOTES] == {}
    assert (await browser.get(PLATFORM, "/app/")).status_code == 200
    assert (await browser.get(NOTES, "/auth/logout")).status_code == 405


async def test_a_code_in_another_browser_or_at_another_wiki_opens_nothing(host: SmallHost) -> None:
    await host.make_wiki("notes", visibility=Visibility.PUBLIC)
    await host.make_wiki("other", visibility=Visibility.PUBLIC)
    browser = await host.signed_in(host.ada)

    async def code() -> str:
        start = await browser.get(NOTES, "/auth/start?next=/")
        answer, _ = await browser.follow(start, NOTES)
        location: str = answer.headers["Location"]
        return location.removeprefix(f"{NOTES}/auth/finish")

    thief = Browser(host)
    await thief.get(NOTES, "/auth/start")
    refused = await thief.get(NOTES, f"/auth/finish{await code()}")
    assert refused.status_code == 400
    assert WIKI_COOKIE not in thief.jars[NOTES]

    elsewhere = ADDRESS.wiki_origin("other")
    browser.jars[elsewhere] = dict(browser.jars[NOTES])
    assert (await browser.get(elsewhere, f"/auth/finish{await code()}")).status_code == 400

    once = await code()
    assert (await browser.visit("HEAD", NOTES, f"/auth/finish{once}")).status_code == 400  # uses nothing up
    nonce = dict(browser.jars[NOTES])
    assert (await browser.get(NOTES, f"/auth/finish{once}")).status_code == 303
    browser.jars[NOTES] = nonce
    assert (await browser.get(NOTES, f"/auth/finish{once}")).status_code == 400


async def test_strangers_cannot_tell_a_private_wiki_from_a_missing_one(host: SmallHost) -> None:
    await host.make_wiki("notes")
    eve, nobody = await host.signed_in(host.eve), Browser(host)
    for path in ("/auth/handoff?wiki={}&challenge=" + "a" * 64, "/app/wiki/{}", "/app/wiki/{}/agents"):
        for browser in (eve, nobody):
            private = await browser.get(PLATFORM, path.format("notes"))
            missing = await browser.get(PLATFORM, path.format("never"))
            assert private.status_code == missing.status_code == (404 if browser is eve else 303)
            pages = [str(await answer.get_data(as_text=True)) for answer in (private, missing)]
            assert pages[0] == pages[1].replace("never", "notes")
            location = private.headers.get("Location", "")
            assert location == missing.headers.get("Location", "").replace("never", "notes")


async def test_a_reader_of_a_public_wiki_signs_in_there_without_a_role(host: SmallHost) -> None:
    await host.make_wiki("notes", visibility=Visibility.PUBLIC)
    browser = await host.signed_in(host.eve)
    answer, origin = await browser.get(NOTES, "/auth/start"), NOTES
    for _ in range(2):
        answer, origin = await browser.follow(answer, origin)
    assert WIKI_COOKIE in browser.jars[NOTES]


@pytest.mark.parametrize("challenge", ["", "x", "A" * 64, "a" * 63, "a" * 65])
async def test_a_hand_off_that_no_wiki_made_is_refused(host: SmallHost, challenge: str) -> None:
    await host.make_wiki("notes")
    browser = await host.signed_in(host.ada)
    answer = await browser.get(PLATFORM, f"/auth/handoff?wiki=notes&challenge={challenge}")
    assert answer.status_code == 400


@pytest.mark.parametrize("headers", [{"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}])
async def test_a_prefetched_link_is_not_used_up(host: SmallHost, headers: dict[str, str]) -> None:
    link, browser = await create_link(host.db, host.ada), Browser(host)
    for method in ("GET", "HEAD"):
        answer = await browser.visit(method, PLATFORM, f"/auth/link?token={link}", headers=headers)
        assert answer.status_code == 200
    assert (await browser.visit("HEAD", PLATFORM, f"/auth/link?token={link}")).status_code == 200
    assert browser.jars[PLATFORM] == {}
    assert (await browser.get(PLATFORM, f"/auth/link?token={link}")).status_code == 303


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_link_on_somebody_elses_page_asks_before_it_signs_in(host: SmallHost, site: str) -> None:
    link, browser = await create_link(host.db, host.eve), Browser(host)
    asked = await browser.get(PLATFORM, f"/auth/link?token={link}", headers={"Sec-Fetch-Site": site})
    assert asked.status_code == 200
    assert "Sign in as Eve?" in await asked.get_data(as_text=True)
    assert browser.jars[PLATFORM] == {}
    answer = await browser.post(PLATFORM, "/auth/link", form={"token": link})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/app/")


async def test_a_used_link_says_so(host: SmallHost) -> None:
    browser = Browser(host)
    for token in ("", "x", "%00", "%ff"):
        answer = await browser.get(PLATFORM, f"/auth/link?token={token}")
        assert answer.status_code == 400
        assert "no longer works" in await answer.get_data(as_text=True)


@pytest.mark.parametrize("form", ["https://wiki.test/auth/link?token={}", "  {}\n", "{}"])
async def test_a_link_can_be_pasted(host: SmallHost, form: str) -> None:
    browser, link = Browser(host), await create_link(host.db, host.ada)
    sent = {"link": form.format(link), "next": "/app/create"}
    answer = await browser.post(PLATFORM, "/auth/login", form=sent)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/app/create")
    again = await browser.post(PLATFORM, "/auth/login", form=sent)
    assert again.status_code == 400
    assert "no sign-in link that works" in await again.get_data(as_text=True)


async def test_each_sign_in_is_a_new_session_and_ends_the_old_one(host: SmallHost) -> None:
    browser = await host.signed_in(host.ada)
    first = browser.jars[PLATFORM][PLATFORM_COOKIE]
    await browser.get(PLATFORM, f"/auth/link?token={await create_link(host.db, host.eve)}")
    second = browser.jars[PLATFORM][PLATFORM_COOKIE]
    assert second != first
    browser.jars[PLATFORM] = {PLATFORM_COOKIE: first}
    assert (await browser.get(PLATFORM, "/app/")).status_code == 303


@pytest.mark.parametrize(
    "next_path", ["https://evil.test/", "//evil.test", "/%5cevil.test", "/\\evil.test", "%0d%0aX:y"]
)
async def test_no_way_back_leads_to_another_host(host: SmallHost, next_path: str) -> None:
    await host.make_wiki("notes", visibility=Visibility.PUBLIC)
    browser = await host.signed_in(host.ada)
    assert (await browser.get(PLATFORM, "/auth/login", query_string={"next": next_path})).headers["Location"] == "/app/"
    page = await browser.get(PLATFORM, "/auth/continue", query_string={"next": next_path})
    assert "evil" not in await page.get_data(as_text=True)
    answer, origin = await browser.get(NOTES, "/auth/start", query_string={"next": next_path}), NOTES
    for _ in range(2):
        answer, origin = await browser.follow(answer, origin)
    assert answer.headers["Location"] == "/"
    pasted = {"link": await create_link(host.db, host.ada), "next": next_path}
    answer = await Browser(host).post(PLATFORM, "/auth/login", form=pasted)
    assert answer.headers["Location"] == "/app/"


async def test_two_tabs_that_sign_in_at_once_both_arrive(host: SmallHost) -> None:
    await host.make_wiki("notes")
    browser = await host.signed_in(host.ada)
    tabs = [await browser.get(NOTES, f"/auth/start?next=/{page}") for page in ("One", "Two")]
    codes = [(await browser.follow(tab, NOTES))[0] for tab in tabs]
    nonce = browser.jars[NOTES][NONCE_COOKIE]
    for code, page in zip(codes, ("One", "Two"), strict=True):
        browser.jars[NOTES][NONCE_COOKIE] = nonce
        finished, _ = await browser.follow(code, PLATFORM)
        assert finished.headers["Location"] == f"/{page}"


async def test_the_remembered_way_back_cannot_change_its_cookie(host: SmallHost) -> None:
    browser = Browser(host)  # which refuses any attribute but ours
    await browser.get(PLATFORM, "/auth/login", query_string={"next": "/app/create?a=b;Domain=wiki.test;x=%25"})
    answer = await browser.get(PLATFORM, f"/auth/link?token={await create_link(host.db, host.ada)}")
    assert answer.headers["Location"] == "/app/create?a=b;Domain=wiki.test;x=%25"


@pytest.mark.parametrize("destination", ["image", "iframe", "empty", "serviceworker"])
async def test_no_wiki_learns_who_its_visitor_is_behind_their_back(host: SmallHost, destination: str) -> None:
    await host.make_wiki("notes")
    browser = await host.signed_in(host.ada)
    start = await browser.get(NOTES, "/auth/start?next=/")
    address = start.headers["Location"].removeprefix(PLATFORM)
    assert (await browser.get(PLATFORM, address, headers={"Sec-Fetch-Dest": destination})).status_code == 403
    assert (await browser.get(PLATFORM, address, headers={"Sec-Fetch-Dest": "document"})).status_code == 303
