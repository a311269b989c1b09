"""Finds out who holds the event loop up: while one task computes, every other request waits."""

from __future__ import annotations

import logging
import time

import trio

log = logging.getLogger(__name__)

LIMIT_S = 0.05
"""More than this between two waits is a fault: the work belongs into a thread."""


class LoopWatch(trio.abc.Instrument):
    """Logs each step of a task that computes for longer than `LIMIT_S`.

    Counts the loop's own CPU time, so that a busy machine, or a thread that holds the interpreter, blames nobody.
    """

    def __init__(self) -> None:
        self._began = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        spent_s = time.thread_time() - self._began
        if spent_s > LIMIT_S:
            log.warning("the loop was held for %d ms by %s", spent_s * 1000, task.name)
