"""Logging to stderr, where journald reads it: one line a record, no colours, no secrets."""

from __future__ import annotations

import logging
import sys

_ESCAPES = {number: f"\\x{number:02x}" for number in (*range(32), 127)}


class OneLineFormatter(logging.Formatter):
    """Formats a record on one line with control characters escaped; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        trace = ""
        if record.exc_info:
            trace = "\n" + self.formatException(record.exc_info)
        line = f"{record.levelname.lower()} {record.name}: {record.getMessage().translate(_ESCAPES)}"
        return line + trace


def configure(level: str) -> None:
    """Send all logging to stderr at `level`; chatty libraries only from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLineFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx2", "httpcore2", "hpack", "mcp", "hypercorn.access", "fastembed"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
