"""The owner of all indexing: one task, one page of one wiki at a time, in turns."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import trio

from robot.contents import Contents
from robot.model import Wiki
from robot.search import indexing
from robot.search.agenda import Agenda
from robot.search.model_host import ModelHost
from robot.search.values import EmbeddingFailed, ModelUnavailable
from wikihost.errors import ContentError
from wikihost.passages import PendingPage

log = logging.getLogger(__name__)

# So much embedding is lost at most when the process is killed within a very long page.
VECTORS_PER_WRITE = 16
# Indexing lets a burst of writes by, since it takes a core and the same page may be written again; but not for ever.
REST_S = 0.1
LONGEST_REST_S = 1.0
# All vectors are looked at for it, under the lock that writes wait for.
PAGES_PER_SWEEP = 200

FindWiki = Callable[[str], Wiki | None]


@dataclass(slots=True)
class Job:
    """What the nursery knows of one wiki.

    `version` counts the changes to its stored passages; `swept_at` is what it was at the last sweep since the start.
    """

    asked_for: bool = False
    start_over: bool = False
    cancelled: bool = False
    started_at: datetime | None = None
    started_s: float = 0.0
    completed_at: datetime | None = None
    error: str | None = None
    pages_done: int = 0
    version: int = 0
    swept_at: int | None = None
    indexed_head: str | None = None
    pending: deque[PendingPage] = field(default_factory=deque)
    refused: dict[tuple[int, str], str] = field(default_factory=dict)


class IndexNursery:
    """Brings the passages of wikis to their heads, after `wake` or `reindex`, until `run` is cancelled.

    Nothing is queued on disk: what is left to do is read from the catalog, so a crash loses no more than a page.
    """

    def __init__(self, contents: Contents, find_wiki: FindWiki, model: ModelHost) -> None:
        self._contents = contents
        self._find_wiki = find_wiki
        self._model = model
        self._agenda = Agenda()
        self._jobs: dict[str, Job] = {}
        self._active: str | None = None
        self._news = trio.Event()
        self._woken_s = float("-inf")

    def job(self, wiki_id: str) -> Job:
        return self._jobs.setdefault(wiki_id, Job())

    def is_working_on(self, wiki_id: str) -> bool:
        """True while there is work under way, or waiting for its turn (not: for a retry)."""
        waiting = wiki_id in self._agenda and self.job(wiki_id).error is None
        return waiting or wiki_id == self._active

    def wake(self, wiki_id: str) -> None:
        """The wiki may have changed: look at it in its turn. Never blocks; many calls make one look."""
        self._begin(self.job(wiki_id), wiki_id)
        self._woken_s = trio.current_time()
        self._agenda.add(wiki_id)
        self._news.set()

    def reindex(self, wiki_id: str) -> None:
        """Do all pages again, now."""
        job = self.job(wiki_id)
        self._begin(job, wiki_id)
        job.asked_for = job.start_over = True
        job.cancelled = False
        job.refused.clear()
        job.error = None
        self._agenda.hurry(wiki_id)
        self._news.set()

    def cancel(self, wiki_id: str) -> bool:
        """Stop a re-index that was asked for, after the page at hand. False when there is none.

        The next `wake` goes on with the pages that were not reached.
        """
        job = self.job(wiki_id)
        if not job.asked_for:
            return False
        job.asked_for = job.start_over = False
        job.cancelled = wiki_id == self._active
        if not job.cancelled:
            job.pending.clear()
        self._agenda.drop(wiki_id)
        return True

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until cancelled. It may be run again afterwards, or after a crash: the agenda is kept."""
        task_status.started()
        while True:
            await self._let_writers_by()
            self._news = trio.Event()
            wiki_id = self._agenda.take(trio.current_time())
            if wiki_id is None:
                await self._wait()
                continue
            self._active = wiki_id
            try:
                await self._take_turn(wiki_id)
            except BaseException:
                self._agenda.add(wiki_id)  # cancelled or broken in the middle: its turn was not had
                raise
            finally:
                self._active = None

    async def _wait(self) -> None:
        due = self._agenda.next_due()
        with trio.move_on_at(due if due is not None else float("inf")):
            await self._news.wait()

    async def _let_writers_by(self) -> None:
        """Wait until nothing was written for a moment."""
        latest = trio.current_time() + LONGEST_REST_S
        while (until := min(self._woken_s + REST_S, latest)) > trio.current_time():  # noqa: ASYNC110  (it moves on)
            await trio.sleep_until(until)

    async def _take_turn(self, wiki_id: str) -> None:
        """One step of one wiki, then the next wiki's turn; what fails is recorded and tried again later."""
        wiki = self._find_wiki(wiki_id)
        if wiki is None:
            self._agenda.drop(wiki_id)
            self._jobs.pop(wiki_id, None)
            return
        job = self.job(wiki_id)
        try:
            more = await self._step(wiki, job)
        except (ContentError, ModelUnavailable, EmbeddingFailed) as error:
            self._fail(wiki_id, job, str(error))
            return
        except Exception as error:
            # A fault of ours that one wiki's pages brought out must not keep the others from being indexed.
            log.exception("wiki %s cannot be indexed", wiki_id)
            self._fail(wiki_id, job, f"Something broke here ({type(error).__name__}); it has been recorded.")
            return
        if job.cancelled:
            job.cancelled = False
            job.pending.clear()
        elif more:
            job.error = None
            self._agenda.add(wiki_id)

    async def _step(self, wiki: Wiki, job: Job) -> bool:
        """Survey the wiki, or index one page of it. False when nothing is left."""
        model_id = self._model.model_id
        await self._model.embedder()
        if job.start_over:
            await self._contents.run(wiki, indexing.start_over)
            job.start_over = False
            job.pending.clear()
        if not job.pending:
            survey = await self._contents.run(wiki, lambda content: indexing.survey(content, model_id))
            job.pending.extend(page for page in survey.pages if (page.id, page.blob) not in job.refused)
            if not job.pending:
                await self._finish(wiki, job, survey)
                return False
        page = job.pending[0]
        try:
            await self._index_page(wiki, job, page)
        except EmbeddingFailed as error:
            job.refused[page.id, page.blob] = str(error)
        job.pending.popleft()
        return True

    async def _index_page(self, wiki: Wiki, job: Job, page: PendingPage) -> None:
        """Cut one page, embed what is new, store. Cancellable between any two passages."""
        embedder = await self._model.embedder()
        model_id = self._model.model_id
        body = await self._contents.run(wiki, lambda content: indexing.read_body(content, page))
        if body is None:
            return  # edited or deleted since the survey; the next one knows
        planned = await self._model.run(lambda: indexing.plan(page, body, embedder.count_tokens))
        vectors = await self._embed(wiki, planned)
        stored = await self._contents.run(
            wiki, lambda content: indexing.finish_page(content, planned, model_id, vectors)
        )
        if stored:
            job.pages_done += 1
            job.version += 1

    async def _embed(self, wiki: Wiki, planned: indexing.PlannedPage) -> dict[bytes, bytes]:
        """Vectors of the page's new passages; those that make a full batch are stored at once and left out."""
        model_id = self._model.model_id
        vectors: dict[bytes, bytes] = {}
        for digest in await self._contents.run(wiki, lambda content: indexing.missing(content, planned, model_id)):
            if len(vectors) == VECTORS_PER_WRITE:
                batch = vectors
                await self._contents.run(wiki, partial(indexing.keep_vectors, model_id=model_id, vectors=batch))
                vectors = {}
            vectors[digest] = await self._model.embed_passage(planned.texts[digest])
        return vectors

    async def _finish(self, wiki: Wiki, job: Job, survey: indexing.Survey) -> None:
        model_id = self._model.model_id
        if survey.pages:
            self._fail(wiki.id, job, _refusal([job.refused[page.id, page.blob] for page in survey.pages]))
            job.refused.clear()
            return
        job.refused.clear()
        if job.swept_at is None or job.version - job.swept_at >= PAGES_PER_SWEEP:
            await self._contents.run(wiki, lambda content: indexing.sweep(content, model_id))
            job.swept_at = job.version
        self._agenda.succeeded(wiki.id)
        job.indexed_head = survey.head
        job.completed_at = datetime.now(UTC)
        job.error = None
        job.asked_for = job.start_over  # asked for again while this pass ended

    def _fail(self, wiki_id: str, job: Job, message: str) -> None:
        self._agenda.retry(wiki_id, trio.current_time())
        job.error = message
        job.asked_for = False
        job.completed_at = datetime.now(UTC)

    def _begin(self, job: Job, wiki_id: str) -> None:
        """Note the start of a pass, unless one is under way."""
        if not self.is_working_on(wiki_id):
            job.started_at = datetime.now(UTC)
            job.started_s = trio.current_time()
            job.pages_done = 0


def _refusal(reasons: Sequence[str]) -> str:
    return reasons[0] if len(reasons) == 1 else f"{len(reasons)} pages could not be indexed. {reasons[0]}"
