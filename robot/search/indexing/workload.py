"""The pages of one wiki that wait to be indexed: edits, and the back-fill. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import chain

from wikihost.passages import PendingPage

# More new work than this at once is no matter of somebody who waits for an edit to be found: an import, a first index.
EDITS_AT_ONCE = 32


class Workload:
    """What a wiki's surveys brought. A page that is edited while it waits in the back-fill becomes an edit."""

    def __init__(self) -> None:
        self._edits: deque[PendingPage] = deque()
        self._backfill: deque[PendingPage] = deque()

    def __len__(self) -> int:
        return len(self._edits) + len(self._backfill)

    def __contains__(self, page: PendingPage) -> bool:
        return page in self._edits or page in self._backfill

    @property
    def has_edits(self) -> bool:
        return bool(self._edits)

    @property
    def first(self) -> PendingPage:
        """The page to work on; there must be one."""
        return (self._edits or self._backfill)[0]

    def take_stock(self, pages: Iterable[PendingPage]) -> None:
        """Make `pages` what waits: what is known keeps its place, what is not among them any more goes."""
        waiting = dict.fromkeys(pages)
        edits = [page for page in self._edits if page in waiting]
        backfill = [page for page in self._backfill if page in waiting]
        known = set(chain(edits, backfill))
        new = [page for page in waiting if page not in known]
        if len(new) > EDITS_AT_ONCE:
            backfill += new
        else:
            edits += new
        self._edits, self._backfill = deque(edits), deque(backfill)

    def done(self, page: PendingPage) -> None:
        """Take a page off that was `first`."""
        (self._edits or self._backfill).remove(page)

    def clear(self) -> None:
        self._edits.clear()
        self._backfill.clear()
