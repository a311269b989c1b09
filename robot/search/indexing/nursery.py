"""The owner of all indexing: one task, a few passages of one page of one wiki at a time, in turns."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import trio

from robot.contents import Contents
from robot.model import Wiki
from robot.search.indexing import run_record, steps
from robot.search.indexing.agenda import Agenda
from robot.search.indexing.job import Job
from robot.search.indexing.page_work import start_page
from robot.search.indexing.run_record import RunRecord
from robot.search.model.host import ModelHost
from robot.search.values import Backlog, EmbeddingFailed, ModelUnavailable
from robot.underway import Underway, begin, name_of_request, note_wiki
from wikihost.errors import ContentError
from wikihost.passages import PendingPage

log = logging.getLogger(__name__)

# Indexing lets a burst of writes by, since it takes a core and the same page may be written again; but not for ever.
REST_S = 0.1
LONGEST_REST_S = 1.0
# All vectors are looked at for it.
PAGES_PER_SWEEP = 200

FindWiki = Callable[[str], Wiki | None]


class IndexNursery:
    """Brings the passages of wikis to their heads, after `wake` or `reindex`, until `run` is cancelled.

    What is left to do is not queued on disk but read from the catalog, so a crash loses no more than some passages.
    """

    def __init__(self, contents: Contents, find_wiki: FindWiki, model: ModelHost) -> None:
        self._contents = contents
        self._find_wiki = find_wiki
        self._model = model
        self._agenda = Agenda()
        self._jobs: dict[str, Job] = {}
        # Of wikis that rest since before the start: a host may have thousands, and a job takes ten times as much.
        self._records: dict[str, RunRecord] = {}
        self._knows_records = False
        self._active: str | None = None
        self._news = trio.Event()
        self._woken_s = float("-inf")
        self._moved_s = float("-inf")
        self._to_note: list[str] = []
        self._noting = trio.Event()
        self._keeping = trio.Lock()

    def job(self, wiki_id: str) -> Job:
        job = self._jobs.get(wiki_id)
        if job is None:
            job = self._jobs[wiki_id] = Job(self._model.model_id)
            if (record := self._records.pop(wiki_id, None)) is not None:
                job.recall(record)
        return job

    @property
    def knows_an_index(self) -> bool:
        """Whether any wiki was indexed with the model in use, as far as is known without opening catalogs."""
        model_id = self._model.model_id
        return any(job.indexed_head is not None for job in self._jobs.values()) or any(
            record.indexed_head is not None and record.model == model_id for record in self._records.values()
        )

    def is_working_on(self, wiki_id: str) -> bool:
        """True while there is work under way, or waiting for its turn (not: for a retry).

        The turn in which a cancelled re-index is only forgotten is no work; what was saved before it is.
        """
        job = self.job(wiki_id)
        return wiki_id == self._active or (wiki_id in self._agenda and (not job.cancelled or job.is_stale))

    def backlog(self) -> Backlog:
        """What there is to do in all wikis."""
        now = trio.current_time()
        at_work = [job for wiki_id, job in self._jobs.items() if self.is_working_on(wiki_id)]
        return Backlog(
            wikis=len(at_work),
            oldest_s=max((now - job.waits_s for job in at_work), default=0.0),
            still_s=now - max(self._moved_s, min(job.started_s for job in at_work)) if at_work else 0.0,
            failing=sum(job.error is not None for job in self._jobs.values()),
        )

    def wake(self, wiki_id: str, *, after_write: bool = False) -> None:
        """The wiki may have changed: look at it in its turn. Never blocks; many calls make one look.

        `after_write` lets more writes by first. Searches do not: whoever waits for a page asks again and again.
        """
        job = self.job(wiki_id)
        self._begin(job, wiki_id)
        job.grow_stale()
        if after_write:
            self._woken_s = trio.current_time()
            job.asked_by = name_of_request()
        self._agenda.add_edit(wiki_id)
        self._news.set()

    def mend(self, wiki_id: str) -> None:
        """Something that is stored cannot be right: look all of it through."""
        self.job(wiki_id).is_doubted = True
        self.wake(wiki_id)

    def try_again(self) -> None:
        """What kept wikis from being indexed may be mended: none of them waits any longer."""
        for wiki_id, job in self._jobs.items():
            if job.error is not None:
                self._agenda.hurry(wiki_id)
        self._news.set()

    def reindex(self, wiki_id: str) -> None:
        """Look through all that is stored, now, and do again what is not as it should be."""
        job = self.job(wiki_id)
        self._begin(job, wiki_id)
        job.asked_for = job.is_doubted = True
        job.asked_by = name_of_request()
        job.cancelled = False
        job.refused.clear()
        job.error = None
        self._agenda.hurry(wiki_id)
        self._news.set()
        self._to_note.append(wiki_id)
        self._noting.set()

    def cancel(self, wiki_id: str) -> bool:
        """Stop a re-index that was asked for, after the passage at hand. False when there is none.

        The next `wake` goes on with the pages that were not reached.
        """
        job = self.job(wiki_id)
        if not job.asked_for:
            return False
        job.asked_for = False
        job.cancelled = True
        self._agenda.hurry(wiki_id)  # for the turn in which it is forgotten
        self._news.set()
        return True

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until cancelled. It may be run again afterwards, or after a crash: the agenda is kept."""
        if not self._knows_records:
            self._take_up(await trio.to_thread.run_sync(run_record.find_all, self._contents.data))
            self._knows_records = True
        task_status.started()
        while True:
            await self._let_writers_by()
            self._news = trio.Event()
            wiki_id = self._agenda.take(trio.current_time())
            if wiki_id is None:
                await self._wait()
                continue
            job = self.job(wiki_id)
            self._active = None if job.cancelled and not job.is_stale else wiki_id
            try:
                with begin(Underway(job.asked_by)):
                    await self._take_turn(wiki_id)
            except BaseException:
                self._agenda.add_backfill(wiki_id)  # cancelled or broken in the middle: its turn was not had
                raise
            finally:
                self._active = None
            self._moved_s = trio.current_time()

    async def note_what_is_asked(self) -> None:
        """Keep on disk what `reindex` was asked, before its turn comes, until cancelled; a crash forgets none then."""
        while True:
            await self._noting.wait()
            self._noting = trio.Event()
            while self._to_note:
                wiki_id = self._to_note.pop()
                job = self.job(wiki_id)
                if job.asked_for:
                    await self._keep_record(wiki_id, job, unfinished=True)

    def _take_up(self, records: dict[str, RunRecord]) -> None:
        """Know what was before the start, and go on with what was not finished."""
        self._records = records
        for wiki_id in [wiki_id for wiki_id, record in records.items() if record.unfinished or wiki_id in self._jobs]:
            record = records.pop(wiki_id)
            job = self.job(wiki_id)
            job.recall(record)
            if record.unfinished:
                job.asked_for = job.is_doubted = record.asked_for
                job.started_s = job.waits_s = trio.current_time()
                self._agenda.add_backfill(wiki_id)

    async def _wait(self) -> None:
        due = self._agenda.next_retry()
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
        note_wiki(wiki)
        job = self.job(wiki_id)
        try:
            more = not job.cancelled and await self._step(wiki, job)
        except (ContentError, ModelUnavailable, EmbeddingFailed) as error:
            await self._fail(wiki, job, str(error), hold=True)
            return
        except Exception as error:
            # A fault of ours that one wiki's pages brought out must not keep the others from being indexed.
            log.exception("the wiki cannot be indexed")
            message = f"Something broke here ({type(error).__name__}); it has been recorded."
            await self._fail(wiki, job, message, hold=True)
            return
        if job.cancelled:
            await self._forget(wiki, job)
        elif more:
            job.error = None
            # To see that nothing is left is soon done, and somebody may wait for that too.
            (self._agenda.add_edit if job.work.has_edits or not job.work else self._agenda.add_backfill)(wiki_id)

    async def _step(self, wiki: Wiki, job: Job) -> bool:
        """Survey the wiki where that is needed, and index some passages of it. False when nothing is left."""
        embedder = await self._model.embedder()
        if job.model_id != self._model.model_id:
            self._change_model(job)
        if job.asked_for:
            await self._keep_record(wiki.id, job, unfinished=True)
        if job.is_doubted:
            model_id = job.model_id
            await self._contents.run(wiki, lambda content: steps.look_through(content, model_id, embedder))
            job.is_doubted = False
            job.grow_stale()
            job.version += 1
        if job.is_stale or not job.work:
            if job.is_stale and not job.work:
                job.waits_s = job.stale_s  # what waited before is done
            head = await self._survey(wiki, job)
            if not job.work:
                await self._finish(wiki, job, head)
                return False
        await self._keep_record(wiki.id, job, unfinished=True)
        await self._work_on_page(wiki, job, job.work.first)
        return True

    async def _survey(self, wiki: Wiki, job: Job) -> str:
        """Know what there is to do. Returns the head."""
        job.is_stale = False
        if job.waits_for_retry and not self._agenda.has_retry(wiki.id):
            job.waits_for_retry = False
            job.refused.clear()
        model_id, refused, work = job.model_id, job.refused, job.work
        survey = await self._contents.run(wiki, lambda content: steps.survey(content, model_id, refused, work))
        job.refused = dict(survey.refused)
        job.under_way = {page: started for page, started in job.under_way.items() if page in work}
        return survey.head

    async def _work_on_page(self, wiki: Wiki, job: Job, page: PendingPage) -> None:
        """Bring a page on its way, a few passages at most, and fewer where somebody waits for an edit to be found."""
        is_edit = job.work.has_edits

        def should_stop() -> bool:
            return job.cancelled or (not is_edit and self._agenda.edit_waits)

        try:
            started = job.under_way.get(page) or await start_page(self._contents, self._model, wiki, page)
            if started is not None:
                job.under_way[page] = started
                if not await started.advance(should_stop):
                    return
                job.pages_done += 1
                job.version += 1
                log.debug("page %d is indexed", page.id)
        except EmbeddingFailed as error:
            job.refused[page.id, page.blob] = str(error)
        job.under_way.pop(page, None)
        job.work.done(page)

    async def _finish(self, wiki: Wiki, job: Job, head: str) -> None:
        if job.refused:
            job.waits_for_retry = True
            await self._fail(wiki, job, _refusal(job.refused.values()), hold=False)
            return
        if job.swept_at is None or job.version - job.swept_at >= PAGES_PER_SWEEP:
            model_id = job.model_id
            await self._contents.run(wiki, lambda content: steps.sweep(content, model_id))
            job.swept_at = job.version
        self._agenda.succeeded(wiki.id)
        job.indexed_head = head
        job.completed_at = datetime.now(UTC)
        job.error = None
        job.asked_for = job.asked_for and job.is_doubted  # asked for again while this pass ended
        await self._keep_record(wiki.id, job, unfinished=job.asked_for)

    async def _fail(self, wiki: Wiki, job: Job, message: str, *, hold: bool) -> None:
        if hold or not self._agenda.has_retry(wiki.id):
            self._agenda.retry(wiki.id, trio.current_time(), hold=hold)
        job.error = message
        job.grow_stale()
        job.asked_for = False
        job.completed_at = datetime.now(UTC)
        await self._keep_record(wiki.id, job, unfinished=True)

    async def _forget(self, wiki: Wiki, job: Job) -> None:
        """The end of a re-index that was cancelled; what was saved meanwhile is looked at all the same."""
        job.cancelled = False
        job.work.clear()
        job.under_way.clear()
        self._agenda.drop(wiki.id)
        await self._keep_record(wiki.id, job, unfinished=job.asked_for)
        if job.is_stale:
            self._agenda.add_edit(wiki.id)

    def _change_model(self, job: Job) -> None:
        job.model_id = self._model.model_id
        job.indexed_head = None
        job.work.clear()
        job.under_way.clear()

    async def _keep_record(self, wiki_id: str, job: Job, *, unfinished: bool) -> None:
        async with self._keeping:
            record = RunRecord(
                model=job.model_id,
                unfinished=unfinished,
                asked_for=job.asked_for,
                started_at=job.started_at,
                completed_at=job.completed_at,
                error=job.error,
                indexed_head=job.indexed_head,
            )
            if record != job.kept:
                await trio.to_thread.run_sync(run_record.keep, self._contents.data.wiki(wiki_id), record)
                job.kept = record

    def _begin(self, job: Job, wiki_id: str) -> None:
        """Note the start of a pass, unless one is under way."""
        if not self.is_working_on(wiki_id):
            job.started_at = datetime.now(UTC)
            job.started_s = job.waits_s = trio.current_time()
            job.pages_done = 0


def _refusal(refused: Iterable[str]) -> str:
    reasons = list(refused)
    return reasons[0] if len(reasons) == 1 else f"{len(reasons)} pages could not be indexed. {reasons[0]}"
