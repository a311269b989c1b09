"""Handles that are shown are asked about again each day: people change them, and domains change hands.

Who an account belongs to never depends on it: that is the DID.
"""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass

import trio

from robot.clock import Clock, wall_clock
from robot.db import Database, DatabaseError
from robot.rounds import go_round
from robot.signin.atproto.identity import HandleNow, Identities
from robot.signin.identities import take_handle_over
from robot.signin.providers import SignInFailed

log = logging.getLogger(__name__)

PROVIDER = "atproto"
SHOWN_S = 24 * 3600
"""How long a handle is shown without being asked about."""
UNANSWERED_SHOWN_S = 3 * 24 * 3600
"""How long it is shown while its domain does not answer."""
ROUND_EVERY_S = 3600
PAUSE_S = 1.0
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class _Shown:
    """A row of `identities` as it was read."""

    did: str
    handle: str | None
    checked_at: int


class DirectoryDown(Exception):
    """The directory of DIDs could not be asked, so nothing is known of anybody."""


class Reverifier:
    """The one task that asks, about one account after another."""

    def __init__(self, db: Database, identities: Identities, *, clock: Clock = wall_clock) -> None:
        self._db = db
        self._identities = identities
        self._clock = clock

    async def run(
        self, *, every_s: float = ROUND_EVERY_S, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Ask about what is due every `every_s` until cancelled. What could not be asked is, next time."""
        failures = (DatabaseError, DirectoryDown)
        left = "handles stay as they are"
        await go_round(self.check_due, every_s, task_status, left_undone=left, passing=failures)

    async def check_due(self, *, pause_s: float = PAUSE_S) -> None:
        """Ask once about each handle that is due. Raises `DirectoryDown`, `DatabaseError`."""
        before = int(self._clock()) - SHOWN_S
        last = _Shown("", None, -1)
        while due := await self._due(before, last):
            for shown in due:
                await self._check(shown)
                await trio.sleep(pause_s)
            last = due[-1]

    async def _due(self, before: int, after: _Shown) -> list[_Shown]:
        """The next few that were checked before then, the longest ago first."""
        rows = await self._db.scan(
            "SELECT subject, handle, handle_checked_at FROM identities"
            " WHERE provider = ? AND handle_checked_at <= ? AND (handle_checked_at, subject) > (?, ?)"
            " ORDER BY handle_checked_at, subject LIMIT ?",
            (PROVIDER, before, after.checked_at, after.did, _AT_ONCE),
        )
        return [_Shown(*row) for row in rows]

    async def _check(self, shown: _Shown) -> None:
        now = await self._ask(shown.did)
        at = int(self._clock())
        if not now.is_sure and at - shown.checked_at < UNANSWERED_SHOWN_S:
            return
        if now.handle != shown.handle:
            log.info("%s is shown as %s from now on", shown.did, now.handle or "its DID")

        def update(connection: sqlite3.Connection) -> None:
            updated = connection.execute(
                # A sign-in meanwhile proved something newer.
                "UPDATE identities SET handle = ?, handle_checked_at = ?"
                " WHERE provider = ? AND subject = ? AND handle_checked_at = ?",
                (now.handle, at, PROVIDER, shown.did, shown.checked_at),
            )
            if updated.rowcount:
                take_handle_over(connection, PROVIDER, shown.did, now.handle)

        await self._db.write(update)

    async def _ask(self, did: str) -> HandleNow:
        try:
            return await self._identities.check_handle(did)
        except SignInFailed as failure:
            if failure.code != "unreachable":
                return HandleNow(None, is_sure=True)
            if did.startswith("did:plc:"):
                raise DirectoryDown(failure.sentence) from None
            return HandleNow(None, is_sure=False)
