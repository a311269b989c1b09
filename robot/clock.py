"""The wall clock as a value, so that tests can say what time it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]
"""Seconds since 1970, UTC, unless said otherwise."""

wall_clock: Clock = time.time

steady_clock: Clock = time.monotonic
"""Seconds since some moment: for how long things take, whatever is done to the wall clock meanwhile."""


def moment(seconds: float) -> datetime:
    """An aware UTC datetime from stored seconds."""
    return datetime.fromtimestamp(seconds, UTC)
