"""The files of visits: a directory for each wiki, in it a file for each day. Everything here blocks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

MAX_DAY_BYTES = 4 * 1024 * 1024
"""Some twenty thousand visits; of a day with more, the later ones are not kept."""
MAX_WIKI_BYTES = 16 * 1024 * 1024
"""Where a wiki has more, its oldest days go before their time."""

_ENDING = ".jsonl"
_BYTES_OF_A_VISIT = 1024


def days(folder: Path) -> list[Path]:
    """The files of a wiki, oldest first."""
    return sorted(folder.glob(f"????-??-??{_ENDING}"))


def append(folder: Path, day: str, lines: Sequence[bytes]) -> None:
    """Add lines to a day's file, as far as there is room; what cannot be written whole is not there. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"{day}{_ENDING}"
    is_new = not file.exists()
    with open(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab", buffering=0) as out:
        size = before = out.tell()
        kept = []
        for line in lines:
            size += len(line)
            if size > MAX_DAY_BYTES:
                break
            kept.append(line)
        packed = b"".join(kept)
        try:
            while packed:
                packed = packed[out.write(packed) :]
        except OSError:
            out.truncate(before)
            raise
    if is_new:
        _make_room(folder)


def newest(folder: Path, count: int) -> list[bytes]:
    """The last lines, newest first."""
    found: list[bytes] = []
    for file in reversed(days(folder)):
        found += reversed(_last_lines(file, count - len(found)))
        if len(found) >= count:
            break
    return found[:count]


def remove(folder: Path) -> None:
    """Remove all visits to a wiki; what cannot be removed now is with the next `forget`."""
    shutil.rmtree(folder, ignore_errors=True)


def forget(visits: Path, oldest: str, is_there: Callable[[str], bool]) -> None:
    """Remove days before `oldest` (all of them, if that is empty), and what belongs to no wiki. Raises OSError."""
    for folder in list(visits.glob("*")):
        if not is_there(folder.name):
            shutil.rmtree(folder)
            continue
        for file in days(folder):
            if not oldest or file.name < oldest:
                file.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()


def _last_lines(file: Path, count: int) -> list[bytes]:
    """At least so many, if there are, oldest first."""
    with file.open("rb") as read:
        length, size = read.seek(0, os.SEEK_END), count * _BYTES_OF_A_VISIT
        while True:
            start = max(0, length - size)
            read.seek(start)
            lines = read.read().splitlines()[1 if start else 0 :]
            if len(lines) >= count or not start:
                return lines
            size *= 4  # they are longer than most


def _make_room(folder: Path) -> None:
    """At the begin of each day: remove the oldest until a full one would fit."""
    files = days(folder)
    while len(files) > 1 and sum(file.stat().st_size for file in files) > MAX_WIKI_BYTES - MAX_DAY_BYTES:
        files.pop(0).unlink()
