"""One question to many wikis at once: bounded in time, in threads and in memory; one that fails leaves the others."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol, TypeVar

import trio

from robot.contents import Contents
from robot.model import Wiki
from robot.search.finding import joining
from robot.search.finding.fusion import Fused
from robot.search.finding.joining import Brought
from robot.search.finding.ranking import Asked
from robot.search.finding.showing import Meaning
from robot.search.values import EverywhereAnswer, Finding
from wikihost.content import Content
from wikihost.errors import ContentError

log = logging.getLogger(__name__)

T = TypeVar("T")

# Pages of each list that a wiki brings.
FROM_EACH_WIKI = 30
# For what the wikis bring, and for what is shown of them.
ASKING_S, SHOWING_S = 4.0, 2.0
# Afterwards wikis whose vectors are not in memory are searched by words.
LOADING_S = 2.0
THREADS = 2

TOO_SLOW = "It did not answer in time."
BROKEN = "Something broke here; it has been recorded."


class Means(Protocol):
    """What search by meaning has for the question in a wiki, whose vectors are loaded only where they may be."""

    async def __call__(self, wiki: Wiki, *, may_load: bool) -> Meaning | None: ...


class Everywhere:
    """Asks at most `THREADS` wikis at a time, for all who search."""

    def __init__(self, contents: Contents, wake: Callable[[str], None]) -> None:
        self._contents = contents
        self._wake = wake
        self._limiter = trio.CapacityLimiter(THREADS)

    async def find(self, wikis: Sequence[Wiki], asked: Asked, means: Means) -> EverywhereAnswer:
        """The `limit` best of all; wikis that did not answer are named."""
        if not asked.query.wanted:
            return EverywhereAnswer((), ())
        loading_until = trio.current_time() + LOADING_S

        async def bring(number: int) -> Brought:
            meaning = await means(wikis[number], may_load=trio.current_time() < loading_until)
            brought = await self._run(wikis[number], lambda content: joining.bring(content, asked, meaning))
            if brought.is_behind:
                self._wake(wikis[number].id)
            return brought

        brought, failed = await _each(range(len(wikis)), bring, ASKING_S)
        pages, scale = joining.join(brought, asked)
        of_wiki: dict[int, list[Fused[str]]] = {}
        for page in pages:
            of_wiki.setdefault(page.key[0], []).append(joining.within(page))

        async def show(number: int) -> Sequence[Finding]:
            chosen, part = of_wiki[number], brought[number]
            return await self._run(
                wikis[number], lambda content: joining.show_part(content, chosen, part, asked, scale)
            )

        shown, not_shown = await _each(of_wiki, show, SHOWING_S)
        results = [(wikis[number], each) for number, found in shown.items() for each in found]
        results.sort(key=lambda result: (-result[1].score, result[0].slug, result[1].page.path))
        unsearched = failed | not_shown
        lacking = [
            number for number, each in sorted(brought.items()) if each.is_behind or (each.pages and not each.meaning)
        ]
        return EverywhereAnswer(
            results,
            [(wikis[number], unsearched[number]) for number in sorted(unsearched)],
            [wikis[number] for number in lacking],
        )

    async def _run(self, wiki: Wiki, work: Callable[[Content], T]) -> T:
        return await self._contents.run(wiki, work, limiter=self._limiter, may_be_abandoned=True)


async def _each(
    numbers: Collection[int], work: Callable[[int], Awaitable[T]], seconds: float
) -> tuple[dict[int, T], dict[int, str]]:
    """What came of the work on each, and a sentence for those that failed or took too long."""
    done: dict[int, T] = {}
    failed: dict[int, str] = {}

    async def one(number: int) -> None:
        try:
            done[number] = await work(number)
        except ContentError as error:
            failed[number] = str(error)
        except Exception:
            # Whatever one wiki's catalog brought out in our code must not keep the others from answering.
            log.exception("a wiki cannot be searched with others")
            failed[number] = BROKEN

    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for number in numbers:
                nursery.start_soon(one, number)
    return done, failed | {number: TOO_SLOW for number in numbers if number not in done and number not in failed}
