"""What is known of one wiki while it is indexed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import trio

from robot.search.indexing.page_work import PageWork
from robot.search.indexing.run_record import RunRecord
from robot.search.indexing.workload import Workload
from wikihost.passages import PendingPage


@dataclass(slots=True)
class Job:
    """What the nursery knows of one wiki.

    `is_stale` says that the wiki may have changed since its last survey, which it does since `stale_s`; `waits_s` is
    since when the oldest of what is under way waits (Trio's clock). `is_doubted` says that what is stored is to be
    looked through first. `version` counts the changes to its stored passages; `swept_at` is what it was at the last
    sweep since the start. `kept` is what is on the disk of it. `asked_by` names the request that asked last, for the
    log. `refused` are pages that failed, with the reason, until they are tried again; `waits_for_retry` says that all
    else is done.
    """

    model_id: str
    asked_for: bool = False
    asked_by: str = ""
    is_stale: bool = False
    stale_s: float = 0.0
    waits_s: float = 0.0
    is_doubted: bool = False
    cancelled: bool = False
    kept: RunRecord | None = None
    started_at: datetime | None = None
    started_s: float = 0.0
    completed_at: datetime | None = None
    error: str | None = None
    pages_done: int = 0
    version: int = 0
    swept_at: int | None = None
    indexed_head: str | None = None
    work: Workload = field(default_factory=Workload)
    under_way: dict[PendingPage, PageWork] = field(default_factory=dict)
    refused: dict[tuple[int, str], str] = field(default_factory=dict)
    waits_for_retry: bool = False

    def recall(self, record: RunRecord) -> None:
        """Know what was before the start."""
        self.started_at, self.completed_at, self.error = record.started_at, record.completed_at, record.error
        if record.model == self.model_id:
            self.indexed_head = record.indexed_head
        self.kept = record

    def grow_stale(self) -> None:
        """The wiki may have changed by now."""
        if not self.is_stale:
            self.is_stale, self.stale_s = True, trio.current_time()
