"""Core's end of the pipe into which zygote and workers write: what they log becomes records of core's own log.

It is read in a thread, so that no amount of it keeps the loop waiting.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from wikihost.log_lines import MAX_LINE_BYTES, LogLine, decode

log = logging.getLogger("worker")

# What a wiki's code writes in a loop must neither fill the log, nor take the processor from those who mean it.
LINES_PER_PERIOD: Final = 1_000
PERIOD_S: Final = 10.0

_OUR_PARTS: Final = {"robot.worker": "worker", "robot.zygote": "zygote"}


class Overhearing:
    """Reads until nobody has the other end any more."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._read, self._write = os.pipe()
        self._thread = threading.Thread(target=self._listen, name="workers' log", daemon=True)
        self._period_began = float("-inf")
        self._lines = 0

    @contextmanager
    def begin(self) -> Iterator[int]:
        """Begin to read. Gives the descriptor to start processes with; afterwards it is theirs alone."""
        self._thread.start()
        try:
            yield self._write
        finally:
            os.close(self._write)

    def wait(self, seconds: float) -> None:
        """Wait until all that ended processes wrote is in the log; blocks."""
        self._thread.join(seconds)

    def _listen(self) -> None:
        with open(self._read, "rb") as pipe:
            while line := pipe.readline(MAX_LINE_BYTES):
                if self._may_say():
                    tell(line)

    def _may_say(self) -> bool:
        now = self._clock()
        if now - self._period_began >= PERIOD_S:
            unsaid = max(0, self._lines - LINES_PER_PERIOD)
            if unsaid:
                log.warning("%d lines of workers were left out: they wrote too many", unsaid)
            self._period_began, self._lines = now, 0
        self._lines += 1
        return self._lines <= LINES_PER_PERIOD


def tell(line: bytes) -> None:
    """Log what a line says. The record's name is always ours: a wiki's code may claim to be any part."""
    said = decode(line)
    if said is None:
        words = line.decode("utf-8", "backslashreplace").rstrip("\n")
        said = LogLine(logging.WARNING, "stderr", "", "", words) if words else None
    if said is None or not log.isEnabledFor(said.level):
        return
    about = {"part": _OUR_PARTS.get(said.part, f"{log.name}.{said.part}"), "wiki": said.wiki, "request": said.request}
    record = log.makeRecord(log.name, said.level, "", 0, "%s", (said.text,), None, extra=about)
    record.exc_text = said.trace or None
    log.handle(record)
