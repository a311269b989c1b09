"""Making an account: who may, under which name, and everything that comes in between."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.accounts import InvalidAccount, check_user_name, create_user, find_user_by_name, look_of
from robot.db import Database
from robot.invitations import invite_by_link
from robot.joining import accept_linked_offer
from robot.model import Role
from robot.signin.admission import Admission, Policy
from robot.signin.cookies import INVITATION_COOKIE, SIGNUP_COOKIE
from robot.signin.identities import find_user, link_identity
from robot.signin.providers import Identity
from robot.signin.signups import (
    SIGNUP_LIFETIME_S,
    Signup,
    SignupOver,
    find_signup,
    finish_signup,
    keep_signup,
    suggest_display_name,
    suggest_name,
)
from robot.web.all_pages import PersonSignIn
from tests.robot.fake_provider import PLATFORM, FakeProvider, come_back, depart
from tests.robot.small_host import Browser, FakeClock, SmallHost, small_host, text_of
from tests.robot.test_signin_provider import who

BOB = Identity("atproto", "did:plc:bob", "bob.example.net", "Bob")
FORM = {"identity": "atproto did:plc:bob", "name": "bob", "display_name": "Bob B."}


@asynccontextmanager
async def host_that_lets_in(root: Path, policy: Policy, *operators: str) -> AsyncIterator[SmallHost]:
    async with small_host(
        root, people=PersonSignIn((FakeProvider(),), Admission(policy, frozenset(operators)))
    ) as made:
        yield made


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[SmallHost]:
    async with host_that_lets_in(tmp_path, "open") as made:
        yield made


async def arrive(host: SmallHost, who: str = "bob", **more: str) -> Browser:
    """A browser whose person has proved who they are, and is asked for a user name."""
    browser = Browser(host)
    answer = await come_back(browser, await depart(browser, who, **more), who)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/auth/sign-up")
    return browser


async def test_who_is_new_chooses_a_name_and_goes_on(host: SmallHost) -> None:
    browser = await arrive(host, next="/app/create")
    page = await text_of(await browser.get(PLATFORM, "/auth/sign-up"))
    assert "You are known as <b>bob.example.net</b>" in page
    assert 'name="name" value="bob"' in page
    assert 'name="display_name" value="Bob"' in page
    answer = await browser.post(PLATFORM, "/auth/sign-up", form=FORM)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/app/create")
    bob = find_user_by_name(host.db, "bob")
    assert bob is not None
    assert (bob.display_name, bob.is_operator) == ("Bob B.", False)
    assert find_user(host.db, "atproto", "did:plc:bob") == bob == who(host, browser)
    assert SIGNUP_COOKIE not in browser.jars[PLATFORM]
    assert not host.db.all("SELECT 1 FROM signups")
    # The second time nobody is asked.
    other = Browser(host)
    assert (await come_back(other, await depart(other))).headers["Location"] == "/app/"


NAMES_THAT_NOBODY_GETS = {
    "ada": "is taken", "a-da": "looks like one that is taken", "root": "is reserved", "r00t": "looks like one",
    "supp0rt": "looks like one", "adm1n": "looks like one", "keeper": "is reserved", "kee-per": "is reserved",
    "ab": "3 to 30 letters", "Bob": "3 to 30 letters", "": "3 to 30 letters", "b\u043eb": "3 to 30 letters",
}  # fmt: skip


async def test_a_name_that_cannot_be_had_is_refused_with_what_was_typed(host: SmallHost) -> None:
    browser = await arrive(host)
    for name, sentence in NAMES_THAT_NOBODY_GETS.items():
        answer = await browser.post(PLATFORM, "/auth/sign-up", form={**FORM, "name": name})
        page = await text_of(answer)
        assert answer.status_code in (400, 409)
        assert sentence in page, name
        assert f'name="name" value="{name}"' in page
        assert 'name="display_name" value="Bob B."' in page
    answer = await browser.post(PLATFORM, "/auth/sign-up", form={**FORM, "display_name": "Bob <3"})
    assert answer.status_code == 400
    assert "neither &lt; nor &gt;" in await text_of(answer)
    assert find_user(host.db, "atproto", "did:plc:bob") is None
    # Nothing is lost: with another name it goes on.
    assert (await browser.post(PLATFORM, "/auth/sign-up", form=FORM)).status_code == 303


async def test_the_live_check_says_the_same_and_only_to_who_signs_up(host: SmallHost) -> None:
    browser = await arrive(host)
    for name, free in (("bob", True), ("ada", False), ("r00t", False), ("", False), ("x" * 500, False)):
        answer = await browser.get(PLATFORM, f"/auth/sign-up/check?name={name}")
        said = await answer.get_json()
        assert said["free"] is free
        assert said["sentence"]
    assert (await Browser(host).get(PLATFORM, "/auth/sign-up/check?name=bob")).status_code == 403


async def test_two_who_want_one_name_at_once(host: SmallHost) -> None:
    browsers = [(who, await arrive(host, who)) for who in ("bob", "carol", "dave")]
    statuses: list[int] = []

    async def sign_up(who: str, browser: Browser) -> None:
        form = {**FORM, "identity": f"atproto did:plc:{who}", "name": "samename"}
        answer = await browser.post(PLATFORM, "/auth/sign-up", form=form)
        statuses.append(answer.status_code)
        if answer.status_code == 409:
            assert "The user name samename is taken. Choose another." in await text_of(answer)

    async with trio.open_nursery() as nursery:
        for who, browser in browsers:
            nursery.start_soon(sign_up, who, browser)
    assert sorted(statuses) == [303, 409, 409]
    assert len(host.db.all("SELECT 1 FROM identities")) == 1


async def test_a_form_that_is_sent_twice_makes_one_account(host: SmallHost) -> None:
    browser = await arrive(host)
    secret = browser.jars[PLATFORM][SIGNUP_COOKIE]
    await browser.post(PLATFORM, "/auth/sign-up", form=FORM)
    again = await browser.post(PLATFORM, "/auth/sign-up", form={**FORM, "name": "bobby"})
    assert (again.status_code, again.headers["Location"]) == (303, "/app/")
    # The same with the old cookie, as two requests that were under way at once have it.
    stale = Browser(host)
    stale.jars = {PLATFORM: {SIGNUP_COOKIE: secret}}
    answer = await stale.post(PLATFORM, "/auth/sign-up", form={**FORM, "name": "bobby"})
    assert answer.status_code == 400
    assert "This sign-up is over" in await text_of(answer)
    assert find_user_by_name(host.db, "bobby") is None


async def test_two_tabs_make_the_account_that_the_form_showed(host: SmallHost) -> None:
    browser = await arrive(host)
    await come_back(browser, await depart(browser, "carol"), "carol")  # in another tab
    answer = await browser.post(PLATFORM, "/auth/sign-up", form=FORM)
    assert answer.status_code == 409
    page = await text_of(answer)
    assert "Another sign-in has begun in this browser" in page
    assert "You are known as <b>carol.example.net</b>" in page
    assert find_user_by_name(host.db, "bob") is None


async def test_an_identity_that_got_an_account_meanwhile_makes_no_second(host: SmallHost) -> None:
    browser = await arrive(host)
    await link_identity(host.db, host.eve, BOB)
    answer = await browser.post(PLATFORM, "/auth/sign-up", form=FORM)
    assert answer.status_code == 400
    assert find_user_by_name(host.db, "bob") is None


async def test_a_signed_in_person_is_told_that_this_is_another_account(host: SmallHost) -> None:
    browser = await host.signed_in(host.ada)
    await come_back(browser, await depart(browser), "bob")
    page = await text_of(await browser.get(PLATFORM, "/auth/sign-up"))
    assert "This browser is signed in as <b>Ada Lovelace</b>" in page
    assert who(host, browser) == host.ada


async def test_strangers_find_no_form(host: SmallHost) -> None:
    for answer in (
        await Browser(host).get(PLATFORM, "/auth/sign-up"),
        await Browser(host).post(PLATFORM, "/auth/sign-up", form=FORM),
    ):
        assert answer.status_code == 400
        assert "This sign-up is over" in await text_of(answer)


@pytest.mark.parametrize(("policy", "sentence"), [("invited", "need an invitation"), ("closed", "takes no new people")])
async def test_who_is_not_let_in_is_told_so(tmp_path: Path, policy: Policy, sentence: str) -> None:
    async with host_that_lets_in(tmp_path, policy) as host:
        browser = await arrive(host)
        for answer in (
            await browser.get(PLATFORM, "/auth/sign-up"),
            await browser.post(PLATFORM, "/auth/sign-up", form=FORM),
        ):
            assert answer.status_code == 403
            assert sentence in await text_of(answer)
        assert find_user_by_name(host.db, "bob") is None


async def test_an_invitation_lets_its_own_person_in(tmp_path: Path) -> None:
    async with host_that_lets_in(tmp_path, "invited") as host:
        wiki = await host.make_wiki("notes")
        usual = {"id": "i_1", "wiki_id": wiki.id, "role": "viewer", "provider": "atproto", "subject": "did:plc:bob",
                 "invited_by": host.ada.id, "created_at": 0, "expires_at": 2**40}  # fmt: skip

        async def admits(**changes: str | int) -> bool:
            row = usual | changes

            def replace(connection: sqlite3.Connection) -> None:
                connection.execute("DELETE FROM invitations")
                names, marks = ", ".join(row), ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO invitations ({names}) VALUES ({marks})", tuple(row.values()))

            await host.db.write(replace)
            return Admission("invited").may_sign_up(host.db, BOB)

        assert not await admits(used_at=1)
        assert not await admits(declined_at=1)
        assert not await admits(withdrawn_at=1)
        assert not await admits(expires_at=1)
        assert not await admits(subject="did:plc:carol")
        assert not await admits(provider="oidc")
        assert await admits()
        assert not Admission("closed").may_sign_up(host.db, BOB)
        browser = await arrive(host)
        assert (await browser.post(PLATFORM, "/auth/sign-up", form=FORM)).status_code == 303
        # Nobody is invited any more to a wiki that was deleted.
        await host.db.write(lambda connection: connection.execute("UPDATE wikis SET state = 'deleting'"))
        assert not Admission("invited").may_sign_up(host.db, BOB)


async def test_the_link_of_an_invitation_lets_whoever_follows_it_in(tmp_path: Path) -> None:
    async with host_that_lets_in(tmp_path, "invited") as host:
        wiki = await host.make_wiki("notes")
        secret = await invite_by_link(host.db, wiki, host.ada, Role.EDITOR, 7)
        browser = Browser(host)
        await browser.follow(await browser.get(PLATFORM, f"/invite?token={secret}"), PLATFORM)
        await come_back(browser, await depart(browser, next="/invite"))
        answer = await browser.post(PLATFORM, "/auth/sign-up", form=FORM)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/invite")
        # Used up, it lets nobody in any more.
        bob = find_user_by_name(host.db, "bob")
        assert bob is not None
        await accept_linked_offer(host.db, bob, secret, limit=None)
        late = Browser(host)
        late.jars = {PLATFORM: {INVITATION_COOKIE: secret}}
        await come_back(late, await depart(late, "carol"), "carol")
        assert (await late.get(PLATFORM, "/auth/sign-up")).status_code == 403


@pytest.mark.parametrize("policy", ["open", "invited", "closed"])
async def test_the_first_operator_gets_in_whatever_the_policy_is(tmp_path: Path, policy: Policy) -> None:
    async with host_that_lets_in(tmp_path, policy, "did:plc:bob") as host:
        browser = await arrive(host)
        assert (await browser.post(PLATFORM, "/auth/sign-up", form=FORM)).status_code == 303
        bob = find_user_by_name(host.db, "bob")
        assert bob is not None
        assert bob.is_operator


async def test_a_sign_up_lives_half_an_hour(host: SmallHost) -> None:
    clock, signup = FakeClock(), Signup(BOB, "/app/")
    first = await keep_signup(host.db, signup, clock=clock)
    secret = await keep_signup(host.db, signup, clock=clock)
    assert find_signup(host.db, first, clock=clock) is None  # the newer one is in its place
    assert find_signup(host.db, secret, clock=clock) == signup
    clock.now += SIGNUP_LIFETIME_S
    assert find_signup(host.db, secret, clock=clock) is None
    await keep_signup(host.db, Signup(Identity("atproto", "did:plc:x", None, ""), "/"), clock=clock)
    assert len(host.db.all("SELECT 1 FROM signups")) == 1
    with pytest.raises(SignupOver):
        await finish_signup(host.db, secret, signup, "bob", "Bob", clock=clock)
    assert find_user_by_name(host.db, "bob") is None


@pytest.mark.parametrize(
    ("handle", "display_name", "name"),
    [
        ("ada.bsky.social", "Ada", "ada"),
        ("Ada_L.example.net", "", "ada-l"),
        ("x.example.net", "", ""),
        (None, "Åsa Öberg", "asa-oberg"),
        (None, "ada@example.net", "ada"),
        (None, "山田", ""),
        (None, "", ""),
        ("a" * 60 + ".example.net", "", "a" * 30),
        (None, "a" * 29 + " b", "a" * 29),
    ],
)
def test_a_user_name_is_suggested(handle: str | None, display_name: str, name: str) -> None:
    assert suggest_name(Identity("oidc", "s", handle, display_name)) == name


def test_a_display_name_is_suggested_that_can_be_had() -> None:
    odd = Identity("oidc", "s", None, " Ada\x00 <b>\u202e " + "x" * 100)
    assert suggest_display_name(odd) == ("Ada b " + "x" * 100)[:80]


NAMES = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{1,28})[a-z0-9]", fullmatch=True)


def test_the_database_sees_names_as_we_do(tmp_path: Path) -> None:
    with closing(Database.open(tmp_path / "robot.db")) as db:

        @settings(max_examples=50)
        @given(st.lists(NAMES, min_size=1, max_size=20, unique=True))
        def check(names: list[str]) -> None:
            def look(connection: sqlite3.Connection) -> dict[str, str]:
                connection.execute("DELETE FROM users")
                rows = [(name, name) for name in names]
                connection.executemany(
                    "INSERT INTO users (id, name, display_name, created_at) VALUES (?, ?, '', 0)", rows
                )
                return dict(connection.execute("SELECT name, look FROM users").fetchall())

            assert db.transact(look) == {name: look_of(name) for name in names}

        check()


async def test_operators_cannot_make_look_alikes_either(host: SmallHost) -> None:
    with pytest.raises(InvalidAccount, match="looks like one that is taken"):
        await create_user(host.db, "a-d-a", "Ada")
    with pytest.raises(InvalidAccount, match="looks like one that is reserved"):
        check_user_name("5y5tem")
