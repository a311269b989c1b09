"""Asks the parts of the host, and the database, what the conditions want to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from robot.alerts.conditions import BackupFacts, Facts
from robot.alerts.runs import unclean_ends
from robot.backup.journal import last_ended
from robot.clock import Clock, wall_clock
from robot.crash_policy import Crashes
from robot.db import Database
from robot.machine import Machine
from robot.search.values import Backlog
from robot.wikis import find_wiki
from wikihost.fleet import WorkerStatus


@dataclass(frozen=True, slots=True)
class Sources:
    """Who is asked. `zygote_failures` says how many ended early in a row, in place.

    Without a model nothing is indexed, and that is no trouble where none is wanted.
    """

    db: Database
    machine: Machine
    crashes: Crashes
    zygote_failures: Callable[[], int]
    wants_index: bool
    clock: Clock = wall_clock

    async def gather(self) -> Facts:
        """How the host is now. Raises `DatabaseError`, and OSError when the disk cannot be asked."""
        machine, now = await self.machine.facts(), self.clock()
        broken = [worker for worker in machine.workers if worker.state == "broken"]
        return Facts(
            now=now,
            disk_free=machine.disk.free,
            backups=_backup_facts(self.db, machine.backup_age_s, now),
            backlog=machine.backlog if self.wants_index else Backlog(),
            broken_wikis=sorted(filter(None, map(self._slug, broken))),
            zygote_failures=self.zygote_failures(),
            looping_parts=self.crashes.looping(),
            missing_parts=self.crashes.missing(),
            unclean_ends=unclean_ends(self.db),
        )

    def _slug(self, worker: WorkerStatus) -> str | None:
        wiki = find_wiki(self.db, worker.wiki_id)
        return None if wiki is None else wiki.slug


def _backup_facts(db: Database, age_s: float | None, now: float) -> BackupFacts:
    newest = last_ended(db)
    # Whoever was first here made the first thing that is worth keeping.
    first = db.one("SELECT created_at FROM users ORDER BY rowid LIMIT 1")
    needed_s = 0.0 if first is None else now - first["created_at"]
    return BackupFacts(age_s, needed_s, "" if newest is None else newest.problem)
