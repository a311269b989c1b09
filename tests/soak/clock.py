"""A wall clock that can be set while robot runs, without touching the machine's, which others read as well.

`python -m tests.soak.clock` is robot whose workers read it, too. What is moved is `time.time`, by which robot, Otter
Wiki and their libraries tell the time in Python; `datetime.now`, SQLite and git go on with the machine's clock, and
steady clocks stay what they are, as on a machine whose clock is set.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import wikihost.zygote
from robot.cli import main as robot_main

VARIABLE = "SOAK_CLOCK"
PROGRAM = "tests.soak.clock"
_OFFSET = struct.Struct("d")
_SITE = Path(__file__).parent / "moved_time"


class MovedClock:
    """The offset from the machine's clock, in a file that all processes of a robot map."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.write_bytes(_OFFSET.pack(0.0))

    def set(self, offset_s: float) -> None:
        """From now on robot's clock is so far ahead."""
        with self._file.open("r+b") as file:
            file.write(_OFFSET.pack(offset_s))

    @property
    def environment(self) -> dict[str, str]:
        """What makes robot read this clock."""
        return {VARIABLE: str(self._file), "PYTHONPATH": str(_SITE)}


def main() -> None:
    """Run robot's command line, and hand the clock on to the zygote, which gets nothing else of the environment."""
    of_zygotes = wikihost.zygote._environment

    def with_clock() -> dict[str, str]:
        environment = of_zygotes()
        path = os.pathsep.join((environment["PYTHONPATH"], str(_SITE)))
        return environment | {"PYTHONPATH": path, VARIABLE: os.environ[VARIABLE]}

    wikihost.zygote._environment = with_clock
    robot_main()


if __name__ == "__main__":
    main()
