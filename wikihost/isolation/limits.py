"""How much one worker may take, by the kernel's limits for a process (getrlimit(2))."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Waitress watches with select(2), which knows no descriptor above it.
MOST_DESCRIPTORS: Final = 1024
# No file of a wiki comes near it but a pack with all history; it ends a file that grows by mistake.
LARGEST_FILE_BYTES: Final = 4 * 1024**3
# A worker has six threads, and starts git or a search beside them.
_TASKS_EACH: Final = 16
_TASKS_BESIDE: Final = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """`memory_bytes` is for each process, without the programs' own code. `tasks` is for all of this user's together,
    since the kernel counts no other way: a worker that starts ever more stops there, and core, which has no such limit,
    goes on. The kernel does not hold root to it.
    """

    memory_bytes: int
    tasks: int

    def put_on(self) -> None:
        """For this process and all that it starts; they can only lower it."""
        for what, most in (
            (resource.RLIMIT_DATA, self.memory_bytes),
            (resource.RLIMIT_NPROC, self.tasks),
            (resource.RLIMIT_NOFILE, MOST_DESCRIPTORS),
            (resource.RLIMIT_FSIZE, LARGEST_FILE_BYTES),
            (resource.RLIMIT_CORE, 0),
        ):
            hard = resource.getrlimit(what)[1]
            bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(what, (bound, bound))


def limits_for(memory_bytes: int, workers: int) -> Limits:
    """Those of each worker where so many may be awake, beside what this user runs already."""
    return Limits(memory_bytes, sum(_tasks_of_this_user()) + _TASKS_BESIDE + workers * _TASKS_EACH)


def _tasks_of_this_user() -> Iterator[int]:
    me = os.getuid()
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # it ended meanwhile
            if process.name.isdecimal() and process.stat().st_uid == me:
                yield len(os.listdir(process / "task"))
