"""How many warnings and errors each part has logged of late, for the operator's page; what they say is in the log."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from robot.clock import Clock, steady_clock

HOURS = 24

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one part logged in the last 24 hours; `part` is the name of its logger."""

    part: str
    errors: int
    warnings: int


class Troubles(logging.Handler):
    """Counts records of the level WARNING and above by part and hour; as a handler, from whatever thread."""

    def __init__(self, *, steady: Clock = steady_clock) -> None:
        super().__init__(logging.WARNING)
        self._steady = steady
        self._hours: dict[int, Counter[tuple[str, bool]]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Count a record. `handle` holds the lock."""
        hour = self._hour()
        self._hours.setdefault(hour, Counter())[record.name, record.levelno >= logging.ERROR] += 1
        for old in [one for one in self._hours if one <= hour - HOURS]:
            del self._hours[old]

    def last_day(self) -> list[Trouble]:
        """What was counted, most errors first."""
        total: Counter[tuple[str, bool]] = Counter()
        self.acquire()
        try:
            since = self._hour() - HOURS
            for hour, counts in self._hours.items():
                total.update(counts if hour > since else {})
        finally:
            self.release()
        parts = {part for part, _ in total}
        found = [Trouble(part, total[part, True], total[part, False]) for part in parts]
        return sorted(found, key=lambda one: (-one.errors, -one.warnings, one.part))

    def _hour(self) -> int:
        return int(self._steady() // _HOUR_S)


@contextmanager
def counted_troubles() -> Iterator[Troubles]:
    """Count what this process logs until the block is left."""
    troubles = Troubles()
    root = logging.getLogger()
    root.addHandler(troubles)
    try:
        yield troubles
    finally:
        root.removeHandler(troubles)
