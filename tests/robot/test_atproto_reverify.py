"""Handles that are shown: which are asked about, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trio

from robot.accounts import create_user
from robot.db import Database
from robot.model import User
from robot.signin.atproto.reverify import SHOWN_S, UNANSWERED_SHOWN_S, DirectoryDown, Reverifier
from robot.signin.identities import find_user, identities_of, link_identity, note_use
from robot.signin.providers import Identity
from tests.robot.small_host import FakeClock
from tests.robot.test_atproto_identity import ALICE, BOB, HANDLE, PLC, WEB, Scene, document
from tests.wikihost.fleets import eventually

NEW = "alice.example.net"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "robot.db")
    yield opened
    opened.close()


class Shown:
    """Alice and her handle, as a host shows them."""

    def __init__(self, db: Database, user: User) -> None:
        self.db = db
        self.user = user
        self.clock = FakeClock()
        self.scene = Scene()
        self.reverifier = Reverifier(db, self.scene.identities, clock=self.clock)

    @property
    def handle(self) -> str | None:
        return identities_of(self.db, self.user)[0].handle

    @property
    def asked(self) -> list[str]:
        return self.scene.world.asked

    async def link(self, provider: str, subject: str, handle: str | None) -> None:
        await link_identity(self.db, self.user, Identity(provider, subject, handle, ""), clock=self.clock)

    async def check_after(self, seconds: float) -> None:
        self.clock.now += seconds
        self.scene.clock.now += seconds
        await self.reverifier.check_due(pause_s=0)


@pytest.fixture
async def shown(db: Database) -> Shown:
    made = Shown(db, await create_user(db, "alice", "Alice"))
    await made.link("atproto", ALICE, HANDLE)
    return made


async def test_a_handle_is_asked_about_once_a_day(shown: Shown) -> None:
    await shown.check_after(SHOWN_S - 1)
    assert shown.asked == []
    await shown.check_after(1)
    assert len(shown.asked) == 2
    await shown.check_after(3600)
    assert len(shown.asked) == 2
    assert shown.handle == HANDLE


async def test_a_handle_that_leads_elsewhere_is_shown_no_more_and_comes_back(shown: Shown) -> None:
    shown.scene.host_names(HANDLE, BOB)
    await shown.check_after(SHOWN_S)
    assert shown.handle is None
    shown.scene.host_names(HANDLE, ALICE)
    await shown.check_after(SHOWN_S)
    assert shown.handle == HANDLE


async def test_a_changed_handle_takes_the_place_of_the_old_one(shown: Shown) -> None:
    shown.scene.says[f"{PLC}/{ALICE}"] = document(ALICE, f"at://{NEW}")
    shown.scene.host_names(NEW, ALICE)
    await shown.check_after(SHOWN_S)
    assert shown.handle == NEW
    found = find_user(shown.db, "atproto", ALICE)
    assert found is not None
    assert found.id == shown.user.id


async def test_a_claimed_handle_of_another_is_not_shown(shown: Shown) -> None:
    shown.scene.says[f"{PLC}/{ALICE}"] = document(ALICE, "at://bob.example.org")
    shown.scene.host_names("bob.example.org", BOB)
    await shown.check_after(SHOWN_S)
    assert shown.handle is None


async def test_an_account_that_is_no_more_is_shown_no_more(shown: Shown) -> None:
    shown.scene.says[f"{PLC}/{ALICE}"] = 410
    await shown.check_after(SHOWN_S)
    assert shown.handle is None


async def test_a_directory_that_is_down_changes_nothing_and_is_not_asked_for_everybody(shown: Shown) -> None:
    await shown.link("atproto", BOB, "bob.example.org")
    shown.scene.says[f"{PLC}/{ALICE}"] = shown.scene.says[f"{PLC}/{BOB}"] = 503
    with pytest.raises(DirectoryDown):
        await shown.check_after(10 * UNANSWERED_SHOWN_S)
    assert shown.handle is not None
    assert len(shown.asked) == 1


async def test_a_domain_that_does_not_answer_has_days(shown: Shown) -> None:
    del shown.scene.says[f"https://{HANDLE}/.well-known/atproto-did"]
    await shown.check_after(SHOWN_S)
    assert shown.handle == HANDLE
    await shown.check_after(UNANSWERED_SHOWN_S - SHOWN_S)
    assert shown.handle is None


async def test_one_that_does_not_answer_keeps_no_other_waiting(shown: Shown) -> None:
    await shown.link("atproto", WEB, None)  # its document is on a host that is away
    shown.scene.host_names(HANDLE, 404)
    await shown.check_after(SHOWN_S)
    assert shown.handle is None


async def test_many_are_asked_about_each_once(shown: Shown) -> None:
    others = [f"did:plc:{number:024d}".replace("0", "z").replace("1", "y").replace("8", "x").replace("9", "w")
              for number in range(60)]  # fmt: skip
    for did in others:
        await shown.link("atproto", did, "somebody.example.org")
        shown.scene.says[f"{PLC}/{did}"] = 404
    await shown.check_after(SHOWN_S)
    assert sorted(asked for asked in shown.asked if asked.startswith(PLC)) == sorted(
        f"{PLC}/{did}" for did in [ALICE, *others]
    )
    assert {linked.handle for linked in identities_of(shown.db, shown.user)} == {HANDLE, None}


async def test_other_providers_are_left_alone(shown: Shown) -> None:
    await shown.link("oidc", "https://id.example.org#7", "alice@example.org")
    await shown.check_after(SHOWN_S)
    handles = {linked.provider: linked.handle for linked in identities_of(shown.db, shown.user)}
    assert handles == {"atproto": HANDLE, "oidc": "alice@example.org"}


async def test_what_a_sign_in_proves_meanwhile_is_newer(shown: Shown) -> None:
    check_handle = shown.scene.identities.check_handle

    async def slow(did: str) -> object:
        found = await check_handle(did)
        await note_use(shown.db, Identity("atproto", ALICE, NEW, ""), clock=lambda: shown.clock.now + 1)
        return found

    shown.scene.identities.check_handle = slow  # type: ignore[method-assign, assignment]
    await shown.check_after(SHOWN_S)
    assert shown.handle == NEW


async def test_the_task_goes_on_after_a_directory_was_down(shown: Shown) -> None:
    shown.scene.says[f"{PLC}/{ALICE}"] = 503
    shown.clock.now += SHOWN_S
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(shown.reverifier.run, every_s=0.01))
        await eventually(lambda: len(shown.asked) > 2)
        assert shown.handle == HANDLE
        shown.scene.says[f"{PLC}/{ALICE}"] = 404
        await eventually(lambda: shown.handle is None)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("how", ["signs in", "makes an account", "is asked about"])
async def test_a_handle_is_shown_for_one_account_only(shown: Shown, how: str) -> None:
    """Who had it before does not pass for its new owner for the rest of the day."""
    db, bob = shown.db, await create_user(shown.db, "bob", "Bob")
    shown.scene.host_names(HANDLE, BOB)
    shown.scene.says[f"{PLC}/{BOB}"] = document(BOB, f"at://{HANDLE}")
    match how:
        case "signs in":
            await link_identity(db, bob, Identity("atproto", BOB, "bob.example.net", ""), clock=shown.clock)
            await note_use(db, Identity("atproto", BOB, HANDLE, ""), clock=shown.clock)
        case "makes an account":
            await link_identity(db, bob, Identity("atproto", BOB, HANDLE, ""), clock=shown.clock)
        case _:
            await link_identity(db, bob, Identity("atproto", BOB, None, ""), clock=shown.clock)
            shown.clock.now += SHOWN_S
            await link_identity(db, shown.user, Identity("atproto", ALICE, HANDLE, ""), clock=shown.clock)
            await shown.reverifier.check_due(pause_s=0)
    assert (shown.handle, identities_of(db, bob)[0].handle) == (None, HANDLE)
