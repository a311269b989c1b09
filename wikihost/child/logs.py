"""Log lines of a worker: which wiki, and which request."""

from __future__ import annotations

import logging

from flask import has_request_context, request


def name_wiki_in_logs(wiki_id: str, level: str) -> None:
    """Log to standard error, one line each, from now on; replaces what the zygote set up for itself."""
    line = f"%(levelname)s wiki={wiki_id} request=%(request_id)s %(name)s %(message)s"
    logging.basicConfig(format=line, level=level, force=True)
    # Requests that wait for a thread are no news; core bounds how long they do.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_add_request_id)


def _add_request_id(record: logging.LogRecord) -> bool:
    """A logging filter that adds core's name for the request at hand."""
    record.request_id = request.headers.get("X-Request-Id", "-") if has_request_context() else "-"
    return True
