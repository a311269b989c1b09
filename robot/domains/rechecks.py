"""The task that looks again at the domains in force."""

from __future__ import annotations

import trio

from robot.clock import Clock, wall_clock
from robot.db import Database
from robot.domains.checking import Checks
from robot.rounds import go_round
from robot.wikis import IN_SERVICE, find_wiki

LOOK_EVERY_S = 3600.0
RECHECK_S = 24 * 3600
"""How old the last check of a domain in force may be."""

_AT_ONCE = 500


class Rechecks:
    """Checks each domain in force once a day, one after the other."""

    def __init__(self, db: Database, checks: Checks, *, clock: Clock = wall_clock) -> None:
        self._db = db
        self._checks = checks
        self._clock = clock

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look every hour for what is due, until cancelled. What could not be written down is checked again."""
        await go_round(self.check_due, LOOK_EVERY_S, task_status, left_undone="domains were not checked")

    async def check_due(self) -> None:
        """Check what was not checked for a day, the longest ago first."""
        rows = await self._db.scan(
            "SELECT domains.wiki_id FROM domains JOIN wikis ON wikis.id = domains.wiki_id"  # noqa: S608  (a constant)
            " WHERE domains.verified_at IS NOT NULL AND domains.checked_at <= ?"
            f" AND {IN_SERVICE} ORDER BY domains.checked_at LIMIT ?",
            (int(self._clock()) - RECHECK_S, _AT_ONCE),
        )
        for row in rows:
            wiki = find_wiki(self._db, row["wiki_id"])
            if wiki is not None:
                await self._checks.check(wiki)
