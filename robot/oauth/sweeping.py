"""Throws away what is over: codes, tokens, and connections that nobody will ask about any more."""

from __future__ import annotations

import sqlite3
from functools import partial

import trio

from robot.clock import Clock, wall_clock
from robot.db import Database
from robot.oauth.tokens import GRACE_S
from robot.rounds import go_round

SWEEP_EVERY_S = 600
USED_CODE_KEPT_S = 24 * 3600
"""How long a used code is known, to end its connection when it comes again."""
DEAD_CONNECTION_KEPT_S = 30 * 24 * 3600
"""How long a connection that has ended is shown to its person."""

# Rows of one transaction: a sweep after a long time off keeps nobody waiting.
_AT_ONCE = 2_000

# What goes, and how long after the moment that its condition looks at.
_RULES = (
    ("DELETE FROM oauth_codes", "oauth_codes", "connection_id IS NULL AND expires_at <= ?", 0),
    ("DELETE FROM oauth_codes", "oauth_codes", "expires_at <= ?", USED_CODE_KEPT_S),
    ("UPDATE oauth_tokens SET salt = NULL", "oauth_tokens", "salt IS NOT NULL AND replaced_at <= ?", GRACE_S),
    ("DELETE FROM oauth_tokens", "oauth_tokens", "refresh_expires_at <= ?", 0),
    ("DELETE FROM connections", "connections", "expires_at <= ?", DEAD_CONNECTION_KEPT_S),
    ("DELETE FROM connections", "connections", "ended_at <= ?", DEAD_CONNECTION_KEPT_S),
)


class Sweeper:
    """The task that sweeps."""

    def __init__(self, db: Database, *, clock: Clock = wall_clock) -> None:
        self._db = db
        self._clock = clock

    async def run(
        self, *, every_s: float = SWEEP_EVERY_S, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Sweep every `every_s` until cancelled. What could not be swept is, next time."""
        await go_round(self.sweep, every_s, task_status, left_undone="tokens of OAuth were not swept")

    async def sweep(self) -> None:
        """Throw away what is over now, in short transactions."""
        now = int(self._clock())
        for verb, table, condition, kept_s in _RULES:
            # The only things put into SQL text here are the constants above.
            sql = f"{verb} WHERE rowid IN (SELECT rowid FROM {table} WHERE {condition} LIMIT {_AT_ONCE})"  # noqa: S608
            while await self._db.write(partial(_count, sql, now - kept_s)) == _AT_ONCE:
                pass


def _count(sql: str, moment: int, connection: sqlite3.Connection) -> int:
    """How many rows the statement changed."""
    return connection.execute(sql, (moment,)).rowcount
