"""A deleted wiki is gone at every door at once, comes back as it was, and ends when its time is surely over."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass, field

import pytest
import trio
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from robot.access import grant_role
from robot.audit import OPERATOR, doer_of, list_entries
from robot.commands.wiki import command as wiki_command
from robot.deletion import (
    UNDELETE_S,
    delete_wiki_for_now,
    deleted_wikis_of,
    find_deleted_wiki,
    find_deleted_wiki_at,
    list_deleted_wikis,
    purge_wiki,
    undelete_wiki,
)
from robot.due import LOOK_EVERY_S, TOLERANCE_S, Look, surely_due
from robot.hosting import finish_interrupted
from robot.in_force import put_decisions_in_force
from robot.model import Role, Scope, Visibility, Wiki
from robot.ownership import TooManyWikis, refuse_another_wiki
from robot.purging import Purger
from robot.tokens import create_token, verify_token
from robot.wikis import (
    FREED_SLUG_REST_S,
    InvalidWiki,
    find_slug_objection,
    find_wiki,
    find_wiki_by_slug,
    list_public_wikis,
    list_wikis,
    wikis_of,
)
from tests.robot.small_host import FakeClock, SmallHost
from wikihost.quota import Quota, read_quota


async def delete(host: SmallHost, wiki: Wiki, clock: FakeClock | None = None) -> None:
    assert await delete_wiki_for_now(host.db, wiki, doer_of(host.ada), owner=host.ada, clock=clock or FakeClock())


async def test_deleted_and_had_back_as_it_was(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes", visibility=Visibility.PUBLIC)
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    secret, _ = await create_token(host.db, host.eve, wiki, "t", [Scope.WRITE])
    await delete(host, wiki)
    assert find_wiki(host.db, wiki.id) is None
    assert find_wiki_by_slug(host.db, "notes") is None
    assert verify_token(host.db, secret, wiki.id) is None
    assert await list_wikis(host.db) == await list_public_wikis(host.db) == []
    assert wikis_of(host.db, host.ada) == wikis_of(host.db, host.eve) == []
    (deleted,) = deleted_wikis_of(host.db, host.ada)
    assert deleted.wiki == wiki
    assert deleted.purge.timestamp() == FakeClock().now + UNDELETE_S
    assert find_deleted_wiki(host.db, wiki.id, host.ada) == deleted == find_deleted_wiki_at(host.db, "notes")
    assert deleted_wikis_of(host.db, host.eve) == []
    assert await undelete_wiki(host.db, wiki.id, doer_of(host.ada), owner=host.ada) == wiki
    assert find_wiki(host.db, wiki.id) == wiki
    assert verify_token(host.db, secret, wiki.id) is not None
    assert wikis_of(host.db, host.eve) == [(wiki, Role.EDITOR)]
    assert deleted_wikis_of(host.db, host.ada) == []


async def test_only_an_owner_deletes_and_undeletes(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await grant_role(host.db, host.eve, wiki, Role.EDITOR)
    eve = doer_of(host.eve)
    assert not await delete_wiki_for_now(host.db, wiki, eve, owner=host.eve)
    await delete(host, wiki)
    assert not await delete_wiki_for_now(host.db, wiki, doer_of(host.ada), owner=host.ada)  # twice
    assert await undelete_wiki(host.db, wiki.id, eve, owner=host.eve) is None
    assert await purge_wiki(host.db, host.data, wiki.id, eve, owner=host.eve) is None
    assert find_deleted_wiki(host.db, wiki.id, host.eve) is None
    assert host.data.wiki(wiki.id).root.exists()


async def test_what_was_had_back_and_deleted_again_has_its_time_anew(host: SmallHost) -> None:
    """The task has found it by its old time, and ends it not."""
    wiki, clock = await host.make_wiki("notes"), FakeClock()
    await delete(host, wiki, clock)
    due = clock.now + UNDELETE_S - 1
    assert await purge_wiki(host.db, host.data, wiki.id, OPERATOR, due=due) is None
    assert host.data.wiki(wiki.id).root.exists()
    assert await purge_wiki(host.db, host.data, wiki.id, OPERATOR, due=due + 1) == wiki


async def test_a_wiki_comes_back_to_an_owner_only(host: SmallHost) -> None:
    """Its last owner's account may have been deleted meanwhile; then it waits for its end."""
    wiki = await host.make_wiki("notes")
    clock = FakeClock()
    await delete(host, wiki, clock)
    await host.db.write(lambda connection: connection.execute("DELETE FROM users WHERE id = ?", (host.ada.id,)))
    assert await undelete_wiki(host.db, wiki.id, OPERATOR) is None
    assert find_wiki(host.db, wiki.id) is None
    assert await purge_wiki(host.db, host.data, wiki.id, OPERATOR, clock=clock) == wiki
    assert "rests for 30 days" in (find_slug_objection(host.db, "notes", host.eve, clock=clock) or "")


async def test_a_deleted_wiki_keeps_its_address_and_its_place(host: SmallHost) -> None:
    """So that having it back never fails, and nobody fills the disk by deleting."""
    wiki = await host.make_wiki("notes")
    await delete(host, wiki)
    with pytest.raises(InvalidWiki, match="undelete it, or delete it for good"):
        await host.make_wiki("notes")
    with pytest.raises(InvalidWiki, match=r"The address notes is taken\."):
        await host.make_wiki("notes", host.eve)
    with pytest.raises(TooManyWikis, match="1 of them deleted but not for good"):
        await host.db.write(lambda connection: refuse_another_wiki(connection, host.ada, 1))


async def test_a_start_leaves_a_deleted_wiki_alone(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await delete(host, wiki)
    assert await finish_interrupted(host.db, host.data) == []
    await put_decisions_in_force(host.db, host.data, Quota(7, 7))
    assert await undelete_wiki(host.db, wiki.id, OPERATOR) == wiki
    assert read_quota(host.data.wiki(wiki.id).quota) == Quota(7, 7)
    assert (await host.contents.run(wiki, lambda content: content.read_page("Home"))).text


async def test_for_good_is_for_good_and_the_address_rests_for_its_owner(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    secret, _ = await create_token(host.db, host.ada, wiki, "t", [Scope.READ])
    assert await purge_wiki(host.db, host.data, wiki.id, OPERATOR) is None  # not deleted before
    clock = FakeClock()
    await delete(host, wiki, clock)
    assert await purge_wiki(host.db, host.data, wiki.id, OPERATOR, owner=host.ada, clock=clock) == wiki
    assert not host.data.wiki(wiki.id).root.exists()
    assert await undelete_wiki(host.db, wiki.id, OPERATOR) is None
    assert host.db.all("SELECT * FROM wikis") == []
    assert "rests for 30 days" in (find_slug_objection(host.db, "notes", host.eve, clock=clock) or "")
    clock.now += FREED_SLUG_REST_S + 1
    assert find_slug_objection(host.db, "notes", host.eve, clock=clock) is None
    fresh = await host.make_wiki("notes")
    assert fresh.id != wiki.id
    assert verify_token(host.db, secret, fresh.id) is None


LOOKS = st.floats(0, 4e9, allow_nan=False)


@given(LOOKS, LOOKS, st.floats(0, 1e6), st.floats(-4e9, 4e9))
def test_a_clock_that_jumped_is_not_believed(wall_s: float, steady_s: float, passed_s: float, jump_s: float) -> None:
    before = Look(wall_s, steady_s)
    due = surely_due(before, Look(wall_s + passed_s + jump_s, steady_s + passed_s))
    if abs(jump_s) > TOLERANCE_S + 1:
        assert due is None
    elif abs(jump_s) < TOLERANCE_S - 1:
        assert due == wall_s
    assert surely_due(None, before) is None


@dataclass
class Clocks:
    wall: FakeClock = field(default_factory=FakeClock)
    steady: FakeClock = field(default_factory=lambda: FakeClock(5.0))

    def go_on(self, seconds: float) -> None:
        self.wall.now += seconds
        self.steady.now += seconds


async def test_the_task_ends_what_is_surely_due(host: SmallHost) -> None:
    first, second = await host.make_wiki("first"), await host.make_wiki("second")
    clocks, let_go = Clocks(), list[str]()

    async def close(wiki_id: str) -> None:
        let_go.append(wiki_id)

    purger = Purger(host.db, host.data, close, clock=clocks.wall, steady=clocks.steady)
    await delete(host, first, clocks.wall)
    clocks.go_on(100)
    await delete(host, second, clocks.wall)

    async def left_after_a_look() -> list[Wiki]:
        await purger.look()
        return [deleted.wiki for deleted in await list_deleted_wikis(host.db)]

    assert await left_after_a_look() == [first, second]
    clocks.wall.now += 10 * 365 * 24 * 3600  # a clock gone mad
    assert await left_after_a_look() == [first, second]
    clocks.wall.now -= 10 * 365 * 24 * 3600
    assert await left_after_a_look() == [first, second]
    clocks.go_on(UNDELETE_S - 100 - LOOK_EVERY_S)
    assert await left_after_a_look() == [first, second]
    clocks.go_on(LOOK_EVERY_S)  # due, but nobody saw it due before
    assert await left_after_a_look() == [first, second]
    clocks.go_on(LOOK_EVERY_S)
    assert await left_after_a_look() == [second]
    assert let_go == [first.id]
    assert await undelete_wiki(host.db, second.id, OPERATOR) == second  # late, but nobody had ended it
    clocks.go_on(LOOK_EVERY_S)
    assert await left_after_a_look() == []
    assert await list_wikis(host.db) == [second]


KILLED = """
    import os, signal, sys, trio
    from pathlib import Path
    from robot import deletion, hosting
    from robot.audit import OPERATOR
    from robot.db import Database
    from wikihost.layout import DataDir
    async def main():
        data = DataDir(Path(sys.argv[1]))
        db = Database.open(data.robot_db)
        hosting._forget = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        await deletion.purge_wiki(db, data, sys.argv[2], OPERATOR)
    trio.run(main)
"""


async def test_killed_while_a_wiki_ends_the_start_goes_on(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    await delete(host, wiki)
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(host.data.root), wiki.id]
    killed = await trio.run_process(command, check=False, capture_stderr=True)
    assert killed.returncode == -9, killed.stderr
    assert await undelete_wiki(host.db, wiki.id, OPERATOR) is None
    assert await finish_interrupted(host.db, host.data) == [wiki.id]
    assert host.db.all("SELECT * FROM wikis") == []


async def test_the_command_line_deletes_and_undeletes(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    wiki = await host.make_wiki("notes")
    monkeypatch.setenv("ROBOT_DATA", str(host.data.root))

    async def run(*words: str, code: int = 0, typed: str | None = None) -> str:
        done = await trio.to_thread.run_sync(lambda: CliRunner().invoke(wiki_command, words, input=typed))
        assert done.exit_code == code, done.output
        return done.output

    assert "Nothing was deleted" in await run("delete", "notes", typed="note\n", code=1)
    assert "undelete notes" in await run("delete", "notes", typed="notes\n")
    assert find_wiki(host.db, wiki.id) is None
    assert "deleted, can be had back until" in await run("list")
    assert "is back at" in await run("undelete", "notes")
    assert find_wiki(host.db, wiki.id) == wiki
    assert "no deleted wiki notes" in await run("undelete", "notes", code=1)
    await run("delete", "notes", "--yes")
    await run("delete", "notes", "--for-good", "--yes")
    assert not host.data.wiki(wiki.id).root.exists()
    assert await run("list") == ""
    doers = [each.entry.actor for each in await list_entries(host.db, wiki, limit=4)]
    assert doers == [OPERATOR] * 4
