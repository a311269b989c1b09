"""How often somebody may do something."""

from __future__ import annotations

from collections import OrderedDict

from robot.clock import Clock, steady_clock

MAX_KEYS = 10_000


class RateLimit:
    """So many an hour for each key, and all of them at once for one that was idle (the generic cell rate algorithm).

    The keys that were seen longest ago are forgotten when there are too many, so a limit over all keys belongs beside.
    """

    def __init__(self, per_hour: int, *, clock: Clock = steady_clock) -> None:
        self._each_s = 3600 / per_hour
        self._clock = clock
        self._spent_until: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str = "") -> float:
        """Take one: 0 if that is within the limit, else the seconds until it would be, and nothing is taken."""
        now = self._clock()
        spent_until = max(self._spent_until.get(key, now), now) + self._each_s
        wait_s = spent_until - now - 3600
        if wait_s > 1e-6:
            return wait_s
        self._spent_until[key] = spent_until
        self._spent_until.move_to_end(key)
        if len(self._spent_until) > MAX_KEYS:
            self._spent_until.popitem(last=False)
        return 0.0
