"""A data directory as the first start leaves it, made once for all tests that need no first start of their own.

Making the demo wiki and its index takes three times as long as starting a robot does.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

_made_at: list[Path] = []


def make_at(place: Path) -> None:
    """Where the directory is made once somebody wants it; test runs side by side may share a place."""
    _made_at[:] = [place]


def copy_to(data: Path, make: Callable[[Path], None]) -> None:
    """Make `data` a copy. `make` makes the original, if nobody has; nothing is copied where no place was named."""
    for place in _made_at:
        place.mkdir(parents=True, exist_ok=True)
        with (place / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (place / "made").exists():
                shutil.rmtree(place / "data", ignore_errors=True)
                make(place / "data")
                (place / "made").touch()
        shutil.copytree(place / "data", data, dirs_exist_ok=True)
