"""What one wiki may take at once of what all wikis share, so that whoever asks for another is not behind its crowd."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


class Shares:
    """So many turns at once for each wiki. How many there are for all together, a limiter beside it says.

    Take the share first: who waits for their own wiki must not hold what others could have.
    """

    def __init__(self, of_each: int) -> None:
        self._of_each = of_each
        self._taken: dict[str, trio.CapacityLimiter] = {}

    @asynccontextmanager
    async def turn(self, wiki_id: str) -> AsyncIterator[None]:
        """Wait for a turn of the wiki, and have it in the block."""
        share = self._taken.setdefault(wiki_id, trio.CapacityLimiter(self._of_each))
        try:
            async with share:
                yield
        finally:
            if not share.borrowed_tokens:  # a turn that ends is had by whoever waits, at once
                self._taken.pop(wiki_id, None)
