"""The relay: one request to a worker and its response back, both streamed, both cancelled with their client.

Within an exchange one task reads the worker's response while another, the pump, is the only one that calls
`receive()`: it carries the request body and then waits for the client's leaving.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import h11
import trio

from proxy.asgi import Headers, Receive, Scope, Send
from proxy.guard import BodyRefused
from proxy.upstream import (
    Connection,
    Pool,
    Upstream,
    UpstreamError,
    UpstreamFailed,
    UpstreamTimeout,
    connect,
)

CONNECT_S: Final = 5.0
HEAD_S: Final = 30.0
"""From the end of the request to the head of the response."""
STALL_S: Final = 60.0
"""Between two pieces of a response body, and for the worker to take a piece of a request body."""

Lease: TypeAlias = Callable[[], AbstractAsyncContextManager[Upstream]]
"""Enter to get a worker that stays awake until exit; entered again for a retry."""
ResponseHeaders: TypeAlias = Callable[[Headers], Headers]

_BODYLESS_STATUS: Final = frozenset((204, 304))


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that a worker has."""

    connect_s: float = CONNECT_S
    head_s: float = HEAD_S
    stall_s: float = STALL_S


class Forwarder:
    """Forwards requests to workers and keeps their idle connections."""

    def __init__(self, deadlines: Deadlines = Deadlines()) -> None:
        self._deadlines = deadlines
        self._pool = Pool()

    async def forward(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        lease: Lease,
        request_headers: Headers,
        response_headers: ResponseHeaders,
    ) -> None:
        """Send the request to a leased worker and its response to `send`; returns early when the client leaves.

        `request_headers` are the worker's, without the framing of the body, which comes from the scope;
        `response_headers` turns the worker's into the client's. A request that reached no worker, and a GET or HEAD
        without body to which no byte was answered, is sent once more with a lease of its own.

        Raises `UpstreamFailed`, `UpstreamTimeout`, the body's `BodyRefused`, and what entering the lease raises.
        """
        request, has_body = _request(scope, request_headers)
        for attempt in (1, 2):
            async with lease() as upstream:
                try:
                    # What was idle when the first attempt failed is not to be trusted.
                    connection = self._pool.take(upstream) if attempt == 1 else None
                    if connection is None:
                        connection = await connect(upstream, self._deadlines.connect_s)
                    exchange = _Exchange(
                        connection, request, has_body, receive, send, response_headers, self._deadlines
                    )
                    await self._run(exchange)
                except UpstreamError as error:
                    if attempt > 1 or not error.retryable:
                        raise
                else:
                    return

    def drop(self, socket_path: str) -> None:
        """Close the idle connections of a worker that is going or gone."""
        self._pool.drop(socket_path)

    def close(self) -> None:
        """Close all idle connections."""
        self._pool.close()

    async def _run(self, exchange: _Exchange) -> None:
        connection = exchange.connection
        try:
            await exchange.run()
        except BaseException:
            connection.close()
            raise
        if exchange.complete:
            self._pool.give_back(connection)
        else:
            connection.close()


def _request(scope: Scope, headers: Headers) -> tuple[h11.Request, bool]:
    """Build the request to the worker, with exactly one framing (RFC 9112 6.3); second, whether it has a body."""
    framing = {name: value for name, value in scope["headers"] if name in (b"content-length", b"transfer-encoding")}
    if b"transfer-encoding" in framing:
        framing.pop(b"content-length", None)
    target: bytes = scope["raw_path"]
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    request = h11.Request(method=scope["method"], target=target, headers=[*headers, *framing.items()])
    return request, framing.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in framing


@dataclass(slots=True)
class _Exchange:
    """One request and its response on one connection."""

    connection: Connection
    request: h11.Request
    body_open: bool
    receive: Receive
    send: Send
    response_headers: ResponseHeaders
    deadlines: Deadlines
    started: bool = False
    complete: bool = False
    failure: UpstreamError | BodyRefused | None = None
    head_scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    async def run(self) -> None:
        """Run to the end of the response, or until the client leaves; `complete` tells which."""
        idempotent = self.request.method in (b"GET", b"HEAD") and not self.body_open
        try:
            # Before the pump starts: two tasks may not write to one stream.
            await self._send_head()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pump, nursery.cancel_scope)
                try:
                    await self._relay()
                except UpstreamError as error:
                    self.failure = self.failure or error
                nursery.cancel_scope.cancel()
            if self.failure is not None:
                raise self.failure
        except UpstreamError as error:
            error.response_started = self.started
            error.retryable = error.retryable and idempotent
            raise

    async def _send_head(self) -> None:
        events = [self.request] if self.body_open else [self.request, h11.EndOfMessage()]
        try:
            with trio.fail_after(self.deadlines.stall_s):
                await self.connection.send(*events)
        except trio.TooSlowError:
            raise UpstreamTimeout("the worker does not read its requests") from None
        except trio.BrokenResourceError as error:
            raise UpstreamFailed("the worker closed the connection", retryable=True) from error

    async def _pump(self, exchange_scope: trio.CancelScope) -> None:
        """Carry the request body, then wait for the client to leave."""
        try:
            while (message := await self.receive())["type"] == "http.request":
                if self.body_open:
                    await self._send_body(message.get("body", b""), more=message.get("more_body", False))
        except (BodyRefused, UpstreamTimeout) as error:
            self.failure = error
        exchange_scope.cancel()

    async def _send_body(self, data: bytes, *, more: bool) -> None:
        events: list[h11.Data | h11.EndOfMessage] = [h11.Data(data=data)] if data else []
        if not more:
            events.append(h11.EndOfMessage())
        try:
            with trio.fail_after(self.deadlines.stall_s):
                await self.connection.send(*events)
        except trio.TooSlowError:
            raise UpstreamTimeout("the worker stopped reading the request") from None
        except trio.BrokenResourceError:
            # A server may refuse a body and close; its answer is read, the rest of the body goes nowhere.
            more = False
        if not more:
            self.body_open = False
            self.head_scope.deadline = trio.current_time() + self.deadlines.head_s

    async def _relay(self) -> None:
        response = await self._read_head()
        self.started = True
        await self.send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": self.response_headers(list(response.headers)),
            }
        )
        await self._relay_body()
        self.complete = True

    async def _read_head(self) -> h11.Response:
        if not self.body_open:
            self.head_scope.deadline = trio.current_time() + self.deadlines.head_s
        with self.head_scope:
            while True:
                event = self.connection.next_event()
                if event is None:
                    await self.connection.read()
                elif isinstance(event, h11.Response):
                    return self._checked(event)
                elif not isinstance(event, h11.InformationalResponse):
                    raise UpstreamFailed(f"the worker began its response with {event!r}")
        raise UpstreamTimeout(f"the worker did not answer within {self.deadlines.head_s:g} s")

    def _checked(self, response: h11.Response) -> h11.Response:
        """Refuse a response whose end is the end of the connection: it could not be told from the worker's death."""
        framed = any(name in (b"content-length", b"transfer-encoding") for name, _ in response.headers)
        if not framed and self.request.method != b"HEAD" and response.status_code not in _BODYLESS_STATUS:
            raise UpstreamFailed("the worker did not say where its response ends")
        if response.status_code > 599:
            raise UpstreamFailed(f"the worker answered with status {response.status_code}")
        return response

    async def _relay_body(self) -> None:
        parts: list[bytes] = []
        while True:
            event = self.connection.next_event()
            if isinstance(event, h11.Data):
                parts.append(bytes(event.data))
                continue
            ended = isinstance(event, h11.EndOfMessage)
            if parts or ended:
                await self.send({"type": "http.response.body", "body": b"".join(parts), "more_body": not ended})
                parts.clear()
            if ended:
                return
            try:
                with trio.fail_after(self.deadlines.stall_s):
                    await self.connection.read()
            except trio.TooSlowError:
                raise UpstreamTimeout(f"the worker paused for over {self.deadlines.stall_s:g} s") from None
