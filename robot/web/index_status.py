"""How far the search index of a wiki is, for the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import trio

from robot.model import Wiki
from robot.search.telling import percent_of
from robot.search.values import ReindexStatus
from wikihost.errors import ContentError

# As for a wiki's other figures: a page without this one is better than a page that waits for long git jobs.
STATUS_DEADLINE_S = 2.0


class Indexer(Protocol):
    """What the dashboard needs of `robot.search.service.SearchService` for the index."""

    def start_reindex(self, wiki: Wiki) -> None:
        """Raises `ReindexRunning`."""

    def cancel_reindex(self, wiki: Wiki) -> bool: ...

    def is_indexing(self, wiki: Wiki) -> bool: ...

    async def status(self, wiki: Wiki) -> ReindexStatus: ...


async def read_status(indexer: Indexer, wiki: Wiki) -> ReindexStatus | None:
    """How far it is, or None when that cannot be told in time."""
    with trio.move_on_after(STATUS_DEADLINE_S):
        try:
            return await indexer.status(wiki)
        except ContentError:
            return None
    return None


async def gather_percents(indexer: Indexer, wikis: Sequence[Wiki]) -> dict[str, int]:
    """How much of it is done, by wiki id, of those whose index is worked on now."""
    found: dict[str, int] = {}

    async def gather(wiki: Wiki) -> None:
        status = await read_status(indexer, wiki)
        if status is not None and status.state == "in_progress":
            found[wiki.id] = percent_of(status)

    async with trio.open_nursery() as nursery:
        for wiki in wikis:
            if indexer.is_indexing(wiki):
                nursery.start_soon(gather, wiki)
    return found
