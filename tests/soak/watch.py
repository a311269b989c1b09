"""Processes, descriptors and memory of a running host, sample by sample."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from bench import process_tree
from tests.processes import command_of, descendants_of, lives
from tests.soak.slope import slope


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a core and what descends from it. Memory is proportional (PSS), of core and of all together."""

    at_s: float
    core: int
    core_bytes: int
    all_bytes: int
    descriptors: int
    processes: int


@dataclass(frozen=True, slots=True)
class Growth:
    """What became of it in each minute, and what there was at the end."""

    core_mib: float
    all_mib: float
    descriptors: float
    processes: float
    last: Sample


def look(core: int) -> Sample | None:
    """A sample; None of a core that has ended."""
    try:
        descriptors = sum(1 for _ in Path(f"/proc/{core}/fd").iterdir())
    except OSError:
        return None
    core_bytes, all_bytes = process_tree.own_pss_bytes(core), process_tree.pss_bytes(core)
    if not lives(core):
        return None
    return Sample(time.monotonic(), core, core_bytes, all_bytes, descriptors, len(descendants_of(core)))


def growth(samples: list[Sample], warm_up_s: float) -> Growth | None:
    """Of the core that was seen last, once it had run for `warm_up_s`; None of too few samples."""
    of_last = [sample for sample in samples if sample.core == samples[-1].core] if samples else []
    used = [sample for sample in of_last if sample.at_s >= of_last[0].at_s + warm_up_s]
    if len(used) < 3:
        return None

    def each_minute(values: list[int]) -> float:
        return slope([(sample.at_s / 60, float(value)) for sample, value in zip(used, values, strict=True)])

    return Growth(
        each_minute([sample.core_bytes for sample in used]) / 2**20,
        each_minute([sample.all_bytes for sample in used]) / 2**20,
        each_minute([sample.descriptors for sample in used]),
        each_minute([sample.processes for sample in used]),
        used[-1],
    )


def processes_of(data: Path) -> dict[int, str]:
    """Every process that has something of the data directory in its command or open: pid → command."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _is_of(entry, str(data)):
            found[int(entry.name)] = command_of(int(entry.name))
    return found


def _is_of(process: Path, data: str) -> bool:
    try:
        if f"{data}/".encode() in (process / "cmdline").read_bytes():
            return True
        return any(str(link.readlink()).startswith(f"{data}/") for link in (process / "fd").iterdir())
    except OSError:
        return False
