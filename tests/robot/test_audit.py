from __future__ import annotations

import sqlite3

import pytest

from robot.audit import OPERATOR, SWEEP_EVERY_S, AuditAction, AuditKeeper, Entry, doer_of, list_entries, record
from tests.robot.small_host import FakeClock, SmallHost

DAY_S = 86_400


async def test_entries_are_listed_newest_first_in_pages(host: SmallHost) -> None:
    wiki, other = await host.make_wiki("notes"), await host.make_wiki("other")
    clock = FakeClock()

    def write(connection: sqlite3.Connection) -> None:
        for number in range(5):
            clock.now += number % 2  # some in one second
            record(
                connection,
                Entry(AuditAction.TOKEN_MADE, doer_of(host.ada), wiki.id, f"token {number}", "reads"),
                clock=clock,
            )
        record(connection, Entry(AuditAction.FROZEN, OPERATOR, other.id), clock=clock)

    await host.db.write(write)
    first = [one for one in await list_entries(host.db, wiki, limit=3) if one.entry.action is AuditAction.TOKEN_MADE]
    assert [one.entry.target for one in first] == ["token 4", "token 3", "token 2"]
    last = first[-1]
    older = await list_entries(host.db, wiki, before=(int(last.at.timestamp()), last.id), limit=2)
    assert [one.entry.target for one in older] == ["token 1", "token 0"]
    assert older[0].entry == Entry(AuditAction.TOKEN_MADE, doer_of(host.ada), wiki.id, "token 1", "reads")


async def test_a_deed_that_fails_leaves_no_entry(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    before = await list_entries(host.db, wiki, limit=10)

    def write(connection: sqlite3.Connection) -> None:
        record(connection, Entry(AuditAction.FROZEN, OPERATOR, wiki.id))
        raise LookupError

    with pytest.raises(LookupError):
        await host.db.write(write)
    assert await list_entries(host.db, wiki, limit=10) == before


async def test_what_is_surely_too_old_is_forgotten(host: SmallHost) -> None:
    wiki, clock, steady = await host.make_wiki("notes"), FakeClock(), FakeClock()
    await host.db.write(
        lambda connection: record(connection, Entry(AuditAction.FROZEN, OPERATOR, wiki.id), clock=clock)
    )
    keeper = AuditKeeper(host.db, 400, clock=clock, steady=steady)

    async def is_kept(passed_s: int, jumped_s: int = 0) -> bool:
        """Whether it is there after a look, so long after the one before; meanwhile the clock was set."""
        steady.now += passed_s
        clock.now += passed_s + jumped_s
        await keeper.forget()
        return AuditAction.FROZEN in {one.entry.action for one in await list_entries(host.db, wiki, limit=10)}

    assert await is_kept(0)
    assert await is_kept(SWEEP_EVERY_S, jumped_s=500 * DAY_S)
    assert await is_kept(SWEEP_EVERY_S, jumped_s=-501 * DAY_S)
    assert await is_kept(401 * DAY_S)  # it was not too old at the look before
    assert not await is_kept(SWEEP_EVERY_S)


async def test_a_name_stays_on_one_line_of_bounded_length(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    forged = "laptop\n2026 the operator froze the wiki\u202e" + "x" * 1000
    entry = Entry(AuditAction.TOKEN_MADE, doer_of(host.ada), wiki.id, forged)
    await host.db.write(lambda connection: record(connection, entry))
    kept = (await list_entries(host.db, wiki, limit=1))[0].entry.target
    assert kept.isprintable()
    assert len(kept) == 200
