"""The task that ends deleted wikis for good when their time is over, and that is sure (`due`)."""

from __future__ import annotations

import logging

import trio

from robot.audit import ROBOT
from robot.clock import Clock, steady_clock, wall_clock
from robot.db import Database, DatabaseError
from robot.deletion import LetGo, list_deleted_wikis, purge_wiki
from robot.due import LOOK_EVERY_S, DueClock
from robot.rounds import go_round
from wikihost.errors import ContentError
from wikihost.layout import DataDir

log = logging.getLogger(__name__)


class Purger:
    """The task."""

    def __init__(
        self,
        db: Database,
        data: DataDir,
        let_go: LetGo,
        *,
        clock: Clock = wall_clock,
        steady: Clock = steady_clock,
    ) -> None:
        self._db = db
        self._data = data
        self._let_go = let_go
        self._clock = clock
        self._due = DueClock(clock, steady)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look every hour until cancelled; what could not be removed is, next time or at the next start."""
        failures = (DatabaseError, ContentError)
        left = "deleted wikis were not removed"
        await go_round(self.look, LOOK_EVERY_S, task_status, left_undone=left, passing=failures)

    async def look(self) -> None:
        """End the wikis that are surely due."""
        due = self._due.look()
        if due is None:
            return
        for deleted in await list_deleted_wikis(self._db, due=due):
            await self._let_go(deleted.wiki.id)
            purged = await purge_wiki(self._db, self._data, deleted.wiki.id, ROBOT, due=due, clock=self._clock)
            if purged is not None:
                log.info("the deleted wiki %s (%s) is gone for good", purged.slug, purged.id)
