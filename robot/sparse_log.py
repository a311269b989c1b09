"""Warnings that anybody can cause by sending requests: each goes into the log once a minute at most."""

from __future__ import annotations

import logging
from collections import OrderedDict

from robot.clock import Clock, steady_clock

EVERY_S = 60.0
MAX_KEYS = 1_000


class SparseLog:
    """Logs the first of its kind, and says with the next one how many there were between."""

    def __init__(self, log: logging.Logger, *, clock: Clock = steady_clock) -> None:
        self._log = log
        self._clock = clock
        self._said: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def warn(self, key: str, message: str, *values: object) -> None:
        """Log `message`, unless one with this `key` was logged in the last minute."""
        now = self._clock()
        said_at, unsaid = self._said.get(key, (None, 0))
        if said_at is not None and 0 <= now - said_at < EVERY_S:
            self._said[key] = (said_at, unsaid + 1)
            return
        self._said[key] = (now, 0)
        self._said.move_to_end(key)
        if len(self._said) > MAX_KEYS:
            self._said.popitem(last=False)
        self._log.warning(message + (f" (and {unsaid} more like it before)" if unsaid else ""), *values)
