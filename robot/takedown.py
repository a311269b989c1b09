"""Wikis that the operator keeps everybody out of, their owners too, and nothing of which is removed.

The row says since when, and why. Whatever asks for a wiki asks for one that is `IN_SERVICE`, so it is gone at every
door in that moment; a worker that is awake, and agents that listen, are let go soon after. Whoever has a role in it is
told on the platform what became of it; strangers find what they find where no wiki is.
"""

# The only things put into SQL text here are column lists and conditions of this package.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

import trio

from robot.audit import OPERATOR, AuditAction, Doer, Entry, record
from robot.clock import Clock, wall_clock
from robot.db import Database, DatabaseError
from robot.deletion import LetGo
from robot.model import User, Wiki
from robot.rounds import go_round
from robot.standing import check_why
from robot.wikis import KEPT, WIKI_COLUMNS, find_wiki, wiki_of_row

LOOK_EVERY_S = 5.0

_TAKEN_DOWN = f"SELECT {WIKI_COLUMNS} FROM wikis WHERE {KEPT} AND wikis.taken_down_at IS NOT NULL"
_HAS_ROLE = "wikis.id IN (SELECT wiki_id FROM grants WHERE user_id = ?)"


class TakedownRefused(Exception):
    """The wiki was not taken down or put up; the message says what to do."""


async def take_down(db: Database, wiki: Wiki, why: str, *, by: Doer = OPERATOR, clock: Clock = wall_clock) -> None:
    """Keep everybody out of the wiki from the next request on; who has a role in it reads `why`.

    Raises `TakedownRefused` without a reason or for a wiki that is gone, and `InvalidAccount` for a reason that is too
    long.
    """
    reason, now = check_why(why), int(clock())
    if not reason:
        raise TakedownRefused("Say why: whoever has a role in the wiki reads it, and so do you in a year.")

    def update(connection: sqlite3.Connection) -> None:
        changed = connection.execute(
            f"UPDATE wikis SET taken_down_at = coalesce(taken_down_at, ?), taken_down_why = ? WHERE id = ? AND {KEPT}",
            (now, reason, wiki.id),
        )
        if not changed.rowcount:
            raise TakedownRefused(f"{wiki.name} is gone.")
        record(connection, Entry(AuditAction.WIKI_TAKEN_DOWN, by, wiki.id, wiki.name, reason), clock=clock)

    await db.write(update)


async def put_up(db: Database, wiki: Wiki, *, by: Doer = OPERATOR, clock: Clock = wall_clock) -> None:
    """Let people and agents in again, as before. Raises `TakedownRefused` where nobody owns the wiki any more."""

    def update(connection: sqlite3.Connection) -> None:
        owner = "SELECT 1 FROM grants WHERE wiki_id = ? AND role = 'owner'"
        if connection.execute(owner, (wiki.id,)).fetchone() is None:
            raise TakedownRefused(f"Nobody owns {wiki.name} any more; delete it for good, or leave it as it is.")
        changed = connection.execute(
            "UPDATE wikis SET taken_down_at = NULL, taken_down_why = '' WHERE id = ? AND taken_down_at IS NOT NULL",
            (wiki.id,),
        )
        if changed.rowcount:
            record(connection, Entry(AuditAction.WIKI_PUT_UP, by, wiki.id, wiki.name), clock=clock)

    await db.write(update)


def find_taken_down_at(db: Database, slug: str) -> Wiki | None:
    """The wiki at that address that was taken down, also one that is deleted for now; in place."""
    row = db.one(f"{_TAKEN_DOWN} AND wikis.slug = ?", (slug,))
    return None if row is None else wiki_of_row(row)


def taken_down_of(db: Database, user: User) -> list[Wiki]:
    """The wikis that were taken down in which `user` has a role, by address; in place."""
    rows = db.all(f"{_TAKEN_DOWN} AND {_HAS_ROLE} ORDER BY wikis.slug", (user.id,))
    return [wiki_of_row(row) for row in rows]


async def list_taken_down(db: Database) -> list[Wiki]:
    """All wikis that were taken down, by address."""
    return [wiki_of_row(row) for row in await db.scan(f"{_TAKEN_DOWN} ORDER BY wikis.slug")]


class Clearance:
    """The task that lets go of wikis that nobody reaches any more: the command line cannot stop a worker."""

    def __init__(self, db: Database, awake: Callable[[], Iterable[str]], let_go: LetGo) -> None:
        self._db = db
        self._awake = awake
        self._let_go = let_go

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look every few seconds until cancelled."""
        left = "workers of wikis that are gone still run"
        await go_round(self.look, LOOK_EVERY_S, task_status, left_undone=left, passing=(DatabaseError,))

    async def look(self) -> None:
        """Let go of what is awake and not in service."""
        for wiki_id in list(self._awake()):
            if find_wiki(self._db, wiki_id) is None:
                await self._let_go(wiki_id)
