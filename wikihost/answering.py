"""Core's answers to the questions of one worker.

A worker may be taken over, so nothing that it sends or leaves unread costs core more than a few questions at a time,
each of bounded length.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Final

import trio

from wikihost.event_channel import EventChannel
from wikihost.questions import Answer, NoAnswer
from wikihost.worker_protocol import Find, FindFailed, Found

logger = logging.getLogger("wikihost.fleet")

# Shorter than a worker waits (`child/asking.py`), so that it hears why.
TOLD_LATE_S: Final = 1.8
# What is late is finished all the same: the model may have to be read first, and whoever asks next finds it read.
FINISHED_S: Final = 30.0
_SEND_S: Final = 1.0
_REASON_CHARS: Final = 500
_LATE: Final = "Search by meaning took too long."
_BROKEN: Final = "Search by meaning failed."


class Answering:
    """Answers questions about one wiki on its worker's `events`: `at_once` together, what comes above that never."""

    def __init__(self, wiki_id: str, events: EventChannel, answer: Answer, at_once: int) -> None:
        self._wiki_id = wiki_id
        self._events = events
        self._answer = answer
        self._free = at_once

    def begin(self, nursery: trio.Nursery, asked: Find) -> None:
        """Answer in the nursery. As a worker has `at_once` threads that can wait, an honest one seldom asks more."""
        if self._free > 0:
            self._free -= 1
            nursery.start_soon(self._reply, asked)

    async def _reply(self, asked: Find) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._tell_when_late, asked.request)
                with trio.move_on_after(FINISHED_S):
                    await self._send(await self._find(asked))
                nursery.cancel_scope.cancel()
        finally:
            self._free += 1

    async def _find(self, asked: Find) -> Found | FindFailed:
        try:
            return Found(asked.request, await self._answer(self._wiki_id, asked.question))
        except NoAnswer as error:
            return FindFailed(asked.request, str(error)[:_REASON_CHARS])
        except Exception:
            logger.exception("a question of wiki %s could not be answered", self._wiki_id)
            return FindFailed(asked.request, _BROKEN)

    async def _tell_when_late(self, request: int) -> None:
        await trio.sleep(TOLD_LATE_S)
        await self._send(FindFailed(request, _LATE))  # an answer that still comes is nobody's

    async def _send(self, answer: Found | FindFailed) -> None:
        with trio.move_on_after(_SEND_S), suppress(OSError):  # a worker that does not listen has ended, or is ill
            await self._events.send(answer)
