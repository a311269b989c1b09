"""The wall clock as a value, so that tests can say what time it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]
"""Seconds since 1970, UTC."""

wall_clock: Clock = time.time


def moment(seconds: float) -> datetime:
    """An aware UTC datetime from stored seconds."""
    return datetime.fromtimestamp(seconds, UTC)
