"""How this host is, in the sentence that `systemctl status` shows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio

from robot import sdnotify
from robot.amounts import counted
from robot.machine import Machine, MachineFacts, disk_problem
from robot.readiness import failing

EVERY_S = 10.0
WINDOW_S = 60.0


class ServiceStatus:
    """The task that tells systemd. `requests_so_far` counts since the start."""

    def __init__(self, machine: Machine, requests_so_far: Callable[[], int]) -> None:
        self._machine = machine
        self._requests_so_far = requests_so_far

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Tell it again and again until cancelled; where nobody listens, end at once."""
        task_status.started()
        counts: deque[int] = deque([self._requests_so_far()], maxlen=round(WINDOW_S / EVERY_S) + 1)
        while sdnotify.is_heard():
            counts.append(self._requests_so_far())
            try:
                sentence = sentence_of(await self._machine.facts(), counts[-1] - counts[0])
            except OSError as error:
                sentence = disk_problem(error)
            sdnotify.mention(f"STATUS={sentence}")
            await trio.sleep(EVERY_S)


def sentence_of(facts: MachineFacts, requests: int) -> str:
    """What is to be said, on one line; `requests` were answered in the last minute (pure)."""
    problems = " ".join(check.problem for check in failing(facts))
    if problems:
        return " ".join(f"Not ready: {problems}".split())
    indexing = facts.backlog.wikis
    return (
        f"{facts.awake} of {facts.max_awake} wikis awake, {counted(requests, 'request')} in the last minute, "
        f"{'indexing ' + counted(indexing, 'wiki') if indexing else 'nothing to index'}."
    )
