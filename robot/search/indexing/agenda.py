"""Which wiki is indexed next: edits before back-fills, turn by turn, later after failures. Pure."""

from __future__ import annotations

from collections import OrderedDict

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 300.0
# Then a back-fill has a turn all the same: where edits never end, the rest must get done too.
EDITS_IN_A_ROW = 8


class Agenda:
    """Wikis with work to do, each at most once among those with edits and once among those with a back-fill.

    Times are seconds of one monotonic clock. A wiki that failed as a whole is held: it has no turn before its time.
    """

    def __init__(self) -> None:
        self._edits: OrderedDict[str, None] = OrderedDict()
        self._backfills: OrderedDict[str, None] = OrderedDict()
        self._retries: dict[str, float] = {}
        self._held: set[str] = set()
        self._failures: dict[str, int] = {}
        self._edits_in_a_row = 0

    def __contains__(self, wiki_id: str) -> bool:
        """True while a wiki's turn will come without waiting for a time."""
        return wiki_id not in self._held and (wiki_id in self._edits or wiki_id in self._backfills)

    @property
    def edit_waits(self) -> bool:
        """True when a back-fill should make room."""
        return self._first(self._edits) is not None

    def add_edit(self, wiki_id: str) -> None:
        """Put a wiki at the end of those with edits, or leave it where it is there."""
        self._edits.setdefault(wiki_id)

    def add_backfill(self, wiki_id: str) -> None:
        """Put a wiki at the end of those with other work, or leave it where it is there."""
        self._backfills.setdefault(wiki_id)

    def hurry(self, wiki_id: str) -> None:
        """Let a wiki have its turn, whatever failed before: somebody asked for it."""
        self._forget_failures(wiki_id)
        self.add_backfill(wiki_id)

    def retry(self, wiki_id: str, now: float, *, hold: bool) -> float:
        """Plan a turn after a failure, later each time. Returns the wait in seconds.

        `hold` says that nothing else of the wiki can be done before; else only what failed waits.
        """
        times = self._failures[wiki_id] = self._failures.get(wiki_id, 0) + 1
        wait_s = min(FIRST_RETRY_S * 2.0 ** (times - 1), LONGEST_RETRY_S)
        self._retries[wiki_id] = now + wait_s
        if hold:
            self._held.add(wiki_id)
        return wait_s

    def has_retry(self, wiki_id: str) -> bool:
        return wiki_id in self._retries

    def succeeded(self, wiki_id: str) -> None:
        """All went well: the next failure waits shortly again."""
        self._forget_failures(wiki_id)

    def drop(self, wiki_id: str) -> None:
        self._edits.pop(wiki_id, None)
        self._backfills.pop(wiki_id, None)
        self._forget_failures(wiki_id)

    def take(self, now: float) -> str | None:
        """The wiki whose turn it is, taken off the agenda; the caller adds it again while there is more to do."""
        for wiki_id in [wiki_id for wiki_id, due in self._retries.items() if due <= now]:
            del self._retries[wiki_id]
            self._held.discard(wiki_id)
            self.add_backfill(wiki_id)
        edit, backfill = self._first(self._edits), self._first(self._backfills)
        if edit is not None and (backfill is None or self._edits_in_a_row < EDITS_IN_A_ROW):
            self._edits_in_a_row += 1
            del self._edits[edit]
            return edit
        self._edits_in_a_row = 0
        if backfill is not None:
            del self._backfills[backfill]
        return backfill

    def next_retry(self) -> float | None:
        """When `take` will have something though nothing is added, None when nothing is planned."""
        return min(self._retries.values(), default=None)

    def _first(self, queue: OrderedDict[str, None]) -> str | None:
        return next((wiki_id for wiki_id in queue if wiki_id not in self._held), None)

    def _forget_failures(self, wiki_id: str) -> None:
        self._failures.pop(wiki_id, None)
        self._retries.pop(wiki_id, None)
        self._held.discard(wiki_id)
