"""Questions as vectors, the latest of them remembered: people turn pages, and agents ask in several wikis."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from robot.search.model.host import ModelHost

if TYPE_CHECKING:
    from robot.search.model.embed import Vectors

REMEMBERED = 256  # of 1.5 KB each


class Questions:
    def __init__(self, model: ModelHost) -> None:
        self._model = model
        # A model that was opened stays until the process ends, so these are of one model.
        self._known: OrderedDict[str, Vectors] = OrderedDict()

    async def vector(self, question: str) -> Vectors:
        """float32[1, dimension] of length 1. Raises `ModelUnavailable`, `EmbeddingFailed`."""
        vector = self._known.get(question)
        if vector is None:
            vector = await self._model.embed_query(question)
        self._known[question] = vector
        self._known.move_to_end(question)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return vector
