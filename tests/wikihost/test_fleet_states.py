"""What a worker's end leads to."""

from __future__ import annotations

import pytest

from wikihost.fleet_states import (
    Asleep,
    Backoff,
    Broken,
    Ending,
    Failed,
    FleetOptions,
    Orphaned,
    State,
    Stopped,
    backoff_s,
    failures_after,
    state_after,
)

OPTIONS = FleetOptions(breaker_failures=3, breaker_cooldown_s=30, stable_s=60, backoff_s=0.25, backoff_max_s=1)


@pytest.mark.parametrize(
    ("ending", "before", "lived_s", "after"),
    [
        (Stopped(), 2, 1, 0),
        (Orphaned(), 2, 1, 2),
        (Failed("x"), 0, 1, 1),
        (Failed("x"), 2, 59, 3),
        (Failed("x"), 2, 60, 1),
    ],
)
def test_failures_in_a_row(ending: Ending, before: int, lived_s: float, after: int) -> None:
    assert failures_after(ending, before, lived_s, OPTIONS) == after


@pytest.mark.parametrize(
    ("ending", "failures", "state"),
    [
        (Stopped(), 0, Asleep()),
        (Orphaned(), 2, Asleep()),
        (Failed("x"), 1, Backoff(100.0, "x")),
        (Failed("x"), 2, Backoff(100.25, "x")),
        (Failed("x"), 3, Broken(130.0, "x")),
        (Failed("x"), 4, Broken(130.0, "x")),
    ],
)
def test_state_after_an_ending(ending: Ending, failures: int, state: State) -> None:
    assert state_after(ending, failures, 100.0, OPTIONS) == state


def test_backoff_doubles_up_to_its_bound() -> None:
    assert [backoff_s(failures, OPTIONS) for failures in range(1, 6)] == [0, 0.25, 0.5, 1, 1]
