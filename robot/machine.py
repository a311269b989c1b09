"""How this host is, for its operator: what its running parts can tell at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version

import trio

from robot.backup.journal import last_good
from robot.clock import Clock, steady_clock, wall_clock
from robot.db import Database, DatabaseError
from robot.page_cache import CacheTally
from robot.search.values import Backlog
from robot.troubles import Trouble, Troubles
from wikihost.fleet import WorkerStatus
from wikihost.layout import DataDir

_AWAKE = ("ready", "stopping")


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes, where the data is; `database` is what the platform's own file takes, with its log."""

    free: int
    total: int
    database: int


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """`loop_delay_s` is the longest of the last minute.

    `backup_age_s` tells how old the state is that the last good backup has, None without one; `database_problem` is a
    sentence, empty while the database answers.
    """

    version: str
    up_s: float
    disk: Disk
    workers: Sequence[WorkerStatus]
    max_awake: int
    has_zygote: bool
    backlog: Backlog
    pages: CacheTally
    loop_delay_s: float
    database_problem: str
    backup_age_s: float | None
    troubles: Sequence[Trouble]

    @property
    def awake(self) -> int:
        return sum(worker.state in _AWAKE for worker in self.workers)


@dataclass(frozen=True, slots=True)
class MachineParts:
    """What is asked of the running parts; all answer in place."""

    workers: Callable[[], Sequence[WorkerStatus]]
    has_zygote: Callable[[], bool]
    backlog: Callable[[], Backlog]
    pages: Callable[[], CacheTally]
    loop_delay_s: Callable[[], float]


class Machine:
    """Asks the parts."""

    def __init__(
        self,
        data: DataDir,
        db: Database,
        troubles: Troubles,
        parts: MachineParts,
        *,
        max_awake: int,
        steady: Clock = steady_clock,
        clock: Clock = wall_clock,
    ) -> None:
        self._data = data
        self._db = db
        self._troubles = troubles
        self._parts = parts
        self._max_awake = max_awake
        self._steady = steady
        self._clock = clock
        self._since = steady()
        self._version = version("robot")

    async def facts(self) -> MachineFacts:
        """How everything is now. Raises `OSError` where the disk cannot be asked."""
        # Abandoned with whoever asked: a disk may take for ever.
        disk = await trio.to_thread.run_sync(disk_of, self._data, abandon_on_cancel=True)
        backup_age_s, problem = None, ""
        try:
            backup_age_s = last_backup_age_s(self._db, self._clock())
        except DatabaseError as error:
            problem = str(error)
        parts = self._parts
        return MachineFacts(
            version=self._version,
            up_s=self._steady() - self._since,
            disk=disk,
            workers=parts.workers(),
            max_awake=self._max_awake,
            has_zygote=parts.has_zygote(),
            backlog=parts.backlog(),
            pages=parts.pages(),
            loop_delay_s=parts.loop_delay_s(),
            database_problem=problem,
            backup_age_s=backup_age_s,
            troubles=self._troubles.last_day(),
        )

    def worker_of(self, wiki_id: str) -> WorkerStatus | None:
        """The wiki's worker, if it was asked for since the start."""
        return self.workers_by_wiki().get(wiki_id)

    def workers_by_wiki(self) -> dict[str, WorkerStatus]:
        """The workers of all wikis that were asked for since the start."""
        return {worker.wiki_id: worker for worker in self._parts.workers()}


def disk_of(data: DataDir) -> Disk:
    """Ask the disk. Raises `OSError`."""
    usage, database = shutil.disk_usage(data.root), 0
    for file in (data.robot_db, data.robot_db.with_name(f"{data.robot_db.name}-wal")):
        with suppress(FileNotFoundError):
            database += file.stat().st_size
    return Disk(usage.free, usage.total, database)


def disk_problem(error: OSError) -> str:
    """What there is to say when the disk could not be asked."""
    return f"The disk where the data is cannot be asked: {error.strerror}."


def last_backup_age_s(db: Database, now: float) -> float | None:
    """Seconds since the mark of the last good backup: what was acknowledged before it is safe. Raises `DatabaseError`.

    A clock that was put back makes no backup younger than new.
    """
    last = last_good(db)
    return None if last is None else max(0.0, now - last.mark.timestamp())
