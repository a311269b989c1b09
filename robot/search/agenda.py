"""Which wiki is indexed next: one place in the queue per wiki, turns page by page, backoff after failures. Pure."""

from __future__ import annotations

from collections import OrderedDict

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 300.0


class Agenda:
    """Wikis with work to do. Times are seconds of one monotonic clock.

    Adding a wiki that is already there changes nothing, so it is never longer than there are wikis.
    """

    def __init__(self) -> None:
        self._due: OrderedDict[str, float] = OrderedDict()
        self._failures: dict[str, int] = {}

    def __contains__(self, wiki_id: str) -> bool:
        return wiki_id in self._due

    def add(self, wiki_id: str) -> None:
        """Put a wiki at the end, or leave it where it is; a waiting retry keeps its time."""
        self._due.setdefault(wiki_id, 0.0)

    def hurry(self, wiki_id: str) -> None:
        """Put a wiki up for now, whatever failed before: somebody asked for it."""
        self._failures.pop(wiki_id, None)
        self._due[wiki_id] = 0.0

    def retry(self, wiki_id: str, now: float) -> float:
        """Put a wiki back after a failure, later each time. Returns the wait in seconds."""
        times = self._failures[wiki_id] = self._failures.get(wiki_id, 0) + 1
        wait_s = min(FIRST_RETRY_S * 2.0 ** (times - 1), LONGEST_RETRY_S)
        self._due[wiki_id] = now + wait_s
        return wait_s

    def succeeded(self, wiki_id: str) -> None:
        """Something went well: the next failure waits shortly again."""
        self._failures.pop(wiki_id, None)

    def drop(self, wiki_id: str) -> None:
        self._due.pop(wiki_id, None)
        self._failures.pop(wiki_id, None)

    def take(self, now: float) -> str | None:
        """The first wiki that is due, taken off the agenda; the caller adds it again while there is more to do."""
        for wiki_id, due in self._due.items():
            if due <= now:
                del self._due[wiki_id]
                return wiki_id
        return None

    def next_due(self) -> float | None:
        """When `take` will have something, None when nothing is planned."""
        return min(self._due.values(), default=None)
