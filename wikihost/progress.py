"""How far a piece of work is, told about once a second while it takes longer than that."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

# How many steps are done, and of how many.
Report = Callable[[int, int], None]

EVERY_S: Final = 1.0


class Progress:
    """Counts the steps of one piece of work, for one thread."""

    def __init__(self, total: int, report: Report, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._report = report
        self._clock = clock
        self._done = 0
        self._told = clock()

    def step(self) -> None:
        """Say that one more step is done."""
        self._done += 1
        now = self._clock()
        if now - self._told >= EVERY_S:
            self._told = now
            self._report(self._done, self._total)
