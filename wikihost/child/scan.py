"""A program: looks for a pattern in page files, line by line, and prints what it found. Started by `scanning`.

It is a process of its own because a pattern is a program, too. The library minds a time limit in most of what it does,
but not in all, and in a second one of five characters takes half a gigabyte of memory.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import regex

from wikihost.child.lifeline import die_with_parent
from wikihost.excerpts import BEGIN, END, excerpt, without_controls

MEMORY_BYTES = 256 * 1024 * 1024
CPU_S = 10
_SECONDS_PER_PAGE = 0.5
_MATCHES_OF_A_LINE = 50
_LINES_SHOWN = 3
_MOST_COUNTED = 1_000


def main() -> None:
    """Read the task (JSON) from stdin; write a JSON object per page that matches, and how it ended as the last."""
    resource.prlimit(0, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.prlimit(0, resource.RLIMIT_CPU, (CPU_S, CPU_S))
    task = json.load(sys.stdin)
    die_with_parent(task["parent"])
    try:
        _say({"end": _scan(task)})
    except regex.error as error:
        _say({"end": "invalid", "why": str(error)})
    except RecursionError:
        _say({"end": "invalid", "why": "it is nested too deeply"})
    except TimeoutError:
        _say({"end": "late"})
    except MemoryError:
        _say({"end": "large"})


def _scan(task: dict[str, Any]) -> str:
    source = task["pattern"] if task["is_regex"] else regex.escape(task["pattern"])
    in_text = regex.compile(source, 0 if task["is_case_sensitive"] else regex.IGNORECASE)
    in_name = regex.compile(source, regex.IGNORECASE)
    deadline = time.monotonic() + task["seconds"]
    found, end = 0, "all"
    for name, file in task["pages"]:
        try:
            with open(file, encoding="utf-8", errors="replace", newline="", opener=_open_itself) as opened:
                text = opened.read()
        except OSError:
            continue  # moved or deleted since the list was made
        try:
            named = in_name.search(name, timeout=_left(deadline)) is not None
            count, shown = _look_through(text, in_text, min(deadline, time.monotonic() + _SECONDS_PER_PAGE))
        except TimeoutError:
            end = "late"  # for this page, and others may be easier
            _left(deadline)
            continue
        if named or count:
            found += 1
            _say({"name": name, "is_named": named, "count": count, "length": len(text), "shown": shown})
            if found >= task["most"]:
                return "many"
    return end


def _look_through(text: str, pattern: Any, deadline: float) -> tuple[int, list[dict[str, Any]]]:
    """How often the pattern matches, and the first lines in which it does."""
    count, shown, start = 0, list[dict[str, Any]](), 0
    for line in text.splitlines(keepends=True):
        spans = list(_matches(line.rstrip("\r\n"), pattern, deadline))
        count += len(spans)
        if spans and len(shown) < _LINES_SHOWN:
            found = excerpt(_marked(line, spans))
            shown.append({"text": found.text, "highlights": found.highlights, "start": start + spans[0][0]})
        if count >= _MOST_COUNTED:
            break
        start += len(line)
    return count, shown


def _matches(line: str, pattern: Any, deadline: float) -> Iterator[tuple[int, int]]:
    position = 0
    for _ in range(_MATCHES_OF_A_LINE):
        # One by one: all at once they have no time limit.
        match = pattern.search(line, position, timeout=_left(deadline)) if position <= len(line) else None
        if match is None:
            return
        yield match.span()
        position = max(match.end(), match.start() + 1)


def _marked(line: str, spans: list[tuple[int, int]]) -> str:
    clean, pieces, position = without_controls(line), [], 0
    for begin, end in spans:
        if end > begin:
            pieces += [clean[position:begin], BEGIN, clean[begin:end], END]
            position = end
    return "".join([*pieces, clean[position:]])


def _open_itself(path: str, flags: int) -> int:
    """Never what a link points to."""
    return os.open(path, flags | os.O_NOFOLLOW)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _say(result: dict[str, Any]) -> None:
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
