"""How often somebody may do something."""

from __future__ import annotations

from collections import OrderedDict

from robot.clock import Clock, steady_clock

MAX_KEYS = 10_000

_HOUR_S = 3600
# Moments are counted in fractions of a second that do not add up exactly.
_EPSILON_S = 1e-6


class RateLimit:
    """So many an hour for each key, and `burst` at once for one that was idle (the generic cell rate algorithm).

    Without `burst`, an hour's share can be had at once. The keys that were seen longest ago are forgotten when there
    are too many, so a limit over all keys belongs beside.
    """

    def __init__(self, per_hour: float, *, burst: float | None = None, clock: Clock = steady_clock) -> None:
        self._each_s = _HOUR_S / per_hour
        self._depth_s = self._each_s * (per_hour if burst is None else burst)
        self._clock = clock
        self._spent_until: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str = "") -> float:
        """Take one: 0 if that is within the limit, else the seconds until it would be, and nothing is taken."""
        wait_s = self.wait(key)
        if not wait_s:
            self.spend(key)
        return wait_s

    def wait(self, key: str = "") -> float:
        """How many seconds it is until one can be taken; 0 for now."""
        spent_until = self._spent_until.get(key)
        if spent_until is None:
            return 0.0
        now = self._clock()
        if spent_until - now > self._depth_s + _EPSILON_S:
            # Nobody can have spent so much: the clock was set back.
            spent_until = self._spent_until[key] = now + self._depth_s
        wait_s = max(spent_until, now) + self._each_s - now - self._depth_s
        return wait_s if wait_s > _EPSILON_S else 0.0

    def spend(self, key: str = "") -> None:
        """Take one, whatever the limit is."""
        now = self._clock()
        spent_until = max(self._spent_until.get(key, now), now) + self._each_s
        self._spent_until[key] = min(spent_until, now + self._depth_s)
        self._spent_until.move_to_end(key)
        if len(self._spent_until) > MAX_KEYS:
            self._spent_until.popitem(last=False)
