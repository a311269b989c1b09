"""Imports that somebody began in a browser: first looked at, then carried out when they say so.

Each is a task of one nursery here, so it goes on when its browser is gone, and ends with the host. Nothing of it
survives a restart: until it is carried out it has changed nothing, and then it is in the history.
"""

from __future__ import annotations

import logging
import secrets
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import trio

from robot.access import may_write_still
from robot.authorship import author_of
from robot.contents import Contents
from robot.db import Database
from robot.fetch import FetchRefused
from robot.imports.repositories import Repositories
from robot.imports.sources import Origin, Prepared, label_of, open_source, prepare
from robot.model import Person, Role, User, Wiki
from wikihost.content import Content
from wikihost.errors import ContentError, QuotaExceeded
from wikihost.imports.run import Order, plan_import, run_import
from wikihost.imports.values import Choices, ImportRefused, Report, SourceLimits
from wikihost.layout import DataDir

log = logging.getLogger(__name__)

KEPT_S = 3600.0
"""How long an import waits to be confirmed, and how long its report can be read."""

MAX_JOBS = 20
MAX_JOBS_PER_PERSON = 3
_SWEEP_EVERY_S = 60.0
_REMOVE_S = 30.0


class Stage(StrEnum):
    """Where an import is, in order; `FAILED` can follow any but `DONE`. Without room `IMPORTING` leads to `READY`."""

    LOOKING = "looking"
    READY = "ready"
    IMPORTING = "importing"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_busy(self) -> bool:
        return self in (Stage.LOOKING, Stage.IMPORTING)

    @property
    def is_over(self) -> bool:
        return self in (Stage.DONE, Stage.FAILED)


class TooManyImports(Exception):
    """This person, or everybody together, has too many imports under way; the message says what to do."""


@dataclass(slots=True)
class Job:
    """One import. `root` is a directory of its own, the uploaded file in it; `files_done` counts each file twice."""

    id: str
    wiki: Wiki
    user: User
    origin: Origin
    choices: Choices
    root: Path
    stage: Stage = Stage.LOOKING
    report: Report | None = None
    problem: str = ""
    files_done: int = 0
    files_total: int = 0
    touched_s: float = field(default_factory=trio.current_time)
    prepared: Prepared | None = None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    @property
    def label(self) -> str:
        return label_of(self.origin)


class Imports:
    """All imports under way. `run` owns them."""

    def __init__(
        self,
        *,
        db: Database,
        contents: Contents,
        data: DataDir,
        domain: str,
        limits: SourceLimits,
        repositories: Repositories,
    ) -> None:
        self._db = db
        self._contents = contents
        self._data = data
        self._domain = domain
        self._limits = limits
        self._repositories = repositories
        self._jobs: dict[str, Job] = {}
        self._tasks: trio.Nursery | None = None
        # One at a time: an import keeps a core busy for as long as it takes.
        self._threads = trio.CapacityLimiter(1)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the imports until cancelled; may be run again after a crash, which ends those that were at work."""
        for job in self._jobs.values():
            if job.stage.is_busy:
                _fail(job, "The host had to start its imports anew. Nothing was written; please begin again.")
        try:
            async with trio.open_nursery() as self._tasks:
                task_status.started()
                while True:
                    await trio.sleep(_SWEEP_EVERY_S)
                    await self._sweep()
        finally:
            self._tasks = None

    def new_root(self) -> Path:
        """A directory that does not exist yet, for one import."""
        return self._data.transfers / f"import-{secrets.token_hex(8)}"

    def begin(self, user: User, wiki: Wiki, origin: Origin, choices: Choices, root: Path) -> Job:
        """Start to look at what the import would do. Raises `TooManyImports`."""
        if self._tasks is None:
            raise TooManyImports("The host is just starting. Try again in a moment.")
        mine = [job for job in self._jobs.values() if job.user.id == user.id and job.stage is not Stage.DONE]
        if len(mine) >= MAX_JOBS_PER_PERSON:
            idle = [job for job in mine if not job.stage.is_busy]
            if not idle:
                raise TooManyImports("You have three imports under way. Wait for one of them, or cancel it.")
            self.drop(min(idle, key=lambda job: job.touched_s))
        if len(self._jobs) >= MAX_JOBS:
            over = [job for job in self._jobs.values() if job.stage.is_over]
            if not over:
                raise TooManyImports("Many people are importing just now. Try again in a few minutes.")
            self.drop(min(over, key=lambda job: job.touched_s))
        job = Job(secrets.token_hex(8), wiki, user, origin, choices, root)
        self._jobs[job.id] = job
        self._tasks.start_soon(self._work, job, self._look)
        return job

    def find(self, user: User, wiki: Wiki, job_id: str) -> Job | None:
        """The import of this id, for whoever began it."""
        job = self._jobs.get(job_id)
        return job if job is not None and (job.user.id, job.wiki.id) == (user.id, wiki.id) else None

    def confirm(self, job: Job) -> None:
        """Carry out what was looked at; no more than once."""
        if job.stage is Stage.READY and self._tasks is not None:
            job.stage = Stage.IMPORTING
            job.scope = trio.CancelScope()
            job.files_done = job.files_total = 0
            job.touched_s = trio.current_time()
            self._tasks.start_soon(self._work, job, self._import)

    def drop(self, job: Job) -> None:
        """Forget an import; one at work ends before anything was written, or is done."""
        job.scope.cancel()
        self._jobs.pop(job.id, None)
        if self._tasks is not None and not job.stage.is_busy:
            self._tasks.start_soon(_remove, job.root)

    async def _work(self, job: Job, step: Callable[[Job], Awaitable[None]]) -> None:
        """Run one step of an import; what goes wrong is told on its page."""
        try:
            with job.scope:
                await step(job)
        except (ContentError, FetchRefused) as error:
            _fail(job, str(error))
        except Exception:
            log.exception("the import of %s into wiki %s failed", job.label, job.wiki.id)
            _fail(job, "Something broke here; it has been recorded. Nothing was written.")
        finally:
            job.touched_s = trio.current_time()
            if job.stage is not Stage.READY:
                await _remove(job.root)

    async def _look(self, job: Job) -> None:
        prepared = job.prepared = await prepare(job.origin, self._repositories, job.root)
        order = self._order(job, prepared)

        def look(content: Content) -> Report:
            with open_source(prepared, self._limits) as source:
                return plan_import(content, source, order, lambda done, total: _tell(job, done, total))

        job.report = await self._contents.run(job.wiki, look, limiter=self._threads)
        job.stage = Stage.READY

    async def _import(self, job: Job) -> None:
        prepared = job.prepared
        assert prepared is not None  # noqa: S101  (it was looked at)
        order, home = self._order(job, prepared), self._data.wiki(job.wiki.id)

        def last_look() -> None:
            if not trio.from_thread.run_sync(may_write_still, self._db, job.user, job.wiki):
                raise ImportRefused("You may not write to this wiki any more. Nothing was written.")

        def carry_out(content: Content) -> Report:
            with open_source(prepared, self._limits) as source:
                return run_import(
                    content,
                    home,
                    job.root / "made",
                    source,
                    order,
                    lambda done, total: _tell(job, done, total),
                    last_look=last_look,
                )

        try:
            # The thread ends early only where it asks whether it may go on, which is never after the commit.
            job.report = await self._contents.run(job.wiki, carry_out, limiter=self._threads)
        except QuotaExceeded as error:
            # Kept as it was, so that whoever makes room need not bring the files again.
            assert job.report is not None  # noqa: S101  (it was looked at)
            job.report, job.stage = replace(job.report, no_room=str(error)), Stage.READY
            return
        self._contents.changed(job.wiki.id)
        job.stage = Stage.DONE

    def _order(self, job: Job, prepared: Prepared) -> Order:
        # Roles were looked at when the form was sent; the name is all that is needed of them here.
        author = author_of(Person(job.user, Role.EDITOR), self._domain, "web")
        return Order(job.label, job.choices, self._limits, author, prepared.history)

    async def _sweep(self) -> None:
        oldest = trio.current_time() - KEPT_S
        for job in [job for job in self._jobs.values() if not job.stage.is_busy and job.touched_s < oldest]:
            del self._jobs[job.id]
            await _remove(job.root)


def _tell(job: Job, done: int, total: int) -> None:
    """Note how far it is; from the thread at work, which ends here when the import was dropped."""
    trio.from_thread.check_cancelled()
    job.files_done, job.files_total = done, total


def _fail(job: Job, sentence: str) -> None:
    job.stage = Stage.FAILED
    job.problem = sentence


async def _remove(root: Path) -> None:
    with trio.move_on_after(_REMOVE_S, shield=True):
        await trio.to_thread.run_sync(lambda: shutil.rmtree(root, ignore_errors=True))
