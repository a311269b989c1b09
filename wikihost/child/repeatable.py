"""Which answers core may give again, without asking: those that depend on nothing but what core knows of a request.

That is the wiki's files at one commit, the owner's preferences, the visitor's permissions, whether anybody is signed in
and whether the wiki is frozen, and the request as core sent it. Such an answer says which commit it was made at.

Others do not: forms, since they hold drafts; lists of commits, which say how long ago each was; whatever shows the
visitor's name. Neither does an answer that was made while the wiki changed: a writer moves the head first and the
files after it, and preferences are stored a moment before they are heeded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final

from flask import g, request

from wikihost.worker_protocol import MADE_AT_HEADER

ENDPOINTS: Final = frozenset(
    {
        "about",
        "blame",
        "changelog_feed_atom",
        "changelog_feed_rss",
        "favicon",
        "get_attachment",
        "get_attachment_thumbnail",
        "help",
        "index",
        "pageindex",
        "pageview",
        "plugin_static_css",
        "robotstxt",
        "sitemap",
        "source",
        "syntax",
        "view",
        "webmanifest",
    }
)
_READING: Final = ("GET", "HEAD")
_CHANGES: Final = "robot_changes"


class Changes:
    """Whether requests that may change anything are under way, or ended since a moment. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running = 0
        self._ended = 0

    def begin(self) -> None:
        with self._lock:
            self._running += 1

    def end(self) -> None:
        with self._lock:
            self._running -= 1
            self._ended += 1

    def quiet_since(self) -> int | None:
        """A number that stays the same for as long as nothing changes; None while something may."""
        with self._lock:
            return None if self._running else self._ended


def install(app: Any, storage: Any) -> None:
    """Mark answers; before the first request."""
    changes = app.extensions[_CHANGES] = Changes()

    def state() -> tuple[str | None, int | None]:
        return storage.settled_head(), changes.quiet_since()

    def begin() -> None:
        if request.method in _READING:
            g.robot_made_from = state()
        else:
            g.robot_changes = True
            changes.begin()

    def mark(response: Any) -> Any:
        made_from = g.get("robot_made_from")
        if made_from is not None and None not in made_from and _is_repeatable() and made_from == state():
            response.headers[MADE_AT_HEADER] = made_from[0]
        return response

    def end(_error: BaseException | None) -> None:
        if g.pop("robot_changes", False):
            changes.end()

    app.before_request(begin)
    app.after_request(mark)
    app.teardown_request(end)


@contextmanager
def changing(app: Any) -> Iterator[None]:
    """Change in the block, without any request, what pages are made from."""
    changes: Changes = app.extensions[_CHANGES]
    changes.begin()
    try:
        yield
    finally:
        changes.end()


def note_personal() -> None:
    """Say that the answer being made shows who is asking."""
    g.robot_personal = True


def _is_repeatable() -> bool:
    return request.endpoint in ENDPOINTS and "edit" not in request.args and "robot_personal" not in g
