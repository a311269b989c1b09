"""How late robot's event loop wakes a task that is due: the wait that each request has on top of its own work.

`python -m bench.loop_delay` is `robot serve` with one task more, which writes what it measures to the file that
`BENCH_LOOP_DELAYS` names: a line for each sleep, with the moment (of the monotonic clock) and the delay in seconds.
"""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

import trio

from robot import logs, supervisor
from robot.settings import load

VARIABLE = "BENCH_LOOP_DELAYS"
# Short enough to meet each stall, long enough to be no load itself.
SLEEP_S = 0.02
SLEEPS_PER_WRITE = 25


def delays(file: Path, since_s: float, until_s: float) -> list[float]:
    """The delays in seconds between two moments of the monotonic clock."""
    lines = file.read_text().rpartition("\n")[0].splitlines()
    rows = (tuple(map(float, line.split())) for line in lines)
    return [delay_s for moment_s, delay_s in rows if since_s <= moment_s <= until_s]


async def _measure(file: Path) -> None:
    lines = []
    while True:
        due = time.monotonic() + SLEEP_S
        await trio.sleep(SLEEP_S)
        now = time.monotonic()
        lines.append(f"{now:.6f} {max(now - due, 0.0):.6f}\n")
        if len(lines) == SLEEPS_PER_WRITE:
            with file.open("a") as out:
                out.writelines(lines)
            lines.clear()


async def _announce(file: Path, core: supervisor.Core) -> None:  # noqa: ARG001  (as the supervisor calls it)
    trio.lowlevel.spawn_system_task(_measure, file)
    await trio.lowlevel.checkpoint()


def main() -> None:
    settings = load(None, {}).settings
    logs.configure(settings.log_level)
    supervisor.run(settings, partial(_announce, Path(os.environ[VARIABLE])))
    supervisor.leave()


if __name__ == "__main__":
    main()
