"""Signing in with an identity provider: what happens here before and after it, with a provider that is a fake."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

import robot.web.provider_pages
from robot.accounts import find_user_by_name
from robot.audit import OPERATOR
from robot.model import User
from robot.signin.admission import Admission
from robot.signin.attempts import ATTEMPT_LIFETIME_S, Attempt, find_attempt, keep_attempt, take_attempt
from robot.signin.cookies import PLATFORM_COOKIE, SIGNIN_COOKIE
from robot.signin.identities import LastWayIn, find_user, identities_of, link_identity, unlink_identity
from robot.signin.providers import Identity, SignInFailed
from robot.standing import suspend
from robot.web.all_pages import PersonSignIn
from tests.robot.fake_provider import ORIGIN, PLATFORM, FakeProvider, come_back, depart
from tests.robot.small_host import Browser, FakeClock, SmallHost, small_host, text_of
from tests.robot.test_sessions import everything_else, paths_of_this_host

BOB = Identity("atproto", "did:plc:bob", "bob.example.net", "Bob")
KEEPER = Identity("atproto", "did:plc:keeper", "keeper.example.net", "")


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
async def host(tmp_path: Path, provider: FakeProvider) -> AsyncIterator[SmallHost]:
    other = FakeProvider("oidc", "the university", asks=False)
    people = PersonSignIn((provider, other), Admission("open", frozenset({KEEPER.subject})))
    async with small_host(tmp_path, people=people) as made:
        yield made


async def link_bob(host: SmallHost) -> User:
    await link_identity(host.db, host.ada, BOB)
    return host.ada


def who(host: SmallHost, browser: Browser) -> User | None:
    jar = browser.jars.get(PLATFORM, {})
    return host.sessions.platform_user([(b"cookie", f"{PLATFORM_COOKIE}={jar.get(PLATFORM_COOKIE, '')}".encode())])


async def test_a_known_identity_signs_in_and_goes_where_it_wanted(host: SmallHost, provider: FakeProvider) -> None:
    await link_bob(host)
    browser = Browser(host)
    page = await text_of(await browser.get(PLATFORM, "/auth/login?next=/app/create"))
    assert "Bluesky handle" in page
    assert "Sign in with the university" in page
    state = await depart(browser, " @bob.example.net ", next="/app/create")
    assert provider.seen == ["@bob.example.net"]
    answer = await come_back(browser, state)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/app/create")
    assert who(host, browser) == host.ada
    row = host.db.one("SELECT provider, device FROM sessions")
    assert row is not None
    assert tuple(row) == ("atproto", "A browser")


async def test_the_handle_that_is_shown_is_the_one_that_was_proved_last(host: SmallHost) -> None:
    await link_identity(host.db, host.ada, Identity("atproto", "did:plc:bob", "old.example.net", ""))
    assert [identity.handle for identity in identities_of(host.db, host.ada)] == ["old.example.net"]
    browser = Browser(host)
    await come_back(browser, await depart(browser))
    assert [identity.handle for identity in identities_of(host.db, host.ada)] == ["bob.example.net"]


async def test_a_new_session_replaces_the_one_that_was_planted(host: SmallHost) -> None:
    """Session fixation: whatever cookie a browser comes with, it leaves with another, and the old one is dead."""
    await link_bob(host)
    browser = await host.signed_in(host.eve)
    planted = browser.jars[PLATFORM][PLATFORM_COOKIE]
    await come_back(browser, await depart(browser))
    assert browser.jars[PLATFORM][PLATFORM_COOKIE] != planted
    assert host.sessions.platform_user([(b"cookie", f"{PLATFORM_COOKIE}={planted}".encode())]) is None
    assert who(host, browser) == host.ada


async def test_a_state_works_once(host: SmallHost) -> None:
    await link_bob(host)
    browser = Browser(host)
    state = await depart(browser)
    await come_back(browser, state)
    # The back button, a reload, a second click: still signed in, and told so.
    again = await come_back(browser, state)
    assert again.status_code == 400
    assert "You are signed in as <b>Ada Lovelace</b>" in await text_of(again)
    assert who(host, browser) == host.ada
    stolen = Browser(host)
    stolen.jars = {PLATFORM: {SIGNIN_COOKIE: browser.jars[PLATFORM][SIGNIN_COOKIE]}}
    answer = await come_back(stolen, state)
    assert answer.status_code == 400
    assert "This sign-in is over" in await text_of(answer)
    assert who(host, stolen) is None


async def test_nobody_comes_back_from_a_sign_in_that_another_began(host: SmallHost) -> None:
    """Login CSRF: the attacker's own state, opened in the victim's browser, signs the victim in nowhere."""
    await link_bob(host)
    attacker, victim = Browser(host), Browser(host)
    state = await depart(attacker)
    await depart(victim)  # who has a cookie of their own
    answer = await come_back(victim, state)
    assert answer.status_code == 400
    assert "another browser" in await text_of(answer)
    assert who(host, victim) is None
    assert (await come_back(attacker, state)).status_code == 400  # burnt


async def test_two_tabs_each_come_back(host: SmallHost) -> None:
    await link_bob(host)
    await link_identity(host.db, host.eve, Identity("atproto", "did:plc:eve", "eve.example.net", "Eve"))
    browser = Browser(host)
    first, second = await depart(browser, next="/app/create"), await depart(browser, "eve")
    assert (await come_back(browser, second, "eve")).headers["Location"] == "/app/"
    assert who(host, browser) == host.eve
    assert (await come_back(browser, first)).headers["Location"] == "/app/create"
    assert who(host, browser) == host.ada


async def test_a_second_click_begins_a_sign_in_of_its_own(host: SmallHost) -> None:
    await link_bob(host)
    browser = Browser(host)
    first, second = await depart(browser), await depart(browser)
    assert first != second
    assert (await come_back(browser, second)).status_code == 303


async def test_a_callback_that_nobody_asked_for_does_nothing(host: SmallHost) -> None:
    for path in ("/auth/callback", "/auth/callback/oidc", "/auth/callback/atproto", "/auth/callback/none"):
        for query in ("", "?code=bob", "?state=&code=bob", "?state=x&code=bob", "?state=x&state=y",
                      "?state=" + "a" * 5000, "?error=access_denied", "?state=%00%ff"):  # fmt: skip
            answer = await Browser(host).get(PLATFORM, path + query)
            assert answer.status_code == 400, query
            assert "begin again" in await text_of(answer)


async def test_a_wikis_host_signs_nobody_in_by_a_state(host: SmallHost) -> None:
    await link_bob(host)
    wiki = await host.make_wiki("notes")
    browser = Browser(host)
    state = await depart(browser)
    browser.jars[f"https://{wiki.slug}.wiki.test"] = dict(browser.jars[PLATFORM])
    answer = await browser.get(f"https://{wiki.slug}.wiki.test", f"/auth/callback?state={state}&code=bob")
    assert answer.status_code == 404
    assert (await come_back(browser, state)).status_code == 303  # and the state is as good as before


async def test_a_state_belongs_to_the_provider_that_it_was_made_for(host: SmallHost) -> None:
    await link_bob(host)
    browser = Browser(host)
    state = await depart(browser)
    assert (await come_back(browser, state, provider="/oidc")).status_code == 400
    assert who(host, browser) is None


async def test_what_is_said_twice_counts_for_nothing(host: SmallHost) -> None:
    await link_bob(host)
    browser = Browser(host)
    state = await depart(browser)
    answer = await browser.get(PLATFORM, f"/auth/callback?state={state}&code=eve&code=bob")
    assert answer.status_code == 502
    assert who(host, browser) is None


async def test_a_refusal_says_why_and_keeps_what_was_typed(host: SmallHost) -> None:
    browser = Browser(host)
    form = {"provider": "atproto", "handle": 'bob "x" <b>', "next": "/app/create"}
    answer = await browser.post(PLATFORM, "/auth/begin", form=form)
    page = await text_of(answer)
    assert answer.status_code == 400
    assert "A handle has no spaces." in page
    assert 'aria-invalid="true"' in page
    assert 'value="bob &#34;x&#34; &lt;b&gt;"' in page
    assert page.count('name="next" value="/app/create"') == 3
    state = await depart(browser, "bob.example.net", next="/app/create")
    answer = await browser.get(PLATFORM, f"/auth/callback?state={state}&error=access_denied")
    page = await text_of(answer)
    assert answer.status_code == 400
    assert "You said no there." in page
    assert 'value="bob.example.net"' in page
    assert "aria-invalid" not in page, "nothing is wrong with the handle"
    assert page.count('name="next" value="/app/create"') == 3


async def test_nobody_is_sent_to_what_is_not_https(host: SmallHost, provider: FakeProvider) -> None:
    for origin in ("javascript:alert(1)//", "http://id.example.net", "//id.example.net", "data:,x"):
        provider.origin = origin
        answer = await Browser(host).post(PLATFORM, "/auth/begin", form={"provider": "atproto", "handle": "bob"})
        assert answer.status_code == 502
        assert "alert(1)" not in await text_of(answer)
    assert not host.db.all("SELECT 1 FROM signins")


async def test_an_unknown_provider_is_no_way_in(host: SmallHost) -> None:
    answer = await Browser(host).post(PLATFORM, "/auth/begin", form={"provider": "link"})
    assert answer.status_code == 400
    assert "no such way to sign in" in await text_of(answer)


async def test_a_provider_that_hangs_is_given_up(
    host: SmallHost, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(robot.web.provider_pages, "PROVIDER_DEADLINE_S", 0.01)
    provider.before_finish = trio.sleep_forever
    browser = Browser(host)
    answer = await come_back(browser, await depart(browser))
    assert answer.status_code == 502
    assert "No answer came from Bluesky" in await text_of(answer)


async def test_the_way_back_leads_nowhere_else(host: SmallHost) -> None:
    await link_bob(host)
    browser = Browser(host)
    # All of them are held against the rule itself in test_sessions.
    refused, kept = everything_else()[::4], paths_of_this_host()[::4]
    expected = {path or "": "/app/" for path in refused} | {path: path for path in kept}
    for wanted, found in expected.items():
        answer = await come_back(browser, await depart(browser, next=wanted))
        assert answer.headers["Location"] == found, wanted


async def test_a_hand_off_to_a_wiki_goes_on_by_a_page(host: SmallHost) -> None:
    await link_bob(host)
    browser = Browser(host)
    state = await depart(browser, next="/auth/handoff?wiki=notes")
    assert (await come_back(browser, state)).headers["Location"].startswith("/auth/continue?next=%2Fauth%2Fhandoff")


async def test_the_way_there_is_shown_to_its_own_browser_alone(host: SmallHost) -> None:
    browser = Browser(host)
    answer = await browser.post(PLATFORM, "/auth/begin", form={"provider": "atproto", "handle": "bob"})
    there = answer.headers["Location"]
    page = await text_of(await browser.get(PLATFORM, there))
    assert re.search(rf'<meta http-equiv="refresh" content="0; url={ORIGIN}/authorize\?request=1&amp;state=', page)
    assert "On the way to id.example.net" in page
    stranger = await Browser(host).get(PLATFORM, there)
    assert stranger.status_code == 400
    assert ORIGIN not in await text_of(stranger)
    for wrong in ("", "x", "0" * 64, "%C3%A9"):
        assert (await browser.get(PLATFORM, f"/auth/depart?to={wrong}")).status_code == 400


async def test_an_attempt_lives_ten_minutes_whatever_the_clock_does(host: SmallHost) -> None:
    clock = FakeClock()
    attempt = Attempt("atproto", "bob", ORIGIN, {}, "/", None)

    async def fresh(state: str) -> str:
        return await keep_attempt(host.db, state, "browser", attempt, clock=clock)

    attempt_id = await fresh("one")
    clock.now += ATTEMPT_LIFETIME_S - 1
    assert find_attempt(host.db, attempt_id, ["browser"], clock=clock) == attempt
    assert find_attempt(host.db, attempt_id, ["other"], clock=clock) is None
    clock.now += 1
    assert find_attempt(host.db, attempt_id, ["browser"], clock=clock) is None
    assert await take_attempt(host.db, "one", ["browser"], clock=clock) is None
    await fresh("two")
    clock.now -= 3600  # an hour back: the sign-in that is under way still ends well
    assert await take_attempt(host.db, "two", ["other", "browser"], clock=clock) == attempt
    await fresh("three")
    clock.now += 86_400
    await fresh("four")
    assert len(host.db.all("SELECT 1 FROM signins")) == 1  # what is over is swept


async def test_no_secret_of_a_sign_in_is_stored(host: SmallHost) -> None:
    browser = Browser(host)
    await depart(browser)
    secret = browser.jars[PLATFORM][SIGNIN_COOKIE]
    row = host.db.one("SELECT * FROM signins")
    assert row is not None
    assert secret not in str(tuple(row))


# Connecting another identity to an account.


async def test_a_person_connects_an_identity_and_signs_in_with_it(host: SmallHost) -> None:
    browser = await host.signed_in(host.ada)
    page = await text_of(await browser.get(PLATFORM, "/auth/connect"))
    assert "You sign in with one-time links" in page
    before = browser.jars[PLATFORM][PLATFORM_COOKIE]
    answer = await come_back(browser, await depart(browser, path="/auth/connect"))
    page = await text_of((await browser.follow(answer, PLATFORM))[0])
    assert "It is connected" in page
    assert "bob.example.net" in page
    assert "did:plc:bob" in page
    assert browser.jars[PLATFORM][PLATFORM_COOKIE] == before
    other = Browser(host)
    await come_back(other, await depart(other))
    assert who(host, other) == host.ada


async def test_strangers_connect_nothing(host: SmallHost) -> None:
    for path in ("/auth/connect", "/auth/disconnect"):
        answer = await Browser(host).post(PLATFORM, path, form={"provider": "atproto", "handle": "bob"})
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/auth/login")
    assert not host.db.all("SELECT 1 FROM signins")


async def test_what_fails_while_connecting_is_told_on_the_page_of_the_account(
    host: SmallHost, provider: FakeProvider
) -> None:
    browser = await host.signed_in(host.ada)
    form = {"provider": "atproto", "handle": "no body"}
    answer = await browser.post(PLATFORM, "/auth/connect", form=form)
    page = await text_of(answer)
    assert answer.status_code == 400
    assert "<h1>Ways to sign in</h1>" in page
    assert "A handle has no spaces." in page
    assert 'value="no body"' in page
    state = await depart(browser, "bob.example.net", path="/auth/connect")
    answer = await browser.get(PLATFORM, f"/auth/callback?state={state}&error=access_denied")
    page = await text_of(answer)
    assert "<h1>Ways to sign in</h1>" in page
    assert "You said no there." in page
    assert 'value="bob.example.net"' in page

    async def sign_out() -> None:
        await browser.post(PLATFORM, "/auth/logout")

    provider.before_begin = sign_out  # in another tab, while the provider is asked
    answer = await browser.post(PLATFORM, "/auth/connect", form={"provider": "atproto", "handle": "bob"})
    assert answer.status_code == 400
    assert not host.db.all("SELECT 1 FROM signins")


async def test_an_identity_of_somebody_else_is_not_taken_from_them(host: SmallHost) -> None:
    await link_bob(host)
    browser = await host.signed_in(host.eve)
    answer = await come_back(browser, await depart(browser, path="/auth/connect"))
    assert answer.status_code == 409
    assert "belongs to another account" in await text_of(answer)
    assert find_user(host.db, "atproto", "did:plc:bob") == host.ada
    assert who(host, browser) == host.eve


async def test_a_connection_is_made_in_the_session_that_began_it(host: SmallHost) -> None:
    browser = await host.signed_in(host.ada)
    state = await depart(browser, path="/auth/connect")
    other = await host.signed_in(host.eve)
    jar = browser.jars[PLATFORM]
    jar[PLATFORM_COOKIE] = other.jars[PLATFORM][PLATFORM_COOKIE]
    answer = await come_back(browser, state)
    assert answer.status_code == 400
    assert "nothing was connected" in await text_of(answer)
    assert find_user(host.db, "atproto", "did:plc:bob") is None
    # Signed out meanwhile: what was begun ended with the session.
    browser = await host.signed_in(host.ada)
    state = await depart(browser, path="/auth/connect")
    await browser.post(PLATFORM, "/auth/logout")
    assert (await come_back(browser, state)).status_code == 400
    assert find_user(host.db, "atproto", "did:plc:bob") is None


async def test_connecting_twice_changes_nothing(host: SmallHost) -> None:
    await link_bob(host)
    browser = await host.signed_in(host.ada)
    assert (await come_back(browser, await depart(browser, path="/auth/connect"))).status_code == 303
    assert len(identities_of(host.db, host.ada)) == 1


async def test_the_last_way_in_stays(host: SmallHost) -> None:
    await link_bob(host)
    browser = await host.signed_in(host.ada)
    form = {"provider": "atproto", "subject": "did:plc:bob"}
    answer = await browser.post(PLATFORM, "/auth/disconnect", form=form)
    assert answer.status_code == 409
    assert "only way into your account" in await text_of(answer)
    await link_identity(host.db, host.ada, Identity("oidc", "https://id#1", None, "Ada"))
    assert (await browser.post(PLATFORM, "/auth/disconnect", form=form)).status_code == 303
    assert [identity.provider for identity in identities_of(host.db, host.ada)] == ["oidc"]
    with pytest.raises(LastWayIn):
        await unlink_identity(host.db, host.ada, "oidc", "https://id#1")
    assert not await unlink_identity(host.db, host.eve, "oidc", "https://id#1")


async def test_signing_out_of_all_browsers(host: SmallHost) -> None:
    here, there, hers = [await host.signed_in(user) for user in (host.ada, host.ada, host.eve)]
    await here.post(PLATFORM, "/auth/logout", form={"everywhere": "yes"})
    assert [who(host, browser) for browser in (here, there, hers)] == [None, None, host.eve]


async def test_who_the_settings_name_is_an_operator_from_the_next_sign_in_on(host: SmallHost) -> None:
    await link_identity(host.db, host.ada, KEEPER)
    browser = Browser(host)
    await come_back(browser, await depart(browser, "keeper"), "keeper")
    assert (ada := find_user_by_name(host.db, "ada")) is not None
    assert ada.is_operator


async def test_who_the_settings_name_and_the_operator_suspended_stays_out(host: SmallHost) -> None:
    await link_identity(host.db, host.ada, KEEPER)
    await suspend(host.db, host.ada, "On holiday.", by=OPERATOR)
    browser = Browser(host)
    answer = await come_back(browser, await depart(browser, "keeper"), "keeper")
    assert answer.status_code == 403
    assert "On holiday." in await text_of(answer)
    assert who(host, browser) is None
    assert (ada := find_user_by_name(host.db, "ada")) is not None
    assert not ada.is_operator


def test_failures_carry_their_sentence() -> None:
    failure = SignInFailed("denied", "You said no.")
    assert (str(failure), failure.code) == ("You said no.", "denied")
