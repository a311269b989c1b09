from __future__ import annotations

import pytest
import trio

from robot.crash_policy import LONGEST_BACKOFF_S, Crashes, Policy, Raise, Record, RestartAfter, decide, run_under


@pytest.mark.parametrize(
    ("policy", "failures", "outcome"),
    [
        (Policy.ESSENTIAL, 1, Raise()),
        (Policy.REPLACEABLE, 1, RestartAfter(0.2)),
        (Policy.REPLACEABLE, 3, RestartAfter(0.8)),
        (Policy.REPLACEABLE, 40, RestartAfter(LONGEST_BACKOFF_S)),
        (Policy.BEST_EFFORT, 1, Record()),
    ],
)
def test_table(policy: Policy, failures: int, outcome: object) -> None:
    assert decide(policy, failures) == outcome


class Flaky:
    def __init__(self, failures: int) -> None:
        self.left = failures
        self.runs = 0

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None:
        self.runs += 1
        task_status.started()
        if self.runs <= self.left:
            raise OSError("broken")
        await trio.lowlevel.checkpoint()


async def test_replaceable_part_is_run_until_it_ends_well(autojump_clock: trio.testing.MockClock) -> None:
    part = Flaky(3)
    await run_under(Policy.REPLACEABLE, "part", part, Crashes())
    assert part.runs == 4


async def test_a_start_is_reported_once(autojump_clock: trio.testing.MockClock) -> None:
    part = Flaky(3)
    async with trio.open_nursery() as nursery:
        await nursery.start(run_under, Policy.REPLACEABLE, "part", part, Crashes())
        assert part.runs == 1
    assert part.runs == 4


async def test_essential_part_takes_the_process_down() -> None:
    with pytest.raises(OSError, match="broken"):
        await run_under(Policy.ESSENTIAL, "part", Flaky(1), Crashes())


async def test_best_effort_part_is_not_tried_again() -> None:
    part = Flaky(1)
    await run_under(Policy.BEST_EFFORT, "part", part, Crashes())
    assert part.runs == 1
