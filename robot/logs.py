"""Logging to stderr, where journald reads it: one line a record, no terminal codes, no secrets.

The standard library's logging, since every library speaks it; its lines are ours. journald takes the level from the
`<N>` in front (sd-daemon(3)) and has the time; where it does not listen, the line says the time itself.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from robot.underway import underway

Style = Literal["text", "json"]

# What a terminal or a reader's eye could take for something else than text: controls, C1 among them, other ends of
# lines, and what turns the direction of writing.
_UNSAFE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
# In front of each line of a traceback, so that no line of it can be read as a record.
_FOLLOWING = "  | "
_NOISY = ("httpx2", "httpcore2", "hpack", "mcp", "hypercorn.access", "fastembed", "markdown_it", "faiss")


class TextFormatter(logging.Formatter):
    """A line for people: time, level, part, what it is about, and the sentence; a traceback follows, indented."""

    def __init__(self, *, for_journal: bool) -> None:
        super().__init__()
        self._for_journal = for_journal

    def format(self, record: logging.LogRecord) -> str:
        lead = f"<{_priority(record)}>" if self._for_journal else ""
        when = "" if self._for_journal else f"{_moment(record)} "
        about = "".join(f" {name}={escaped(value)}" for name, value in _about(record).items())
        line = f"{lead}{when}{record.levelname.lower()} {_part(record)}{about}: {escaped(record.getMessage())}"
        trace = "".join(f"\n{lead}{_FOLLOWING}{escaped(part)}" for part in _trace(record))
        return line + trace


class JsonFormatter(logging.Formatter):
    """A JSON object for programs; `trace` is a list of lines."""

    def __init__(self, *, for_journal: bool) -> None:
        super().__init__()
        self._for_journal = for_journal

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {} if self._for_journal else {"time": _moment(record)}
        fields |= {"level": record.levelname.lower(), "part": _part(record), **_about(record)}
        fields["message"] = record.getMessage()
        if trace := _trace(record):
            fields["trace"] = trace
        # Escaped to ASCII, so nothing in it is a control character, or ends a line.
        return (f"<{_priority(record)}>" if self._for_journal else "") + json.dumps(fields)


def configure(level: str, style: Style = "text") -> None:
    """Send all logging to stderr at `level`; chatty libraries only from warnings on. May be called again."""
    made = JsonFormatter if style == "json" else TextFormatter
    root = logging.getLogger()
    ours = next((handler for handler in root.handlers if isinstance(handler, _ToStderr)), None)
    if ours is None:
        ours = _ToStderr(sys.stderr)
        root.handlers[:] = [ours]
    ours.setFormatter(made(for_journal=is_read_by_journal(sys.stderr.fileno(), os.environ)))
    root.setLevel(level.upper())
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def is_read_by_journal(descriptor: int, environment: Mapping[str, str]) -> bool:
    """Whether journald reads what is written there (systemd.exec(5), $JOURNAL_STREAM)."""
    written_to = os.fstat(descriptor)
    return environment.get("JOURNAL_STREAM") == f"{written_to.st_dev}:{written_to.st_ino}"


def escaped(text: str) -> str:
    """The text on one line, with nothing in it that a terminal obeys (pure)."""
    return _UNSAFE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found.group())
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


class _ToStderr(logging.StreamHandler):  # type: ignore[type-arg]
    """The one handler that is ours to replace; others count records."""


def _about(record: logging.LogRecord) -> dict[str, str]:
    """The request and the wiki: what a worker said of them, or whom this task or thread works for."""
    request = underway()
    told = {
        "request": getattr(record, "request", "") or (request.request_id if request else ""),
        "wiki": getattr(record, "wiki", "") or (request.wiki.id if request and request.wiki else ""),
    }
    return {name: value for name, value in told.items() if value}


def _part(record: logging.LogRecord) -> str:
    return escaped(getattr(record, "part", record.name))


def _trace(record: logging.LogRecord) -> list[str]:
    """The traceback's lines; a worker's comes as text."""
    text = record.exc_text or (logging.Formatter().formatException(record.exc_info) if record.exc_info else "")
    return text.splitlines()


def _priority(record: logging.LogRecord) -> int:
    return _PRIORITIES.get(record.levelno, 5)


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
