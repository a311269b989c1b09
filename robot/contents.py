"""The open contents of wikis, called from Trio through named limiters."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import perf_counter
from typing import Protocol, TypeVar

import trio

from robot.access import folder_of
from robot.finished import Phase
from robot.model import Actor, Wiki
from robot.shares import Shares
from robot.underway import Underway, begin, measured, took
from wikihost.confined import ConfinedContent
from wikihost.content import Content
from wikihost.errors import StorageFailed
from wikihost.layout import DataDir
from wikihost.reach import Reach

log = logging.getLogger(__name__)

T = TypeVar("T")

# Two cores serve everything; a few more threads only hide waits for the disk.
GIT_THREADS = 4
# One wiki has no more of them, whatever is asked of it: what others ask does not wait for it.
THREADS_OF_A_WIKI = GIT_THREADS - 1


class HeadListener(Protocol):
    """Told that a wiki's head may have moved; must not block."""

    def __call__(self, wiki_id: str) -> None: ...


class WikiContents(Protocol):
    """The contents of wikis as far as somebody reaches them; what the doors of agents work with."""

    async def run(self, wiki: Wiki, work: Callable[[Content], T]) -> T: ...

    async def change(self, wiki: Wiki, work: Callable[[Content], T]) -> T: ...


def reachable(contents: Contents, actor: Actor) -> WikiContents:
    """The contents as far as the actor's credential reaches."""
    folder = folder_of(actor)
    return contents if folder is None else contents.within(folder)


class Contents:
    """One `Content` per wiki and process, opened at first use and kept."""

    def __init__(self, data: DataDir) -> None:
        self.data = data
        self._open: dict[str, Content] = {}
        self._limiter = trio.CapacityLimiter(GIT_THREADS)
        self._shares = Shares(THREADS_OF_A_WIKI)
        self._listeners: list[HeadListener] = []

    def subscribe(self, listener: HeadListener) -> None:
        """Call `listener(wiki_id)` after each change that core makes or hears of."""
        self._listeners.append(listener)

    def changed(self, wiki_id: str) -> None:
        """Tell the listeners that a wiki's head moved (a worker saved, a write was made)."""
        for listener in self._listeners:
            listener(wiki_id)

    def changed_by_worker(self, wiki_id: str, request_id: str) -> None:
        """As `changed`, for what a worker did: the listeners' lines in the log name the request that it was for."""
        with begin(Underway(request_id)):
            self.changed(wiki_id)

    async def run(
        self,
        wiki: Wiki,
        work: Callable[[Content], T],
        *,
        limiter: trio.CapacityLimiter | None = None,
        may_be_abandoned: bool = False,
    ) -> T:
        """Run `work(content)` in a thread; a write that began is finished even when the caller is cancelled.

        Work that takes many seconds brings a limiter of its own. Work that only reads may be abandoned to a thread that
        nobody waits for, when the caller is cancelled.
        """
        queued = perf_counter()

        def call() -> T:
            took(Phase.QUEUE, perf_counter() - queued)
            with measured(Phase.CONTENT):
                return self._call(wiki.id, work)

        if limiter is not None:
            return await trio.to_thread.run_sync(call, limiter=limiter, abandon_on_cancel=may_be_abandoned)
        async with self._shares.turn(wiki.id):
            return await trio.to_thread.run_sync(call, limiter=self._limiter, abandon_on_cancel=may_be_abandoned)

    async def change(self, wiki: Wiki, work: Callable[[Content], T]) -> T:
        """As `run`, for work that commits: listeners hear of it, whatever became of the caller."""
        with trio.CancelScope(shield=True):
            # No deadline of its own: the thread cannot be interrupted, and every step in it is bounded by the disk.
            result = await self.run(wiki, work)
        self.changed(wiki.id)
        return result

    def within(self, folder: str) -> ConfinedContents:
        """The same, confined to a folder as a credential names it, with a slash at its end."""
        return ConfinedContents(self, Reach(folder))

    def stop_waiting(self) -> None:
        """Let writes that wait for a wiki's lock fail now: threads cannot be cancelled, and the process is to end."""
        for content in self._open.values():
            content.writer.stop_waiting()

    def close(self, wiki_id: str) -> None:
        """Close one wiki's content, as before its directory is removed."""
        content = self._open.pop(wiki_id, None)
        if content is not None:
            content.close()

    def close_all(self) -> None:
        for wiki_id in list(self._open):
            self.close(wiki_id)

    def _call(self, wiki_id: str, work: Callable[[Content], T]) -> T:
        content = self._open.get(wiki_id)
        if content is None:
            # Two threads may race here; setdefault keeps the first and the loser is closed.
            fresh = Content(self.data.wiki(wiki_id))
            content = self._open.setdefault(wiki_id, fresh)
            if content is not fresh:
                fresh.close()
        try:
            return work(content)
        except StorageFailed:
            # Whoever asked is told a sentence; what it was, with the paths of this machine, is for the operator.
            log.warning("the storage of wiki %s failed", wiki_id, exc_info=True)
            raise


class ConfinedContents:
    """Contents in which work gets only one folder of a wiki to see."""

    def __init__(self, whole: Contents, reach: Reach) -> None:
        self._whole = whole
        self._reach = reach

    async def run(self, wiki: Wiki, work: Callable[[Content], T]) -> T:
        """As `Contents.run`."""
        return await self._whole.run(wiki, self._confined(work))

    async def change(self, wiki: Wiki, work: Callable[[Content], T]) -> T:
        """As `Contents.change`."""
        return await self._whole.change(wiki, self._confined(work))

    def _confined(self, work: Callable[[Content], T]) -> Callable[[Content], T]:
        return lambda content: work(ConfinedContent(content, self._reach))
