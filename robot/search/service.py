"""Search by meaning, as the agents' doors call it."""

from __future__ import annotations

import trio

from robot.contents import Contents, WikiContents
from robot.model import Wiki
from robot.search import fusion, ranking
from robot.search.embed import BundledMiniLM, EmbedderSource
from robot.search.model_host import ModelHost
from robot.search.nursery import FindWiki, IndexNursery, Job
from robot.search.shelf import Shelf
from robot.search.values import (
    EmbeddingFailed,
    FindAnswer,
    Finding,
    FindMode,
    ModelUnavailable,
    ReindexRunning,
    ReindexState,
    ReindexStatus,
    SemanticAnswer,
)
from wikihost import keyword_syntax, passages
from wikihost.content import Content
from wikihost.passages import Progress

MAX_RESULTS = 50
MAX_CHUNKS_PER_PAGE = 5
# More than the model reads of any question.
MAX_QUERY_CHARS = 2_000


class SearchService:
    """Queries, and the index behind them.

    A wiki is indexed when it is first searched or saved after a start; until then nothing is opened or read. Without a
    model, and before a wiki's first passages are in, keyword search answers.
    """

    _is_confined = False

    def __init__(self, contents: Contents, find_wiki: FindWiki, source: EmbedderSource | None = None) -> None:
        self.contents = contents
        self._contents: WikiContents = contents
        self._model = ModelHost(source or BundledMiniLM())
        self._nursery = IndexNursery(contents, find_wiki, self._model)
        self._shelf = Shelf(contents, self._model.model_id)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own all indexing until cancelled, which takes effect at the next passage. May be run again after a crash."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._shelf.run)
            await nursery.start(self._nursery.run)
            task_status.started()

    def notify(self, wiki_id: str) -> None:
        """A wiki's head may have moved. Never blocks; many calls make one pass."""
        self._nursery.wake(wiki_id)

    def start_reindex(self, wiki: Wiki) -> None:
        """Chunk every page again. Raises `ReindexRunning` while an earlier one has not finished."""
        if self._nursery.job(wiki.id).asked_for:
            raise ReindexRunning("A re-index of this wiki is running already.")
        self._nursery.reindex(wiki.id)

    def cancel_reindex(self, wiki: Wiki) -> bool:
        """Stop a re-index after the page at hand. False when none was asked for, or it has finished."""
        return self._nursery.cancel(wiki.id)

    async def query(self, wiki: Wiki, text: str, *, limit: int = 5, max_chunks_per_page: int = 2) -> SemanticAnswer:
        """The passages nearest in meaning to `text`, of `limit` different pages where the wiki has them."""
        limit = min(max(limit, 1), MAX_RESULTS)
        per_page = min(max(max_chunks_per_page, 1), MAX_CHUNKS_PER_PAGE)
        question = _question(text)
        if not question:
            head = await self._contents.run(wiki, Content.head)
            return SemanticAnswer((), "semantic", head, self._nursery.job(wiki.id).indexed_head)
        try:
            answer = await self._by_meaning(wiki, question, limit, per_page)
        except (ModelUnavailable, EmbeddingFailed):
            answer = None
        if answer is None:
            answer = await self._contents.run(
                wiki, lambda content: ranking.answer_by_keywords(content, question, limit=limit)
            )
        if answer.indexed_head != answer.head:
            self._nursery.wake(wiki.id)
        return answer

    async def find(self, wiki: Wiki, text: str, *, mode: FindMode, limit: int, offset: int = 0) -> FindAnswer:
        """Pages by words (with all the syntax that has) and by meaning, joined by score; after the first `offset`.

        By words alone where search by meaning has nothing to say: no model, nothing indexed, no words in the query.
        """
        query = keyword_syntax.parse(text)
        question = _question(" ".join(term.text for term in query.wanted))
        near = await self._near(wiki, question) if question and mode != "keyword" else None
        if near is None:
            return await self._contents.run(wiki, lambda content: _by_words(content, text, limit, offset))
        if near.indexed_head != near.head:
            self._nursery.wake(wiki.id)
        weight = fusion.lexical_weight(text) if mode == "hybrid" else 0.0

        found, total = await self._contents.run(
            wiki,
            lambda content: ranking.join_both(content, query, near.results, weight, limit=limit, offset=offset),
        )
        return FindAnswer(found, total, mode, weight, near.head, near.indexed_head)

    async def status(self, wiki: Wiki) -> ReindexStatus:
        """How far the wiki's index is. Starts nothing and loads nothing."""
        model_id = self._model.model_id

        def read(content: Content) -> tuple[str, Progress]:
            return content.sync(), content.catalog.read(lambda db: passages.progress(db, model_id))

        # Asked before the counts are read: a pass that ends meanwhile must not look as if it stopped half-way.
        working = self._nursery.is_working_on(wiki.id)
        head, progress = await self._contents.run(wiki, read)
        job = self._nursery.job(wiki.id)
        all_done = progress.pages_indexed == progress.pages_total
        return ReindexStatus(
            state=_state(job, working=working, all_done=all_done),
            pages_total=progress.pages_total,
            pages_indexed=progress.pages_indexed,
            chunks_total=progress.chunks_total,
            chunks_indexed=progress.chunks_indexed,
            head=head,
            indexed_head=head if all_done else job.indexed_head,
            started_at=job.started_at,
            completed_at=None if working else job.completed_at,
            error_message=None if working else job.error,
            eta_s=_eta_s(job, progress, trio.current_time()) if working else None,
            model=model_id if self._model.failure is None else None,
        )

    async def _near(self, wiki: Wiki, question: str) -> SemanticAnswer | None:
        """The best passage of each of the nearest pages; None when search by meaning cannot answer."""
        try:
            return await self._by_meaning(wiki, question, ranking.FUSED, 1)
        except (ModelUnavailable, EmbeddingFailed):
            return None

    async def _by_meaning(self, wiki: Wiki, question: str, limit: int, per_page: int) -> SemanticAnswer | None:
        """None when no passage of the wiki is indexed yet. Raises `ModelUnavailable`, `EmbeddingFailed`."""
        snapshot = await self._shelf.snapshot(
            wiki, self._nursery.job(wiki.id).version, still_changing=self._nursery.is_working_on(wiki.id)
        )
        if not len(snapshot):
            return None  # and the model need not be loaded to say so
        vector = await self._model.embed_query(question)
        model_id = self._model.model_id
        return await self._contents.run(
            wiki,
            lambda content: ranking.answer_by_meaning(
                content, snapshot, vector, model_id, limit=limit, per_page=per_page, confined=self._is_confined
            ),
        )


def _by_words(content: Content, text: str, limit: int, offset: int) -> FindAnswer:
    head = content.sync()
    found = content.search(text, limit, offset)
    results = [Finding(hit, hit.score, hit.score, None) for hit in found.hits]
    return FindAnswer(results, found.total, "keyword", 1.0, head, None)


def _question(text: str) -> str:
    """The query on one line, of characters that every part can take, and no longer than the model reads."""
    printable = text[:MAX_QUERY_CHARS].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    return " ".join(printable.split())


def _state(job: Job, *, working: bool, all_done: bool) -> ReindexState:
    if working:
        return "in_progress"
    if job.error is not None:
        return "error"
    return "complete" if all_done else "idle"


def _eta_s(job: Job, progress: Progress, now: float) -> float | None:
    """Seconds left at the pace so far, None before the first page is done."""
    if not job.pages_done:
        return None
    return (now - job.started_s) / job.pages_done * (progress.pages_total - progress.pages_indexed)
