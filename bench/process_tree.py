"""CPU time and memory of a server: of its whole process tree, from /proc."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

# A server is quiet when it used less than this share of one core, for so many intervals on end.
QUIET_SHARE = 0.05
QUIET_INTERVALS = 3
QUIET_INTERVAL_S = 1.0

# Fields of /proc/PID/stat, counted from the state (field 3), which follows the name; see proc(5).
_PPID = 1
_UTIME_TO_CSTIME = slice(11, 15)


@dataclass(frozen=True, slots=True)
class Process:
    """One process. `cpu_ticks` includes that of children which have ended and were waited for."""

    pid: int
    parent: int
    cpu_ticks: int


def parse_stat(text: str) -> Process:
    """A line of /proc/PID/stat; the name in it may hold spaces and brackets."""
    pid, _, rest = text.partition(" ")
    fields = rest.rpartition(")")[2].split()
    return Process(int(pid), int(fields[_PPID]), sum(map(int, fields[_UTIME_TO_CSTIME])))


def parse_pss_bytes(text: str) -> int:
    """The proportional set size in the text of /proc/PID/smaps_rollup."""
    found = re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"no Pss line in {text!r}")
    return int(found[1]) * 1024


def tree_of(root: int, processes: Iterable[Process]) -> list[Process]:
    """`root` and everything that descends from it, parents first."""
    known = {process.pid: process for process in processes}
    children: dict[int, list[Process]] = {}
    for process in known.values():
        children.setdefault(process.parent, []).append(process)
    tree = [known[root]] if root in known else []
    for process in tree:
        tree.extend(children.get(process.pid, ()))
    return tree


def read_tree(root: int) -> list[Process]:
    """The process tree below `root` as it is now."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                found.append(parse_stat((entry / "stat").read_text()))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return tree_of(root, found)


def cpu_s(root: int) -> float:
    """CPU seconds, user and system, that the tree below `root` has used so far."""
    return sum(process.cpu_ticks for process in read_tree(root)) / TICKS_PER_S


def pss_bytes(root: int) -> int:
    """Memory of the tree below `root`: pages that several processes share are counted once."""
    return sum(own_pss_bytes(process.pid) for process in read_tree(root))


def named_bytes(root: int, name: str) -> int:
    """Memory of those processes below `root` whose command is `name`."""
    return sum(own_pss_bytes(process.pid) for process in read_tree(root) if _command_of(process.pid) == name)


def own_pss_bytes(pid: int) -> int:
    """Memory of one process without its children; 0 when it has ended."""
    try:
        return parse_pss_bytes((PROC / str(pid) / "smaps_rollup").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _command_of(pid: int) -> str:
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_until_quiet(root: int, *, limit_s: float) -> float:
    """Wait until the tree below `root` has ended its work behind the scenes, such as an index; returns the seconds.

    Raises TimeoutError after `limit_s`.
    """
    began = time.monotonic()
    quiet, used_s = 0, cpu_s(root)
    while quiet < QUIET_INTERVALS:
        if time.monotonic() - began > limit_s:
            raise TimeoutError(f"the server is still at work after {limit_s:.0f} s")
        time.sleep(QUIET_INTERVAL_S)
        before_s, used_s = used_s, cpu_s(root)
        quiet = quiet + 1 if used_s - before_s < QUIET_SHARE * QUIET_INTERVAL_S else 0
    return time.monotonic() - began


def rss_bytes(pid: int) -> int:
    """The resident memory of one process; 0 when it has ended."""
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0
