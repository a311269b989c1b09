"""Which pages a person saw last in a wiki; Otter Wiki offers their folders where a page is made or moved.

Otter Wiki keeps this list in a cookie, which every view would have to write. Kept here, a view needs no worker.
"""

from __future__ import annotations

from collections import OrderedDict

from robot.model import User, Wiki

# As many as Otter Wiki keeps.
_PAGES = 8
_MOST_LISTS = 5_000


class RecentPages:
    """The last pages of each person in each wiki, in memory; the lists unused for longest go first."""

    def __init__(self) -> None:
        self._lists: OrderedDict[tuple[str, str], tuple[str, ...]] = OrderedDict()

    def note(self, user: User, wiki: Wiki, page: str) -> None:
        """Put `page` last in the list."""
        key = (wiki.id, user.id)
        before = self._lists.get(key, ())
        self._lists[key] = (*(name for name in before if name.lower() != page.lower()), page)[-_PAGES:]
        self._lists.move_to_end(key)
        if len(self._lists) > _MOST_LISTS:
            self._lists.popitem(last=False)

    def of(self, user: User, wiki: Wiki) -> tuple[str, ...]:
        """The pages, the last one last."""
        return self._lists.get((wiki.id, user.id), ())
