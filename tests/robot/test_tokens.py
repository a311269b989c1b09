from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import trio

from robot.access import grant_role, may, role_of
from robot.audit import doer_of
from robot.clock import moment
from robot.credential_uses import LAST_USED_EVERY_S, CredentialUses
from robot.model import Action, Actor, Agent, Anonymous, Person, Role, Scope, Token, User, Visibility, Wiki
from robot.tokens import (
    InvalidToken,
    check_token_name,
    create_token,
    find_token,
    list_tokens,
    revoke_token,
    verify_token,
)
from tests.robot.small_host import FakeClock, SmallHost, withdraw_role


async def test_a_token_opens_its_own_wiki_only(host: SmallHost) -> None:
    wiki, other = await host.make_wiki("one"), await host.make_wiki("two")
    secret, token = await create_token(host.db, host.ada, wiki, " my  agent ", [Scope.WRITE])
    assert secret.startswith("robot_")
    assert len(secret) >= len("robot_") + 27  # 160 bits in base64
    assert token.name == "my agent"
    assert token.scopes == {Scope.READ, Scope.WRITE}
    assert verify_token(host.db, secret, wiki.id) == (token, host.ada, Role.OWNER)
    assert verify_token(host.db, secret, other.id) is None
    assert find_token(host.db, other, token.id) is None
    assert not await revoke_token(host.db, other, token.id, by=doer_of(host.ada))
    for wrong in ("", "robot_", secret[:-1], secret + "x", secret.upper(), "robot_\udcff", "robot_" + "x" * 9999):
        assert verify_token(host.db, wrong, wiki.id) is None


async def test_a_token_may_reach_one_folder(host: SmallHost) -> None:
    wiki = await host.make_wiki("one")
    for typed in ("Projects/Apollo", " Projects/Apollo/ "):
        secret, token = await create_token(host.db, host.ada, wiki, "t", [Scope.READ], prefix=typed)
        assert token.prefix == "Projects/Apollo/"
        assert verify_token(host.db, secret, wiki.id) == (token, host.ada, Role.OWNER)
    for typed in ("", "/", "/Projects/", "a/../b", "a\0"):
        with pytest.raises(InvalidToken, match="A folder is written as"):
            await create_token(host.db, host.ada, wiki, "t", [Scope.READ], prefix=typed)
    assert len(list_tokens(host.db, wiki)) == 2


async def test_a_revoked_token_is_refused_at_once(host: SmallHost) -> None:
    wiki = await host.make_wiki("one")
    secret, token = await create_token(host.db, host.ada, wiki, "t", [Scope.READ])
    assert list_tokens(host.db, wiki) == [(token, host.ada)]
    assert await revoke_token(host.db, wiki, token.id, by=doer_of(host.ada))
    assert verify_token(host.db, secret, wiki.id) is None
    assert list_tokens(host.db, wiki) == []


async def test_a_token_expires(host: SmallHost) -> None:
    wiki, clock = await host.make_wiki("one"), FakeClock()
    expires = moment(clock.now) + timedelta(days=1)
    secret, _ = await create_token(host.db, host.ada, wiki, "t", [Scope.READ], expires=expires, clock=clock)
    assert verify_token(host.db, secret, wiki.id, clock=clock) is not None
    clock.now += 24 * 3600
    assert verify_token(host.db, secret, wiki.id, clock=clock) is None


async def test_a_token_dies_with_its_persons_role(host: SmallHost) -> None:
    wiki = await host.make_wiki("one")
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    secret, _ = await create_token(host.db, host.eve, wiki, "t", [Scope.WRITE])
    await grant_role(host.db, host.eve, wiki, Role.VIEWER)
    found = verify_token(host.db, secret, wiki.id)
    assert found is not None
    assert found[2] is Role.VIEWER
    await withdraw_role(host.db, host.eve, wiki)
    assert role_of(host.db, host.eve.id, wiki.id) is None
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    assert verify_token(host.db, secret, wiki.id) is None


@pytest.mark.parametrize("name", ["", " ", "x" * 61, "a\x00b"])
def test_unfit_token_names(name: str) -> None:
    with pytest.raises(InvalidToken):
        check_token_name(name)


def stored_bytes(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in root.glob("robot.db*"))


async def test_no_secret_is_stored(host: SmallHost, tmp_path: Path) -> None:
    wiki = await host.make_wiki("one")
    secret, token = await create_token(host.db, host.ada, wiki, "t", [Scope.READ])
    browser = await host.signed_in(host.ada)
    cookies = [value for jar in browser.jars.values() for value in jar.values()]
    assert cookies
    stored = stored_bytes(tmp_path)
    for shown in (secret, secret.removeprefix("robot_"), *cookies):
        assert shown.encode() not in stored
    assert secret not in repr(token)


async def test_uses_are_written_down_once_a_minute(host: SmallHost) -> None:
    wiki, clock = await host.make_wiki("one"), FakeClock()
    _, token = await create_token(host.db, host.ada, wiki, "t", [Scope.READ])
    uses = CredentialUses(host.db, clock=clock)

    def stored() -> float | None:
        found = find_token(host.db, wiki, token.id)
        assert found is not None
        return None if found.last_used is None else found.last_used.timestamp()

    for _ in range(100):
        uses.note(token)
    assert stored() is None
    await uses.flush()
    assert stored() == int(clock.now)
    clock.now += LAST_USED_EVERY_S
    await uses.flush()  # nothing noted since: nothing changes
    assert stored() == int(clock.now) - LAST_USED_EVERY_S


async def test_uses_that_could_not_be_written_are_kept(host: SmallHost) -> None:
    wiki = await host.make_wiki("one")
    _, token = await create_token(host.db, host.ada, wiki, "t", [Scope.READ])
    uses = CredentialUses(host.db)
    uses.note(token)
    host.db._writer.execute("PRAGMA query_only = 1")
    await uses.flush()
    host.db._writer.execute("PRAGMA query_only = 0")
    await uses.flush()
    found = find_token(host.db, wiki, token.id)
    assert found is not None
    assert found.last_used is not None


async def test_uses_are_flushed_by_the_background_task(host: SmallHost) -> None:
    wiki = await host.make_wiki("one")
    _, token = await create_token(host.db, host.ada, wiki, "t", [Scope.READ])
    flushed = trio.Event()

    class Watched(CredentialUses):
        async def flush(self) -> None:
            await super().flush()
            flushed.set()

    uses = Watched(host.db)
    uses.note(token)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(uses.run, every_s=0.01))
        with trio.fail_after(5):
            await flushed.wait()
        nursery.cancel_scope.cancel()
    found = find_token(host.db, wiki, token.id)
    assert found is not None
    assert found.last_used is not None


USER = User("u_1", "ada", "Ada", is_operator=True, created=moment(0))


def wiki_that_is(visibility: Visibility) -> Wiki:
    return Wiki("w_1", "notes", "Notes", "", visibility, moment(0))


def agent(role: Role | None, *scopes: Scope, wiki_id: str = "w_1") -> Agent:
    return Agent(USER, role, Token("t_1", wiki_id, USER.id, "t", frozenset(scopes), moment(0), None, None), "Claude")


R, W, A = Action.READ, Action.WRITE, Action.ADMINISTER
ALLOWED: list[tuple[Actor, set[Action], set[Action]]] = [
    # who, what in a private wiki, what in a public or unlisted one
    (Anonymous(), set(), {R}),
    (Person(USER, None), set(), {R}),
    (Person(USER, Role.VIEWER), {R}, {R}),
    (Person(USER, Role.EDITOR), {R, W}, {R, W}),
    (Person(USER, Role.OWNER), {R, W, A}, {R, W, A}),
    (agent(None, Scope.READ, Scope.WRITE), set(), {R}),
    (agent(Role.VIEWER, Scope.READ, Scope.WRITE), {R}, {R}),
    (agent(Role.EDITOR, Scope.READ), {R}, {R}),
    (agent(Role.EDITOR, Scope.READ, Scope.WRITE), {R, W}, {R, W}),
    (agent(Role.OWNER, Scope.READ, Scope.WRITE), {R, W}, {R, W}),
    (agent(Role.OWNER), set(), set()),
    (agent(Role.OWNER, Scope.READ, Scope.WRITE, wiki_id="w_2"), set(), set()),
]


@pytest.mark.parametrize(("actor", "private", "public"), ALLOWED)
def test_who_may_do_what(actor: Actor, private: set[Action], public: set[Action]) -> None:
    assert {action for action in Action if may(actor, action, wiki_that_is(Visibility.PRIVATE))} == private
    for visibility in (Visibility.UNLISTED, Visibility.PUBLIC):
        assert {action for action in Action if may(actor, action, wiki_that_is(visibility))} == public
