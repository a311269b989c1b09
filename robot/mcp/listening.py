"""Streams of events: agents that wait to be told of changes (`subscriptions/listen`, MCP 2026-07-28).

A stream is silent nearly all of its life, and there may be a thousand of them, so one costs nothing but the connection:
it waits in the task of its own HTTP request for the client to leave, and whoever has something for it wakes that task.
The SDK's way takes two tasks, a queue and the whole request more for each.

What changed is found once for all who listen to a wiki, in a thread, after a moment in which more may come. A client
that reads nothing is dropped by the connection's own deadline; until then there is at most one event for each page that
it asked for.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio
from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp_types import INTERNAL_ERROR, INVALID_REQUEST, SubscriptionsListenRequestParams

from proxy.asgi import Receive, Scope, Send
from robot import access
from robot.contents import Contents
from robot.db import DatabaseError
from robot.finished import Phase
from robot.mcp.call import http_request, wiki_request
from robot.mcp.subscription import (
    EVERYTHING,
    News,
    Pending,
    Subscription,
    acknowledgement,
    add_news,
    event,
    events,
    news_of,
    subscription_of,
)
from robot.model import Action, Wiki, WikiRequest
from robot.underway import measured
from wikihost.content import Content
from wikihost.errors import ContentError, RevisionNotFound

log = logging.getLogger(__name__)

MAX_STREAMS = 2_000
MAX_STREAMS_OF_WIKI = 1_000
# Proxies cut what is silent for a minute. By then, too, a credential that was revoked is noticed, and what another
# program on this machine did to a wiki.
KEEP_ALIVE_S = 15.0
# A task makes several changes at once; those who listen read again after each event.
GATHER_S = 0.25
# What takes longer to look through is told as "anything may have changed".
MAX_COMMITS = 100
# Between two such groups, other requests get their turn.
WOKEN_AT_ONCE = 20

_ACCEPTED = "robot.subscription"
_COMMENT = b": still here\r\n\r\n"
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]

JudgeAgain = Callable[[Scope], WikiRequest | None]
"""Decides anew about a request that the front let in: None when it would not be let in now."""


@dataclass(slots=True, eq=False)
class _Stream:
    """One client that listens. `waiting` is there while it waits; to cancel it is to wake it."""

    subscription: Subscription
    may_write: bool
    pending: Pending = field(default_factory=Pending)
    waiting: trio.CancelScope | None = None
    is_over: bool = False

    def wake(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()


@dataclass(slots=True, eq=False)
class _Audience:
    """Those who listen to one wiki. They were told what happened up to the commit `head`."""

    wiki: Wiki
    head: str
    streams: dict[_Stream, None] = field(default_factory=dict)
    is_behind: bool = False
    is_being_told: bool = False


class Listening:
    """All streams. It hears of changes as a listener of `Contents`, whatever door they came through."""

    def __init__(self, contents: Contents, judge_again: JudgeAgain, *, keep_alive_s: float = KEEP_ALIVE_S) -> None:
        self._contents = contents
        self._judge_again = judge_again
        self._keep_alive_s = keep_alive_s
        self._audiences: dict[str, _Audience] = {}
        self._tellers: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Tell what happens until cancelled; then every stream ends with its answer, so that clients come again."""
        async with trio.open_nursery() as tellers:
            self._tellers = tellers
            task_status.started()
            try:
                await self._look_around()
            finally:
                self._tellers = None
                for audience in self._audiences.values():
                    _end(audience)

    def notify(self, wiki_id: str) -> None:
        """A wiki's head may have moved."""
        audience = self._audiences.get(wiki_id)
        if audience is None or self._tellers is None:
            return
        audience.is_behind = True
        if not audience.is_being_told:
            audience.is_being_told = True
            self._tellers.start_soon(self._tell, audience)

    async def _look_around(self) -> None:
        """Notice now and then what no door of ours told: another program on this machine moves a head, too."""
        while True:
            await trio.sleep(self._keep_alive_s)
            for audience in list(self._audiences.values()):
                try:
                    head = await self._contents.run(audience.wiki, Content.head)
                except ContentError:
                    continue  # whoever reads there is told
                if head != audience.head:
                    self.notify(audience.wiki.id)

    async def accept(
        self, context: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> HandlerResult:
        """The handler of the method: it checks and remembers what is wanted; `serve` then does it.

        The result is what the stream ends with. Raises: MCPError when there are too many streams, or too many pages.
        """
        asked, request_id = wiki_request(context), context.request_id
        if request_id is None:
            raise MCPError(code=INVALID_REQUEST, message="subscriptions/listen is a request: it needs an id.")
        audience = self._audiences.get(asked.wiki.id)
        open_here = 0 if audience is None else len(audience.streams)
        if open_here >= MAX_STREAMS_OF_WIKI or self.open_streams >= MAX_STREAMS:
            raise MCPError(code=INTERNAL_ERROR, message="Too many streams are open; close some, or try again later.")
        folder = access.folder_of(asked.actor)
        subscription = subscription_of(asked.wiki.slug, request_id, params.notifications, folder)
        http_request(context).scope[_ACCEPTED] = subscription
        return {"resultType": "complete", "_meta": {SUBSCRIPTION_ID_META_KEY: request_id}}

    @property
    def open_streams(self) -> int:
        return sum(len(audience.streams) for audience in self._audiences.values())

    async def serve(self, scope: Scope, ending: bytes, receive: Receive, send: Send) -> None:
        """Be one stream until the client leaves, its credential opens nothing any more, or robot stops.

        `scope` is of a request that `accept` took; `ending` is the JSON message that ends the stream.
        """
        asked: WikiRequest = scope["robot.request"]
        stream = _Stream(scope[_ACCEPTED], access.may(asked.actor, Action.WRITE, asked.wiki))
        audience = await self._join(asked.wiki, stream)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})
            await _send_more(send, acknowledgement(stream.subscription))
            if await self._has_left(stream, receive):
                return
            while self._is_still_welcome(scope, stream):
                await _send_more(send, _take_events(stream) or _COMMENT)
                if await self._has_left(stream, receive):
                    return
            # What is still pending is not told: whoever comes again reads again.
            await send({"type": "http.response.body", "body": event(ending), "more_body": False})
        finally:
            self._leave(audience, stream)

    async def _join(self, wiki: Wiki, stream: _Stream) -> _Audience:
        audience = self._audiences.get(wiki.id)
        if audience is None:
            head = await self._contents.run(wiki, Content.head)
            audience = self._audiences.setdefault(wiki.id, _Audience(wiki, head))
        is_first = not audience.streams
        audience.streams[stream] = None
        if is_first:
            self.notify(wiki.id)  # of what happened since the head was looked up
        stream.is_over = self._tellers is None
        return audience

    def _leave(self, audience: _Audience, stream: _Stream) -> None:
        audience.streams.pop(stream, None)
        if not audience.streams and self._audiences.get(audience.wiki.id) is audience:
            del self._audiences[audience.wiki.id]

    async def _has_left(self, stream: _Stream, receive: Receive) -> bool:
        """Wait for news, the end, or the time to say that we are still here; True when the client left instead."""
        if stream.pending or stream.is_over:
            return False
        # Not all at the same moment, though they came at the same moment, after a restart.
        patience_s = self._keep_alive_s * random.uniform(0.6, 1.0)  # noqa: S311  (no secret)
        with measured(Phase.LISTENING), trio.move_on_after(patience_s) as stream.waiting:
            while (await receive())["type"] != "http.disconnect":
                pass
            return True
        stream.waiting = None
        return False

    def _is_still_welcome(self, scope: Scope, stream: _Stream) -> bool:
        """Whether the stream may go on; notes on the way when its client may now use other tools."""
        if stream.is_over:
            return False
        try:
            judged = self._judge_again(scope)
        except DatabaseError:
            return False  # nobody can tell; the client comes again
        if judged is None or not access.may(judged.actor, Action.READ, judged.wiki):
            return False
        may_write = access.may(judged.actor, Action.WRITE, judged.wiki)
        stream.pending.tool_list |= stream.subscription.tool_list and may_write != stream.may_write
        stream.may_write = may_write
        return True

    async def _tell(self, audience: _Audience) -> None:
        """Tell those who listen to a wiki what happened in it, until there is nothing more."""
        try:
            while audience.is_behind and audience.streams:
                await trio.sleep(GATHER_S)
                audience.is_behind = False
                since = audience.head
                audience.head, news = await self._contents.run(audience.wiki, lambda content: _news(content, since))  # noqa: B023
                await _spread(audience, news)
        except Exception:
            # The fault of one wiki; its clients come again and find out what it is.
            log.exception("cannot tell what happened in wiki %s", audience.wiki.id)
            _end(audience)
        finally:
            audience.is_being_told = False


def accepted(scope: Scope) -> bool:
    """Whether `accept` took the request, so that it is to be served."""
    return _ACCEPTED in scope


def _news(content: Content, since: str) -> tuple[str, News]:
    """The head, and what happened since a commit before it."""
    try:
        changes = content.changes_since(since, MAX_COMMITS)
    except RevisionNotFound:
        return content.head(), EVERYTHING  # history was written anew
    return changes.head, EVERYTHING if changes.more else news_of(changes.changes)


async def _spread(audience: _Audience, news: News) -> None:
    for number, stream in enumerate(list(audience.streams)):
        add_news(stream.pending, stream.subscription, news)
        if stream.pending:
            stream.wake()
        if number % WOKEN_AT_ONCE == WOKEN_AT_ONCE - 1:
            await trio.lowlevel.checkpoint()


def _end(audience: _Audience) -> None:
    for stream in audience.streams:
        stream.is_over = True
        stream.wake()


def _take_events(stream: _Stream) -> bytes:
    told, stream.pending = stream.pending, Pending()
    return events(stream.subscription, told)


async def _send_more(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
