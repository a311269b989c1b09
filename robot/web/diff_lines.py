"""A unified diff as lines to show (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["add", "remove", "place", "same"]

_KINDS: dict[str, Kind] = {"+": "add", "-": "remove", "@": "place"}


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line, its sign included."""

    kind: Kind
    text: str


def diff_lines(diff: str) -> list[DiffLine]:
    """The lines of one file's diff, without the names of the file at its head."""
    lines = diff.split("\n")
    if lines and lines[0].startswith("--- "):
        lines = lines[2:]
    if lines and not lines[-1]:
        lines.pop()
    return [DiffLine(_KINDS.get(line[:1], "same"), line) for line in lines]
