"""What the figures were measured on."""

from __future__ import annotations

import datetime
import os
import platform
import re
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

PROBE_ROUNDS = 2_000_000


def cpu_model(cpuinfo: str) -> str:
    """The processor's name in the text of /proc/cpuinfo."""
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1] if found else platform.machine()


def probe_s() -> float:
    """Seconds that a fixed loop takes: longer than at the start means that the cores are not free."""
    began = time.perf_counter()
    total = 0
    for number in range(PROBE_ROUNDS):
        total += number
    return time.perf_counter() - began


def describe(distributions: Sequence[str]) -> list[str]:
    """Sentences about machine, load and versions, for the head of the report."""
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in distributions)
    return [
        f"Date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        f"Machine: {cpu_model(Path('/proc/cpuinfo').read_text())}, {os.cpu_count()} cores, {memory:.1f} GiB",
        f"System: Linux {platform.release()}, Python {platform.python_version()}",
        f"Load before the run (1, 5, 15 min): {load}; a fixed loop took {probe_s() * 1000:.0f} ms",
        f"Versions: {versions}",
    ]
