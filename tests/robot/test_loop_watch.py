from __future__ import annotations

import gc
import logging
import subprocess
import sys
import time

import pytest
import trio

from robot.garbage import loading
from robot.loop_watch import LIMIT_S, LoopWatch


async def hold(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass
    await trio.lowlevel.checkpoint()


@pytest.mark.parametrize(("seconds", "is_told"), [(LIMIT_S * 1.5, True), (LIMIT_S / 10, False)])
def test_only_a_long_step_is_told(caplog: pytest.LogCaptureFixture, seconds: float, is_told: bool) -> None:
    with caplog.at_level(logging.WARNING):
        trio.run(hold, seconds, instruments=[LoopWatch()])
    assert ("the loop was held" in caplog.text) is is_told
    assert ("hold" in caplog.text) is is_told


def test_waiting_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    trio.run(trio.sleep, LIMIT_S * 1.5, instruments=[LoopWatch()])
    assert caplog.text == ""


def test_a_full_collection_does_not_walk_through_the_model() -> None:
    """Such a walk takes longer than the loop may be held."""
    program = (
        "import gc; from robot.search.model.directory import bundled_model; model = bundled_model().open();"
        " print(len(gc.get_objects()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) < 5_000


def test_no_full_collection_holds_anybody_while_a_library_is_loaded() -> None:
    """It takes as long as there are objects, in whichever thread happens to make one more."""
    collected: list[int] = []

    def told(_phase: str, info: dict[str, int]) -> None:
        collected.append(info["generation"])

    gc.callbacks.append(told)
    try:
        with loading():
            kept: list[list[int]] = [[] for _ in range(100_000)]
        assert collected == []
        assert len(gc.get_objects()) < len(kept), "what was loaded is looked through again and again"
        assert gc.isenabled()
    finally:
        gc.callbacks.remove(told)
        gc.unfreeze()
