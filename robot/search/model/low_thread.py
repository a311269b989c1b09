"""A thread of its own for work that is to give way to everything else on the machine."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import trio

T = TypeVar("T")

# As `nice` has it: a tenth of what the loop and the workers get where they want the same core.
NICENESS = 10


class LowThread:
    """Runs one thing at a time. Trio's own threads cannot do this: who has given way may not take it back."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, name, initializer=_give_way)

    async def run(self, work: Callable[[], T]) -> T:
        """As `trio.to_thread.run_sync`: a cancellation takes effect when the work has ended."""
        done = trio.Event()
        loop = trio.lowlevel.current_trio_token()
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: loop.run_sync_soon(done.set))
        with trio.CancelScope(shield=True):
            # No deadline of its own: the thread cannot be interrupted, and all work that it is given is bounded.
            await done.wait()
        await trio.lowlevel.checkpoint_if_cancelled()
        return future.result()


def _give_way() -> None:
    # Linux takes a thread's id here, and changes that thread alone.
    thread = threading.get_native_id()
    # A sandbox may forbid it; then the work is done like any other.
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, thread, max(os.getpriority(os.PRIO_PROCESS, thread), NICENESS))
