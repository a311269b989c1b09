"""What zygote and workers log, as one line of JSON a record on the pipe that core reads.

Whatever bytes a page's name brings, JSON keeps them on their line, and core alone decides how they are shown. A line is
no longer than what a pipe takes at once (PIPE_BUF, pipe(7)), so that lines of several workers never mix.

Standard library only: this module runs in all three processes.
"""

from __future__ import annotations

import json
import logging
import select
from dataclasses import asdict, dataclass
from typing import Any, Final

MAX_LINE_BYTES: Final = select.PIPE_BUF
_MAX_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class LogLine:
    """One record: the level's number, the part (a logger's name), what it is about, a sentence and a traceback."""

    level: int
    part: str
    wiki: str
    request: str
    text: str
    trace: str = ""


def encode(line: LogLine) -> bytes:
    """The record as a line that fits; of what is too long, the end of the traceback and the start of the text stay."""
    fields = asdict(line)
    fields |= {name: fields[name][:_MAX_NAME] for name in ("part", "wiki", "request")}
    while len(packet := _packed(fields)) > MAX_LINE_BYTES:
        if fields["trace"]:
            fields["trace"] = fields["trace"][len(fields["trace"]) // 2 + 1 :]
        else:
            fields["text"] = fields["text"][: len(fields["text"]) // 2]
    return packet


def decode(line: bytes) -> LogLine | None:
    """What a line says; None for one that is no record: a library, or the interpreter, wrote it."""
    try:
        said: Any = json.loads(line)
        found = LogLine(**said)
    except (ValueError, TypeError, RecursionError):
        return None
    words = (found.part, found.wiki, found.request, found.text, found.trace)
    # logging remembers each level that it was ever asked about.
    is_level = type(found.level) is int and 0 <= found.level <= logging.CRITICAL
    return found if is_level and all(isinstance(word, str) for word in words) else None


def line_of(record: logging.LogRecord, wiki: str, request: str) -> LogLine:
    """What is to be said of a record of this process."""
    trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
    return LogLine(record.levelno, record.name, wiki, request, record.getMessage(), trace)


def _packed(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"
