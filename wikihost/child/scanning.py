"""Search for a pattern in the text of all pages, by a program (`scan`) that is killed when it takes too long."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any, Literal, cast

from wikihost.excerpts import Excerpt
from wikihost.names import file_of

MAX_PATTERN_CHARS = 500
MAX_PAGES = 200
SECONDS = 3.0
# The program minds `SECONDS` itself; what it is doing when it does not is nobody's guess.
KILLED_AFTER_S = 5.0
# Turns are short, and a thread that waits is one that answers nobody: one at a time may.
WAITED_FOR_TURN_S = 1.0

_turn = Lock()
_places = BoundedSemaphore(2)

End = Literal["all", "many", "late", "large", "invalid", "busy", "broken"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """What to look for: a regular expression, or a text as it stands. Names match whatever the case."""

    text: str
    is_regex: bool
    is_case_sensitive: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A page that matches `count` times. `length` is that of the whole file, which `start` of an excerpt counts in."""

    name: str
    is_named: bool
    count: int
    length: int
    shown: Sequence[Excerpt]


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found until the end, which is "all" where nothing was left out; `why` a pattern is invalid."""

    end: End
    found: Sequence[Found] = field(default_factory=list)
    why: str = ""


def scan(repo: Path, names: Sequence[str], pattern: Pattern) -> Scan:
    """Look through the pages of these names; those whose names match and those with most matches come first."""
    if len(pattern.text) > MAX_PATTERN_CHARS:
        return Scan("invalid", why=f"it has more than {MAX_PATTERN_CHARS} characters")
    task = {
        "parent": os.getpid(),
        "pattern": pattern.text,
        "is_regex": pattern.is_regex,
        "is_case_sensitive": pattern.is_case_sensitive,
        "seconds": SECONDS,
        "most": MAX_PAGES,
        "pages": [(name, str(repo / file_of(name))) for name in names],
    }
    output = _run_in_turn(json.dumps(task).encode())
    return Scan("busy") if output is None else _read(output)


def _run_in_turn(task: bytes) -> bytes | None:
    """As `_run`, one at a time; None when others are in the way."""
    if not _places.acquire(blocking=False):
        return None
    try:
        if not _turn.acquire(timeout=WAITED_FOR_TURN_S):
            return None
        try:
            return _run(task)
        finally:
            _turn.release()
    finally:
        _places.release()


def _run(task: bytes) -> bytes:
    """What the program printed until it ended, or was killed."""
    command = [sys.executable, "-I", "-m", "wikihost.child.scan"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            return process.communicate(task, timeout=KILLED_AFTER_S)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0] + b'\n{"end": "late"}'


def _read(output: bytes) -> Scan:
    found: list[Found] = []
    end, why = "broken", ""
    for line in output.splitlines():
        with suppress(ValueError):  # cut where the program was killed
            said: dict[str, Any] = json.loads(line)
            if "end" in said:
                end, why = said["end"], said.get("why", "")
            else:
                shown = [
                    Excerpt(each["text"], tuple((begin, to) for begin, to in each["highlights"]), each["start"])
                    for each in said.pop("shown")
                ]
                found.append(Found(**said, shown=shown))
    found.sort(key=lambda page: (not page.is_named, -page.count, page.name))
    return Scan(cast("End", end), found, why)
