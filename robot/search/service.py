"""Search by words and by meaning, and the index behind it, as doors and pages call it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

import trio

from robot.contents import Contents, WikiContents
from robot.finished import Phase
from robot.model import Wiki
from robot.search.finding import ranking
from robot.search.finding.everywhere import FROM_EACH_WIKI, Everywhere
from robot.search.finding.fusion import DEFAULT_WEIGHTS, NO_FLOOR, Weights
from robot.search.finding.questions import Questions
from robot.search.finding.ranking import Asked
from robot.search.finding.shelf import Shelf
from robot.search.finding.showing import Meaning
from robot.search.indexing.job import Job
from robot.search.indexing.nursery import FindWiki, IndexNursery
from robot.search.model.directory import bundled_model
from robot.search.model.embed import EmbedderSource
from robot.search.model.host import ModelHost
from robot.search.values import (
    Backlog,
    EmbeddingFailed,
    EverywhereAnswer,
    FindAnswer,
    FindMode,
    ModelUnavailable,
    ReindexRunning,
    ReindexState,
    ReindexStatus,
    SemanticAnswer,
    SimilarAnswer,
)
from robot.underway import measured
from wikihost import keyword_syntax, passages
from wikihost.content import Content
from wikihost.keyword_syntax import KeywordQuery
from wikihost.passages import Progress
from wikihost.values import NO_FILTERS, SearchFilters

if TYPE_CHECKING:
    from robot.search.finding.index import Snapshot

Answer = TypeVar("Answer", SemanticAnswer, FindAnswer, SimilarAnswer)

MAX_RESULTS = 50
MAX_CHUNKS_PER_PAGE = 5
# More than the model reads of any question.
MAX_QUERY_CHARS = 2_000
# After a start, whose first pages come first.
WARM_UP_AFTER_S = 3.0


class SearchService:
    """Queries, and the index behind them.

    A wiki is indexed when it is first searched or saved after a start, or was not finished before it; until then
    nothing of it is opened or read. Without a model, and before its first passages are in, keyword search answers.
    """

    _is_confined = False

    def __init__(
        self,
        contents: Contents,
        find_wiki: FindWiki,
        source: EmbedderSource | None = None,
        weights: Weights = DEFAULT_WEIGHTS,
    ) -> None:
        self.contents = contents
        self._contents: WikiContents = contents
        self._model = ModelHost(source or bundled_model())
        self._nursery = IndexNursery(contents, find_wiki, self._model)
        self._shelf = Shelf(contents, lambda: self._model.model_id, self._nursery.mend)
        self._questions = Questions(self._model)
        self._weights = weights
        self._everywhere = Everywhere(contents, self._nursery.wake)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own all indexing until cancelled, which takes effect at the next passage. May be run again after a crash."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._shelf.run)
            nursery.start_soon(self._nursery.note_what_is_asked)
            await nursery.start(self._prepare_model)
            await nursery.start(self._nursery.run)
            nursery.start_soon(self._warm_up)
            task_status.started()

    async def _prepare_model(self, *, task_status: trio.TaskStatus[None]) -> None:
        await self._model.prepare(task_status=task_status)
        self._nursery.try_again()

    async def _warm_up(self) -> None:
        """Make ready what the first search would wait for, where wikis were searched or saved before."""
        if not self._nursery.knows_an_index:
            return
        await trio.sleep(WARM_UP_AFTER_S)
        await trio.to_thread.run_sync(import_module, "robot.search.finding.index", abandon_on_cancel=True)
        with suppress(ModelUnavailable):  # which the status says
            await self._model.embedder()

    def notify(self, wiki_id: str) -> None:
        """A wiki's head may have moved. Never blocks; many calls make one pass."""
        self._nursery.wake(wiki_id, after_write=True)

    def is_indexing(self, wiki: Wiki) -> bool:
        """Whether the wiki's index is worked on, or waits for its turn; `status` says how far it is."""
        return self._nursery.is_working_on(wiki.id)

    def backlog(self) -> Backlog:
        """What there is to index in all wikis."""
        return self._nursery.backlog()

    def start_reindex(self, wiki: Wiki) -> None:
        """Look through the index and mend it. Raises `ReindexRunning` while an earlier one has not finished."""
        if self._nursery.job(wiki.id).asked_for:
            raise ReindexRunning("A re-index of this wiki is running already.")
        self._nursery.reindex(wiki.id)

    def cancel_reindex(self, wiki: Wiki) -> bool:
        """Stop a re-index after the passage at hand. False when none was asked for, or it has finished."""
        return self._nursery.cancel(wiki.id)

    async def query(
        self,
        wiki: Wiki,
        text: str,
        *,
        limit: int = 5,
        max_chunks_per_page: int = 2,
        filters: SearchFilters = NO_FILTERS,
    ) -> SemanticAnswer:
        """The passages nearest in meaning to `text`, of `limit` different pages where the wiki has them."""
        query = keyword_syntax.parse(text, filters)
        question = query.question or ("" if query.has_conditions else _question(text))
        asked = self._asked(query, "semantic", 0.0, limit, max_chunks_per_page)

        def answer(content: Content, asked: Asked, meaning: Meaning | None) -> SemanticAnswer:
            if meaning is not None:
                return ranking.passages_by_meaning(content, asked, meaning)
            found = ranking.passages_by_words(content, asked)
            # Where nothing was asked, nothing was asked of words either.
            return found if question or found.results else replace(found, mode="semantic")

        return await self._answer(wiki, asked, question, answer)

    async def find(
        self,
        wiki: Wiki,
        text: str,
        *,
        mode: FindMode = "hybrid",
        limit: int,
        offset: int = 0,
        filters: SearchFilters = NO_FILTERS,
        max_chunks_per_page: int = 1,
    ) -> FindAnswer:
        """Sections by words (with all the syntax that has) and by meaning, joined by score; after the first `offset`.

        All pages come with their best section before any comes with a second, which only search by meaning knows. By
        words alone where that has nothing to say: no model, nothing indexed, no words in the query.
        """
        query = keyword_syntax.parse(text, filters)
        weight = {"hybrid": self._weights.of(_looked_for(query)), "semantic": 0.0, "keyword": 1.0}[mode]
        asked = self._asked(query, mode, weight, limit, max_chunks_per_page, offset)
        return await self._answer(wiki, asked, "" if mode == "keyword" else query.question, ranking.find)

    async def similar(self, wiki: Wiki, path: str, *, limit: int = 5) -> SimilarAnswer:
        """Other pages that mean what this one does, nearest first; by words while it is not indexed.

        Raises `PageNotFound`.
        """
        asked = self._asked(KeywordQuery(), "semantic", 0.0, limit, 1)

        async def ask(doubts: bool) -> SimilarAnswer:
            from robot.search.finding.similar import pages_like  # noqa: PLC0415 - numpy comes with it, in this thread

            snapshot, doubted = await self._snapshot(wiki), replace(asked, doubts=doubts)
            return await self._contents.run(wiki, lambda content: pages_like(content, path, doubted, snapshot))

        return await self._honestly(wiki, ask)

    async def find_everywhere(self, wikis: Sequence[Wiki], text: str, *, limit: int = 20) -> EverywhereAnswer:
        """Sections of pages of all these wikis, best first; what does not answer in time is named.

        Which wikis somebody may read is for the caller to know.
        """
        query = keyword_syntax.parse(text)
        vector = problem = None
        try:
            vector = await self._questions.vector(query.question) if query.wanted else None
        except (ModelUnavailable, EmbeddingFailed) as error:
            problem = str(error)
        asked = replace(
            self._asked(query, "hybrid", self._weights.of(_looked_for(query)), limit, 1), candidates=FROM_EACH_WIKI
        )

        async def means(wiki: Wiki, *, may_load: bool) -> Meaning | None:
            if vector is None or not (may_load or wiki.id in self._shelf):
                return None
            snapshot = await self._snapshot(wiki)
            return Meaning(snapshot, vector) if len(snapshot) else None

        return replace(await self._everywhere.find(wikis, asked, means), model_problem=problem)

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
            indexed_head=head if all_done else self._indexed_before(wiki, head),
            started_at=job.started_at,
            completed_at=None if working else job.completed_at,
            error_message=None if working else job.error,
            eta_s=_eta_s(job, progress, trio.current_time()) if working else None,
            model=model_id if self._model.failure is None else None,
            model_problem=self._model.failure,
            asked_for=job.asked_for,
        )

    def _asked(
        self, query: KeywordQuery, mode: FindMode, weight: float, limit: int, per_page: int, offset: int = 0
    ) -> Asked:
        return Asked(
            query,
            mode,
            weight,
            limit=min(max(limit, 1), MAX_RESULTS),
            model_id=self._model.model_id,
            offset=max(offset, 0),
            per_page=min(max(per_page, 1), MAX_CHUNKS_PER_PAGE),
            candidates=self._weights.candidates,
            floor=self._weights.floor if mode == "hybrid" else NO_FLOOR,
            problem=self._model.failure,
            is_confined=self._is_confined,
        )

    async def _answer(
        self, wiki: Wiki, asked: Asked, question: str, answer: Callable[[Content, Asked, Meaning | None], Answer]
    ) -> Answer:
        """Ask the wiki, by meaning too where there is a question and something to ask; and have its index follow."""

        async def ask(doubts: bool) -> Answer:
            meaning, problem = None, asked.problem
            if question:
                try:
                    meaning = await self._meaning(wiki, question)
                except (ModelUnavailable, EmbeddingFailed) as error:
                    problem = str(error)
            # Which model it is may have turned out when it was opened.
            now = replace(asked, model_id=self._model.model_id, problem=problem, doubts=doubts)
            return await self._contents.run(wiki, lambda content: answer(content, now, meaning))

        return await self._honestly(wiki, ask)

    async def _honestly(self, wiki: Wiki, ask: Callable[[bool], Awaitable[Answer]]) -> Answer:
        """What `ask(doubts)` answers, which claims nothing that is not in it; and the wiki is indexed where that lacks.

        A page that is indexed after the vectors were taken is in the catalog already when that is read. Looking for
        such pages takes some milliseconds, so that is done only where there may be one.
        """
        before = self._version_at_rest(wiki)
        with measured(Phase.SEARCH):
            found = await ask(before is None)
            if before is not None and before != self._version_at_rest(wiki):
                found = await ask(True)
        fresh = found.freshness
        if fresh.indexed_head == fresh.head:
            return found
        self._nursery.wake(wiki.id)
        # What is indexed outside of a folder is nobody's business there.
        indexed_head = None if self._is_confined else self._indexed_before(wiki, fresh.head)
        return replace(found, freshness=replace(fresh, indexed_head=indexed_head))

    def _indexed_before(self, wiki: Wiki, head: str) -> str | None:
        """The commit that was last indexed as a whole, where that is not `head`, of which something lacks again."""
        indexed_head = self._nursery.job(wiki.id).indexed_head
        return None if indexed_head == head else indexed_head

    def _version_at_rest(self, wiki: Wiki) -> int | None:
        """What is indexed of a wiki, as a number; None while that changes."""
        return None if self._nursery.is_working_on(wiki.id) else self._nursery.job(wiki.id).version

    async def _meaning(self, wiki: Wiki, question: str) -> Meaning | None:
        """None when no passage of the wiki is indexed yet. Raises `ModelUnavailable`, `EmbeddingFailed`."""
        if not len(await self._snapshot(wiki)):
            return None  # and the model need not be loaded to say so
        vector = await self._questions.vector(question)
        # Anew, since which model it is may turn out when it is opened.
        snapshot = await self._snapshot(wiki)
        return Meaning(snapshot, vector) if len(snapshot) else None

    async def _snapshot(self, wiki: Wiki) -> Snapshot:
        return await self._shelf.snapshot(
            wiki, self._nursery.job(wiki.id).version, still_changing=self._nursery.is_working_on(wiki.id)
        )


def _looked_for(query: KeywordQuery) -> str:
    """What weights go by: a condition on pages looks like an identifier, and is none of what is looked for."""
    return f'"{query.question}"' if query.required else query.question


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
