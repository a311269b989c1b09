"""Figures, and the table that they are written to."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `kept` says whether the budget was kept; None where there is none."""

    name: str
    seen: str
    stock: str
    robot: str
    budget: str
    kept: bool | None


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of `values` do not exceed (nearest rank)."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def ms(seconds: float) -> str:
    """Seconds as milliseconds, with the digits that mean something."""
    value = seconds * 1000
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def mib(size_bytes: float) -> str:
    return f"{size_bytes / 2**20:.0f} MiB" if size_bytes >= 100 * 2**20 else f"{size_bytes / 2**20:.1f} MiB"


def spread(values: Sequence[float]) -> str:
    """Median and range in milliseconds, of values in seconds."""
    return f"{ms(statistics.median(values))} ({ms(min(values))} – {ms(max(values))})"


_VERDICTS = {True: "kept", False: "**missed**", None: ""}


def table(figures: Iterable[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| figure | system this replaces | stock, this run | robot, this run | budget | |",
        "|---|---|---|---|---|---|",
    ]
    for figure in figures:
        cells = (figure.name, figure.seen, figure.stock, figure.robot, figure.budget, _VERDICTS[figure.kept])
        lines.append("| " + " | ".join(cell or "–" for cell in cells[:-1]) + f" | {cells[-1]} |")
    return "\n".join(lines)
