"""What is surely due: for tasks whose deeds cannot be undone, and that believe a clock.

One that jumps (a broken clock at boot, a mistaken time server) must not cost anybody a wiki or an account: a thing is
due only when it was at the look before already, and the wall clock went on as the steady one did in between. Standing
still, going back and sleeping only make it later.
"""

from __future__ import annotations

from dataclasses import dataclass

from robot.clock import Clock

LOOK_EVERY_S = 3600
TOLERANCE_S = 60
"""How far the clocks may come apart between two looks: time servers correct them by less."""


@dataclass(frozen=True, slots=True)
class Look:
    """What both clocks said at a look."""

    wall_s: float
    steady_s: float


def surely_due(before: Look | None, now: Look) -> float | None:
    """The moment up to which things are surely due, or None for nothing at all. Pure."""
    if before is None:
        return None
    passed_s = now.steady_s - before.steady_s
    drift_s = (now.wall_s - before.wall_s) - passed_s
    return before.wall_s if abs(drift_s) <= TOLERANCE_S else None


class DueClock:
    """Two clocks, and the look before."""

    def __init__(self, wall: Clock, steady: Clock) -> None:
        self._wall = wall
        self._steady = steady
        self._before: Look | None = None

    def look(self) -> float | None:
        """As `surely_due`, since the look before."""
        now = Look(self._wall(), self._steady())
        due, self._before = surely_due(self._before, now), now
        return due
