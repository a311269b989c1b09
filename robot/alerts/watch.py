"""The task that looks how the host is, decides what the operator is told, and has it sent."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence

import trio

from robot.alerts.book import forget_old, keep, list_standing
from robot.alerts.conditions import Bounds, Facts, find_alerts
from robot.alerts.decisions import Change, decide
from robot.alerts.delivery import Delivery
from robot.alerts.message import Kind
from robot.clock import Clock, steady_clock, wall_clock
from robot.db import Database, DatabaseError, DatabaseFull
from robot.rounds import go_round

log = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0


class Watch:
    """The task. What stands is in the database; only for how long something was seen, or not, is here."""

    def __init__(
        self,
        db: Database,
        gather: Callable[[], Awaitable[Facts]],
        bounds: Bounds,
        delivery: Delivery,
        *,
        clock: Clock = wall_clock,
        steady: Clock = steady_clock,
    ) -> None:
        self._db = db
        self._gather = gather
        self._bounds = bounds
        self._delivery = delivery
        self._clock = clock
        self._steady = steady
        self._turned: Mapping[str, float] = {}
        self._told_unkept: set[str] = set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look every minute until cancelled."""
        passing = (DatabaseError, OSError)
        await go_round(self.look, LOOK_EVERY_S, task_status, left_undone="alerts were not looked at", passing=passing)

    async def look(self) -> None:
        """Look once, and send what waits. Raises `DatabaseError`, OSError."""
        facts, standing = await self._gather(), list_standing(self._db)
        found = find_alerts(facts, self._bounds, {one.alert.name for one in standing})
        decision = decide(found, standing, self._turned, now=self._clock(), steady=self._steady())
        try:
            await self._keep(decision.changes)
        except DatabaseFull:
            # Of all troubles, this one must not wait until there is room to write it down.
            untold = [change for change in decision.changes if change.alert.name not in self._told_unkept]
            self._told_unkept |= {change.alert.name for change in untold}
            await self._delivery.send_unkept(untold)
            raise
        self._turned, self._told_unkept = decision.turned, set()
        await self._delivery.deliver()

    async def _keep(self, changes: Sequence[Change]) -> None:
        now, ways = self._clock(), self._delivery.ways

        def write(connection: sqlite3.Connection) -> int:
            keep(connection, changes, ways, now)
            return forget_old(connection, ways, now)

        if changes or self._db.one("SELECT 1 FROM alert_messages"):
            dropped = await self._db.write(write)
            if dropped:
                log.warning("%d messages about alerts were given up", dropped)
        for change in changes:
            level = logging.INFO if change.kind is Kind.OVER else logging.WARNING
            log.log(level, "alert %s %s: %s", change.alert.name, change.kind.value, change.alert.sentence)
