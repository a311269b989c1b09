"""How long backups of many wikis take (the first, one with nothing new, a check), and what readers feel meanwhile."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.figures import Figure, mib, ms, percentile
from bench.host import Host, Planted
from bench.http_client import Visitor
from bench.make_wiki import SMALL
from bench.page_views import look_at

MOST_FIRST_S = 60.0
MOST_AGAIN_S = 5.0
MOST_CHECK_S = 90.0
MOST_SLOWER = 2.0
QUIET_VIEWS = 400
_PASSPHRASE = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class Run:
    """A command that was run: CPU time with that of git, memory of the largest process, and what a reader waited."""

    wall_s: float
    cpu_s: float
    most_bytes: int
    views_s: Sequence[float]


def measure(
    host: Host, data: Path, wikis: Sequence[Planted], directory: Path, say: Callable[[str], None]
) -> list[Figure]:
    """A backup of all the wikis, another with nothing new, and the pages of one of them at the same time."""
    passphrase = directory / "passphrase"
    passphrase.write_text(_PASSPHRASE)
    reader = wikis[0]
    with Visitor(host.port, reader.host) as visitor:
        look = look_at(SMALL)
        look(visitor)
        for wiki in wikis[1:]:  # as if each had been awake once
            shutil.copy(reader.home.wiki_db, wiki.home.wiki_db)
        quiet = [look(visitor) for _ in range(QUIET_VIEWS)]
        place = directory / "backups"
        place.mkdir()
        first = _robot("backup", str(place), data=data, passphrase=passphrase, meanwhile=lambda: look(visitor))
        again = _robot("backup", str(place), data=data, passphrase=passphrase)
        quiet += [look(visitor) for _ in range(QUIET_VIEWS)]
    checked = _robot("restore", "--check", str(place), "--to", str(directory), data=data, passphrase=passphrase)
    return [
        _time_row(f"backup of {len(wikis)} wikis × 76 pages, the first", first, MOST_FIRST_S, say),
        _time_row("the same again, nothing changed", again, MOST_AGAIN_S, say),
        _time_row("restore --check of the same", checked, MOST_CHECK_S, say),
        _pages_row(quiet, first.views_s, say),
    ]


def _robot(*words: str, data: Path, passphrase: Path, meanwhile: Callable[[], float] | None = None) -> Run:
    """A verb of the command line; raises RuntimeError when it fails."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("ROBOT_")}
    surroundings |= {"ROBOT_DATA": str(data), "ROBOT_BACKUP_PASSPHRASE_FILE": str(passphrase)}
    command = [sys.executable, "-m", "robot", *words]
    views = []
    with ThreadPoolExecutor(1) as waiting:
        began = time.perf_counter()
        pid = os.posix_spawn(command[0], command, surroundings)
        ended = waiting.submit(os.wait4, pid, 0)
        while meanwhile is not None and not ended.done():
            views.append(meanwhile())
        _, status, used = ended.result()
        wall_s = time.perf_counter() - began
    if status:
        raise RuntimeError(f"robot {words[0]} ended with {os.waitstatus_to_exitcode(status)}")
    return Run(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, views)


def _time_row(name: str, run: Run, most_s: float, say: Callable[[str], None]) -> Figure:
    said = f"{run.wall_s:.1f} s ({run.cpu_s:.1f} s of CPU, {mib(run.most_bytes)})"
    say(f"{name}: {said}")
    return Figure(name, "", "", said, f"≤ {most_s:g} s", run.wall_s <= most_s)


def _pages_row(quiet: Sequence[float], during: Sequence[float], say: Callable[[str], None]) -> Figure:
    before, beside = (percentile(views, 0.99) for views in (quiet, during))
    slower = beside / before
    said = f"{slower:.2f}× ({ms(before)} → {ms(beside)}; p50 {ms(median(quiet))} → {ms(median(during))})"
    say(f"page p99 beside a backup: {said}")
    name = "page p99 during the first backup, no cache"
    return Figure(name, "", "", said, f"< {MOST_SLOWER:g}× quiet", slower < MOST_SLOWER)
