"""One client's connection: Hypercorn's HTTP/1.1 protocol, with a deadline on everything that a client can hold up.

Six things differ from Hypercorn's TCP server. It switches to HTTP/2 when a client asks; here nothing is spoken but
HTTP/1.1. It shields each send without a deadline; one stalled reader would keep the server from ever stopping. It
closes at once on a client that still sends, whereupon TCP discards the answer too, and the answer does not say that it
closes. And its messages to the application pass through a bounded queue that the end of the response waits for as
well: an application that answers a large upload without reading it would wait for itself. And it keeps a client for
ever that goes in the middle of an answer with further requests sent: they wait for the end of that answer.
"""

from __future__ import annotations

import contextlib
import math
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import h11
import trio
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.task_group import TaskGroup, _handle
from hypercorn.trio.tcp_server import MAX_RECV, TCPServer
from hypercorn.typing import ConnectionState, H11SendableEvent
from hypercorn.utils import parse_socket_addr

from proxy.asgi import Message

STALLED_READER_S: Final = 30
"""Until a client that takes nothing of its response is dropped."""
LINGER_S: Final = 1.0
"""Until a connection closes on a client that still sends."""
_RESET: Final = struct.pack("ii", 1, 0)
_CLOSING: Final = (b"connection", b"close")


class _Inbox:
    """Messages to one application: the body through a bounded queue, the client's leaving beside it."""

    def __init__(self, size: int) -> None:
        self._sender, self._receiver = trio.open_memory_channel[Message](size)

    async def put(self, message: Message) -> None:
        """Queue a piece of the body, waiting for room; the client's leaving never waits."""
        if message["type"] == "http.disconnect":
            self._sender.close()
            return
        with contextlib.suppress(trio.ClosedResourceError):
            try:
                self._sender.send_nowait(message)  # Each checkpoint is a turn of the event loop.
            except trio.WouldBlock:
                await self._sender.send(message)

    async def receive(self) -> Message:
        """Return the next message; from the client's leaving on always `http.disconnect` (ASGI 3.0)."""
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            try:
                return self._receiver.receive_nowait()
            except trio.WouldBlock:
                return await self._receiver.receive()
        except trio.EndOfChannel:
            await trio.lowlevel.checkpoint()  # For an application that asks again and again.
            return {"type": "http.disconnect"}


class _Applications(TaskGroup):
    """Hypercorn's task group with another queue."""

    async def spawn_app(
        self, app: Any, config: Any, scope: Any, send: Callable[[Any], Awaitable[None]]
    ) -> Callable[[Any], Awaitable[None]]:
        inbox = _Inbox(config.max_app_queue_size)
        self.spawn(
            _handle,
            app,
            config,
            scope,
            inbox.receive,
            send,
            trio.to_thread.run_sync,
            trio.from_thread.run,
        )
        return inbox.put


class _PlainH11(H11Protocol):
    """HTTP/1.1 and nothing that it could be upgraded to.

    A response that begins before its request's body has ended says that the connection closes after it: Hypercorn
    closes it anyway, and a client that was not told sends its next request into nothing (RFC 9112, 9.3 and 9.6).

    The head of a response that says its length waits for the first piece of its body, which is at hand, so that a
    small response is one packet. A head without length goes out at once: it may begin a stream of events.
    """

    _held_head = b""

    async def _send_h11_event(self, event: H11SendableEvent) -> None:
        if isinstance(event, h11.Response) and self.connection.their_state is h11.SEND_BODY:
            event = h11.Response(status_code=event.status_code, headers=[*event.headers, _CLOSING])
        try:
            data = self._held_head + (self.connection.send(event) or b"")
        except h11.LocalProtocolError:
            if self.connection.their_state != h11.ERROR:
                raise
            return
        self._held_head = b""
        if isinstance(event, h11.Response) and any(name == b"content-length" for name, _ in event.headers):
            self._held_head = data
        elif data:
            await self.send(RawData(data=data))

    async def _check_protocol(self, event: h11.Request) -> None:
        """Ignore an offer of h2c (RFC 9110 7.8 allows it) and leave `PRI * HTTP/2.0` to be refused as a request."""


class ClientConnection(TCPServer):
    """One client's connection, whose sends have a deadline and can be cut."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._sending: trio.CancelScope | None = None
        self._closing = False
        self._client_ended = trio.Event()
        # Cancelled while no request is open, or when nobody is there any more to be answered.
        self._reading = trio.CancelScope(deadline=trio.current_time() + self.config.keep_alive_timeout)

    async def run(self) -> None:
        """Serve the connection to its end. Without TLS, that is Caddy's."""
        try:
            sock = self.stream.socket
            async with _Applications() as task_group:
                self._task_group = task_group
                self.protocol = cast(
                    Any,
                    _PlainH11(
                        self.app,
                        self.config,
                        self.context,
                        task_group,
                        ConnectionState(self.state),
                        False,
                        parse_socket_addr(sock.family, sock.getpeername()),
                        parse_socket_addr(sock.family, sock.getsockname()),
                        self.protocol_send,
                    ),
                )
                if self.context.terminated.is_set():
                    self._reading.cancel()
                with self._reading:
                    await self._read_data()
                self._client_ended.set()
                await self.protocol.handle(Closed())
        except OSError:
            pass  # The client is gone.
        finally:
            try:
                await self._close()
            finally:
                self.stream.socket.close()  # Also when closing gently was cancelled.

    async def _read_data(self) -> None:
        """Feed the protocol until the client ends; what comes after our own end is dropped."""
        while True:
            try:
                data = bytes(await self.stream.receive_some(MAX_RECV))
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                break
            if not self._closing:
                await self.protocol.handle(RawData(data))
            if not data:
                break

    async def protocol_send(self, event: Event) -> None:
        """Send bytes in one piece even when the sender is cancelled, but not for ever."""
        if isinstance(event, Closed):
            await self._close_gently()
        elif isinstance(event, RawData):
            await self._send(event.data)
        elif isinstance(event, Updated):
            patience_s = self.config.keep_alive_timeout if event.idle else math.inf
            self._reading.deadline = trio.current_time() + patience_s

    def end_idle(self) -> None:
        """Close the connection if it waits for a request."""
        if self._reading.deadline < math.inf:
            self._reading.cancel()

    def cut(self) -> None:
        """Give up a send in progress, so that the connection can be cancelled."""
        if self._sending is not None:
            self._sending.cancel()

    async def _send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()  # All that follows may be shielded or at once.
        try:
            self.send_lock.acquire_nowait()
        except trio.WouldBlock:
            await self.send_lock.acquire()
        try:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + STALLED_READER_S) as self._sending:
                try:
                    await self.stream.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    await self._end()
            if self._sending.cancelled_caught:
                # Reset, so that the kernel does not go on keeping what nobody takes (socket(7), SO_LINGER).
                self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                await self.stream.aclose()
                await self._end()
        finally:
            self._sending = None
            self.send_lock.release()

    async def _end(self) -> None:
        """Tell the application that its client is gone, and wait no longer for what was sent after its request."""
        await self.protocol.handle(Closed())
        self._reading.cancel()

    async def _close_gently(self) -> None:
        """End our side after what is being sent; the client's side goes on being read, and ignored, for a moment."""
        async with self.send_lock:
            if self._closing:
                return
            self._closing = True
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self.stream.send_eof()
        self._task_group.spawn(self._linger)
        await self.protocol.handle(Closed())

    async def _linger(self) -> None:
        with trio.move_on_after(LINGER_S):
            await self._client_ended.wait()
        await self.stream.aclose()
        self._reading.cancel()
