"""What zygote and workers log: lines for core, which say which wiki, and which request."""

from __future__ import annotations

import logging
import os

from flask import has_request_context, request

from wikihost.log_lines import encode, line_of

_STDERR = 2


class ToCore(logging.Handler):
    """Writes each record to standard error, which is core's pipe."""

    def __init__(self, wiki_id: str) -> None:
        super().__init__()
        self._wiki_id = wiki_id

    def emit(self, record: logging.LogRecord) -> None:
        """Write it at once: a worker that is killed has said what it said."""
        try:
            os.write(_STDERR, encode(line_of(record, self._wiki_id, request_at_hand())))
        except Exception:
            self.handleError(record)


def log_to_core(level: str, wiki_id: str = "") -> None:
    """Log so from now on; a worker replaces what the zygote set up for itself."""
    logging.basicConfig(handlers=[ToCore(wiki_id)], level=level, force=True)
    # Requests that wait for a thread are no news; core bounds how long they do.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


def request_at_hand() -> str:
    """Core's name for the request that this thread answers; empty when it answers none."""
    return request.headers.get("X-Request-Id", "") if has_request_context() else ""
