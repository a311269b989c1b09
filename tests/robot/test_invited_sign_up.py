"""Somebody who was never on this host is invited, proves who they are, makes an account, and joins."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from robot.access import grant_role, role_of
from robot.accounts import find_user_by_name
from robot.audit import OPERATOR
from robot.invitations import Addressee, invite_by_link, invite_identity
from robot.model import Role, Wiki
from robot.signin.admission import Admission
from robot.signin.cookies import INVITATION_COOKIE
from robot.standing import suspend
from robot.web.all_pages import PersonSignIn
from tests.robot.fake_provider import PLATFORM, FakeProvider, come_back, depart
from tests.robot.small_host import Browser, SmallHost, small_host, text_of

FORM = {"identity": "atproto did:plc:bob", "name": "bob", "display_name": "Bob"}


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[SmallHost]:
    """A host on which only the invited make accounts."""
    async with small_host(tmp_path, people=PersonSignIn((FakeProvider(),), Admission("invited"))) as made:
        yield made


async def signs_up(browser: Browser, **more: str) -> str:
    """Where somebody new is sent once they have an account."""
    back = await come_back(browser, await depart(browser, **more))
    assert back.headers["Location"] == "/auth/sign-up"
    made = await browser.post(PLATFORM, "/auth/sign-up", form=FORM)
    assert made.status_code == 303, await text_of(made)
    return made.headers["Location"]


def role_of_bob(host: SmallHost, wiki: Wiki) -> Role | None:
    bob = find_user_by_name(host.db, "bob")
    return None if bob is None else role_of(host.db, bob.id, wiki.id)


async def test_by_handle(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await invite_identity(host.db, wiki, host.ada, Addressee("atproto", "did:plc:bob", "@bob.example.net"), Role.EDITOR)
    browser = Browser(host)
    dashboard = await text_of(await browser.get(PLATFORM, await signs_up(browser)))
    assert "Ada Lovelace (ada) invites you as an editor" in dashboard
    accept = re.search(r"/app/invitations/\w+/accept", dashboard)
    assert accept
    assert role_of_bob(host, wiki) is None
    assert (await browser.post(PLATFORM, accept[0])).headers["Location"] == "/app/wiki/notes?joined=1"
    assert role_of_bob(host, wiki) is Role.EDITOR


async def test_by_link(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    secret = await invite_by_link(host.db, wiki, host.ada, Role.VIEWER, 7)
    browser = Browser(host)
    await browser.get(PLATFORM, f"/invite?token={secret}")
    back = await signs_up(browser, next="/invite")
    assert back == "/invite"
    on_disk = b"".join(path.read_bytes() for path in host.data.root.glob("robot.db*"))
    assert b"/invite" in on_disk
    assert secret.encode() not in on_disk
    meant = re.search(r'name="invitation" value="(\w+)"', await text_of(await browser.get(PLATFORM, back)))
    assert meant
    joined = await browser.post(PLATFORM, "/invite", form={"invitation": meant[1]})
    assert joined.headers["Location"] == "/app/wiki/notes?joined=1"
    assert role_of_bob(host, wiki) is Role.VIEWER


async def test_a_link_lets_one_person_make_an_account(host: SmallHost) -> None:
    """Else whoever has one could make as many as they have identities, as long as none of them accepts it."""
    wiki = await host.make_wiki("notes")
    secret = await invite_by_link(host.db, wiki, host.ada, Role.VIEWER, 7)
    waiting = []
    for who in ("bob", "carol"):
        browser = Browser(host)
        await browser.get(PLATFORM, f"/invite?token={secret}")
        await come_back(browser, await depart(browser, who, next="/invite"), who)
        assert (await browser.get(PLATFORM, "/auth/sign-up")).status_code == 200
        waiting.append((browser, {"identity": f"atproto did:plc:{who}", "name": who, "display_name": who}))
    browser, form = waiting[0]
    assert (await browser.post(PLATFORM, "/auth/sign-up", form=form | {"name": "ada"})).status_code == 409
    made = [(await browser.post(PLATFORM, "/auth/sign-up", form=form)).status_code for browser, form in waiting]
    assert made == [303, 403], "the name that was taken used nothing up"
    assert find_user_by_name(host.db, "carol") is None


@pytest.mark.parametrize("what", ["suspended", "leaving", "lowered"])
async def test_who_may_not_invite_any_more_brings_nobody_onto_the_host(host: SmallHost, what: str) -> None:
    wiki = await host.make_wiki("notes")
    await invite_identity(host.db, wiki, host.ada, Addressee("atproto", "did:plc:bob", "@bob.example.net"), Role.EDITOR)
    secret = await invite_by_link(host.db, wiki, host.ada, Role.VIEWER, 7)
    if what == "suspended":
        await suspend(host.db, host.ada, "", by=OPERATOR)
    elif what == "leaving":
        await host.db.write(lambda connection: connection.execute("UPDATE users SET leaving_at = 1 WHERE name = 'ada'"))
    else:
        await grant_role(host.db, host.ada, wiki, Role.EDITOR)
    browser = Browser(host)
    browser.jars = {PLATFORM: {INVITATION_COOKIE: secret}}
    await come_back(browser, await depart(browser))
    assert (await browser.get(PLATFORM, "/auth/sign-up")).status_code == 403
    assert (await browser.post(PLATFORM, "/auth/sign-up", form=FORM)).status_code == 403
    assert find_user_by_name(host.db, "bob") is None
