"""One page between its survey and its passages in the catalog: cut once, embedded a few passages at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from robot.contents import Contents
from robot.model import Wiki
from robot.search.indexing import steps
from robot.search.indexing.steps import PlannedPage
from robot.search.model.host import ModelHost
from robot.search.values import EmbeddingFailed
from wikihost.passages import PendingPage

# What a wiki embeds before another has its turn; and all that is lost when the process is killed.
PASSAGES_PER_TURN = 16


class PageWork:
    """A page that is cut, and the hashes of its passages that the model `model_id` has not embedded yet."""

    def __init__(
        self,
        contents: Contents,
        model: ModelHost,
        wiki: Wiki,
        planned: PlannedPage,
        missing: Sequence[bytes],
    ) -> None:
        self._contents = contents
        self._model = model
        self._wiki = wiki
        self._planned = planned
        self._missing = missing
        self._kept = 0
        self._model_id = model.model_id

    async def advance(self, should_stop: Callable[[], bool]) -> bool:
        """Embed and keep some passages, and with the last of them store the page's. True when the page is done.

        `should_stop` is asked between any two passages. Raises `EmbeddingFailed`, `ModelUnavailable`, `ContentError`.
        """
        vectors: dict[bytes, bytes] = {}
        try:
            for digest in self._missing[self._kept : self._kept + PASSAGES_PER_TURN]:
                if should_stop():
                    break
                vectors[digest] = await self._model.embed_passage(self._planned.texts[digest])
        except EmbeddingFailed:
            await self._keep(vectors)
            raise
        return await self._keep(vectors)

    async def _keep(self, vectors: dict[bytes, bytes]) -> bool:
        model_id, planned = self._model_id, self._planned
        done = self._kept + len(vectors) == len(self._missing)
        if done:
            await self._contents.run(self._wiki, lambda content: steps.finish_page(content, planned, model_id, vectors))
        elif vectors:
            await self._contents.run(self._wiki, lambda content: steps.keep_vectors(content, model_id, vectors))
        self._kept += len(vectors)  # what the disk refused is embedded again
        return done


async def start_page(contents: Contents, model: ModelHost, wiki: Wiki, page: PendingPage) -> PageWork | None:
    """Cut a page. None when it was edited or deleted since it was surveyed: the next survey knows."""
    embedder = await model.embedder()
    model_id = model.model_id
    body = await contents.run(wiki, lambda content: steps.read_body(content, page))
    if body is None:
        return None

    def count(text: str) -> int:
        # Cutting a megabyte takes seconds, which a stop does not have.
        trio.from_thread.check_cancelled()
        return embedder.count_tokens(text)

    planned = await model.run(lambda: steps.plan(page, body, count))
    missing = await contents.run(wiki, lambda content: steps.missing(content, planned, model_id))
    return PageWork(contents, model, wiki, planned, missing)
