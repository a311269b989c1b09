"""How long the event loop keeps its tasks waiting, sampled: every request waits at least so long, again and again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio

EVERY_S = 0.5
REMEMBERED_S = 60.0


class LoopDelay:
    """Sleeps for `EVERY_S` again and again, and looks how much later it goes on; `heard` is told each time."""

    def __init__(self, heard: Callable[[float], None] = lambda _: None) -> None:
        self._heard = heard
        self._samples: deque[float] = deque(maxlen=round(REMEMBERED_S / EVERY_S))

    @property
    def worst_s(self) -> float:
        """The longest delay of the last minute."""
        return max(self._samples, default=0.0)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Sample until cancelled."""
        task_status.started()
        while True:
            due = trio.current_time() + EVERY_S
            await trio.sleep_until(due)
            delay_s = trio.current_time() - due
            self._samples.append(delay_s)
            self._heard(delay_s)
