"""Deleting one's account: asked for, reconsidered for 30 days, then carried out.

Whoever asks is signed out and their agents are let in no more, at once. A wiki always has an owner who gets in: what a
person owns alone is handed over or deleted first. Commits keep the name that they were made under.
"""

# The only things put into SQL text here are column lists and conditions of this package.
# ruff: noqa: S608

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass
from functools import partial

import trio

from robot.accounts import NOT_BARRED, USER_COLUMNS, user_of_row
from robot.audit import ROBOT, AuditAction, Doer, Entry, doer_of, record
from robot.clock import Clock, steady_clock, wall_clock
from robot.db import Database
from robot.due import LOOK_EVERY_S, DueClock
from robot.model import User, Wiki
from robot.open_invitations import OPEN
from robot.rounds import go_round
from robot.standing import end_browsers, refuse_last_operator
from robot.wikis import WIKI_COLUMNS, wiki_of_row

log = logging.getLogger(__name__)

GRACE_S = 30 * 24 * 3600

# A wiki of theirs in which nobody else who gets in is an owner. One that was deleted has its own time; one that was
# taken down they cannot give away or delete.
_ALONE = (
    f"SELECT {WIKI_COLUMNS}, (SELECT count(*) - 1 FROM grants AS every WHERE every.wiki_id = wikis.id) AS others"
    " FROM grants AS mine JOIN wikis ON wikis.id = mine.wiki_id AND wikis.state <> 'deleting'"
    " AND wikis.taken_down_at IS NULL"
    " WHERE mine.user_id = ? AND mine.role = 'owner' AND NOT EXISTS ("
    "SELECT 1 FROM grants AS theirs JOIN users ON users.id = theirs.user_id"
    " WHERE theirs.wiki_id = wikis.id AND theirs.role = 'owner' AND theirs.user_id <> mine.user_id"
    f" AND {NOT_BARRED}) ORDER BY wikis.name, wikis.slug"
)


# What the operator has suspended stays as it is.
_DUE = "leaving_at <= ? AND suspended_at IS NULL"


class OwnsAlone(Exception):
    """Wikis would be left without an owner; the message names them and says what to do."""


@dataclass(frozen=True, slots=True)
class OwnedAlone:
    """A wiki that a person owns alone, and how many other people have a role in it."""

    wiki: Wiki
    others: int


def wikis_owned_alone(db: Database, user: User) -> list[OwnedAlone]:
    """What stands in the way of deleting the account of `user`, in place."""
    return [OwnedAlone(wiki_of_row(row), row["others"]) for row in db.all(_ALONE, (user.id,))]


async def ask_to_leave(db: Database, user: User, *, clock: Clock = wall_clock) -> None:
    """Have the account deleted after the grace period. Nothing of the person opens anything from now on.

    Raises `OwnsAlone`, `LastOperator`.
    """
    now = int(clock())

    def leave(connection: sqlite3.Connection) -> None:
        _refuse_ownerless(connection, user)
        refuse_last_operator(connection, user)
        connection.execute("UPDATE users SET leaving_at = ? WHERE id = ?", (now + GRACE_S, user.id))
        end_browsers(connection, user)
        for table in ("tokens", "connections", "oauth_codes"):
            connection.execute(f"DELETE FROM {table} WHERE user_id = ?", (user.id,))
        connection.execute(
            f"UPDATE invitations SET withdrawn_at = ? WHERE invited_by = ? AND {OPEN}",
            (now, user.id),
        )
        record(connection, Entry(AuditAction.ACCOUNT_LEAVING, doer_of(user), target=user.name), clock=clock)

    await db.write(leave)


async def keep_account(db: Database, user: User, *, clock: Clock = wall_clock) -> None:
    """Take `ask_to_leave` back: the person gets in again, and makes the tokens of their agents anew."""

    def keep(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE users SET leaving_at = NULL WHERE id = ?", (user.id,))
        record(connection, Entry(AuditAction.ACCOUNT_KEPT, doer_of(user), target=user.name), clock=clock)

    await db.write(keep)


async def delete_account(db: Database, user: User, *, by: Doer, clock: Clock = wall_clock) -> None:
    """Delete the account for good, now. Raises `OwnsAlone`, `LastOperator`."""

    def delete(connection: sqlite3.Connection) -> None:
        refuse_last_operator(connection, user)
        _delete(connection, user, by, clock)

    await db.write(delete)


class Departures:
    """The task that deletes the accounts whose grace period is over, when that is sure (`due`)."""

    def __init__(self, db: Database, *, clock: Clock = wall_clock, steady: Clock = steady_clock) -> None:
        self._db = db
        self._clock = clock
        self._due = DueClock(clock, steady)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look every hour until cancelled; what could not be done is, next time."""
        await go_round(self.look, LOOK_EVERY_S, task_status, left_undone="no account was deleted")

    async def look(self) -> None:
        """Delete the accounts that are surely due."""
        due = self._due.look()
        if due is None:
            return
        for row in await self._db.scan(f"SELECT {USER_COLUMNS} FROM users WHERE {_DUE}", (int(due),)):
            user = user_of_row(row)
            try:
                await self._db.write(partial(_delete_if_due, user=user, due=int(due), clock=self._clock))
            except OwnsAlone as error:
                log.warning("the account %s is due and stays: %s", user.name, error)


def _delete_if_due(connection: sqlite3.Connection, *, user: User, due: int, clock: Clock) -> None:
    """Somebody may have changed their mind, or been suspended, since it was looked up."""
    if connection.execute(f"SELECT 1 FROM users WHERE id = ? AND {_DUE}", (user.id, due)).fetchone():
        _delete(connection, user, ROBOT, clock)


def _delete(connection: sqlite3.Connection, user: User, by: Doer, clock: Clock) -> None:
    _refuse_ownerless(connection, user)
    connection.execute("INSERT OR REPLACE INTO freed_user_names SELECT look, name FROM users WHERE id = ?", (user.id,))
    connection.execute("DELETE FROM users WHERE id = ?", (user.id,))
    record(connection, Entry(AuditAction.ACCOUNT_DELETED, by, target=user.name), clock=clock)


def _refuse_ownerless(connection: sqlite3.Connection, user: User) -> None:
    slugs = [row["slug"] for row in connection.execute(_ALONE, (user.id,))]
    if slugs:
        raise OwnsAlone(
            f"{user.name} alone owns {', '.join(slugs)}. Make somebody else an owner there, or delete the wiki, first."
        )
