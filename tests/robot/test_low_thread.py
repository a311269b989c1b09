from __future__ import annotations

import os
import threading
import time

import pytest
import trio

from robot.search.model.low_thread import NICENESS, LowThread


async def test_it_gives_way_and_nobody_else_does() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    own = niceness()
    assert await LowThread("low").run(niceness) == max(own, NICENESS)
    assert niceness() == own
    assert await trio.to_thread.run_sync(niceness) == own


async def test_what_is_raised_arrives() -> None:
    with pytest.raises(ZeroDivisionError):
        await LowThread("low").run(lambda: 1 // 0)


async def test_it_does_one_thing_at_a_time() -> None:
    low, at_once, most = LowThread("low"), 0, 0

    def work() -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.01)
        at_once -= 1

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(low.run, work)
    assert most == 1


async def test_a_cancellation_waits_for_the_work() -> None:
    ended = threading.Event()
    started = threading.Event()

    def work() -> None:
        started.set()
        time.sleep(0.02)
        ended.set()

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(LowThread("low").run, work)
            await trio.to_thread.run_sync(started.wait)
            scope.cancel()
    assert ended.is_set()
    assert scope.cancelled_caught
