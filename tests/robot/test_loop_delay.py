"""How late the event loop goes on."""

from __future__ import annotations

import time

import trio
import trio.lowlevel

from robot.loop_delay import EVERY_S, LoopDelay

HELD_S = 0.2


async def test_a_loop_that_was_held_goes_on_late() -> None:
    heard: list[float] = []
    delay = LoopDelay(heard.append)
    assert delay.worst_s == 0
    async with trio.open_nursery() as nursery:
        await nursery.start(delay.run)
        await trio.sleep(EVERY_S / 2)
        time.sleep(EVERY_S / 2 + HELD_S)  # noqa: ASYNC251  (it is what is measured)
        while not heard:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert delay.worst_s == max(heard) >= HELD_S
