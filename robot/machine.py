"""How this host is, for its operator: what its running parts can tell at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import trio

from robot.clock import Clock, steady_clock
from robot.troubles import Trouble, Troubles
from wikihost.fleet import WorkerStatus
from wikihost.layout import DataDir

_AWAKE = ("ready", "stopping")


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """`disk_free` and `disk_total` in bytes, where the data is; `indexing` is how many wikis are, or wait for it."""

    version: str
    up_s: float
    disk_free: int
    disk_total: int
    workers: Sequence[WorkerStatus]
    max_awake: int
    indexing: int
    troubles: Sequence[Trouble]

    @property
    def awake(self) -> int:
        return sum(worker.state in _AWAKE for worker in self.workers)


class Machine:
    """Asks the parts. `workers` and `indexing` answer in place."""

    def __init__(
        self,
        data: DataDir,
        troubles: Troubles,
        *,
        workers: Callable[[], Sequence[WorkerStatus]],
        max_awake: int,
        indexing: Callable[[], int],
        steady: Clock = steady_clock,
    ) -> None:
        self._data = data
        self._troubles = troubles
        self._workers = workers
        self._max_awake = max_awake
        self._indexing = indexing
        self._steady = steady
        self._since = steady()

    async def facts(self) -> MachineFacts:
        """How everything is now."""
        disk = await trio.to_thread.run_sync(shutil.disk_usage, self._data.root)
        return MachineFacts(
            version=version("robot"),
            up_s=self._steady() - self._since,
            disk_free=disk.free,
            disk_total=disk.total,
            workers=self._workers(),
            max_awake=self._max_awake,
            indexing=self._indexing(),
            troubles=self._troubles.last_day(),
        )

    def worker_of(self, wiki_id: str) -> WorkerStatus | None:
        """The wiki's worker, if it was asked for since the start."""
        return self.workers_by_wiki().get(wiki_id)

    def workers_by_wiki(self) -> dict[str, WorkerStatus]:
        """The workers of all wikis that were asked for since the start."""
        return {worker.wiki_id: worker for worker in self._workers()}
