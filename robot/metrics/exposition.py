"""All figures as the text that Prometheus reads (text format 0.0.4)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import trio
from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from robot.census import Counts, count_all
from robot.db import Database, DatabaseError
from robot.machine import Machine, MachineFacts
from robot.metrics.meters import Meters
from robot.metrics.state import families

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Exposition:
    """Writes the figures down when somebody asks for them."""

    def __init__(self, meters: Meters, machine: Machine, db: Database) -> None:
        self._meters = meters
        self._machine = machine
        self._db = db

    async def text(self) -> bytes:
        """The figures as they are now. Raises `OSError` where the disk cannot be asked."""
        facts, counts = await self._machine.facts(), await self._counts()
        everything = Everything(self._meters, facts, counts)
        return await trio.to_thread.run_sync(generate_latest, everything)

    async def _counts(self) -> Counts | None:
        try:
            return await count_all(self._db)
        except DatabaseError:
            return None  # which is among the facts


@dataclass(frozen=True, slots=True)
class Everything:
    """What was counted and what is, as one `Collector`."""

    meters: Meters
    facts: MachineFacts
    counts: Counts | None

    def collect(self) -> Iterator[Metric]:
        for metric in self.meters.registry.collect():
            # When each series began, which Prometheus finds out by itself, would be a third of the text.
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
        yield from families(self.facts, self.counts, len(os.listdir("/proc/self/task")))
