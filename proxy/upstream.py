"""HTTP/1.1 connections to workers over Unix sockets, and those that idle between two requests.

No cookie jar, no redirects, no decoding: what a worker says is handed on event by event.
"""

from __future__ import annotations

import os
from typing import Final, Protocol, TypeAlias

import h11
import trio

MAX_HEAD_BYTES: Final = 64 * 1024
READ_BYTES: Final = 64 * 1024
MAX_IDLE: Final = 8
"""Idle connections kept for one worker."""

ResponseEvent: TypeAlias = h11.InformationalResponse | h11.Response | h11.Data | h11.EndOfMessage


class Upstream(Protocol):
    """A worker that is ready: where it listens, and which start of it this is."""

    @property
    def socket_path(self) -> str | os.PathLike[str]: ...

    @property
    def generation(self) -> int: ...


class UpstreamError(Exception):
    """The worker gave no proper response; once `response_started`, all that is left is to end the connection."""

    status = 502

    def __init__(self, message: str, *, response_started: bool = False, retryable: bool = False) -> None:
        super().__init__(message)
        self.response_started = response_started
        self.retryable = retryable


class UpstreamFailed(UpstreamError):
    """The worker is gone, or speaks something that is not HTTP."""


class UpstreamTimeout(UpstreamError):
    """The worker did not answer, or stopped in the middle, for longer than a deadline."""

    status = 504


class Connection:
    """One connection to one start of a worker. Only one exchange uses it at a time."""

    def __init__(self, stream: trio.SocketStream, socket_path: str, generation: int) -> None:
        self.socket_path = socket_path
        self.generation = generation
        self.heard = False
        """A byte of the current response has arrived."""
        self._stream = stream
        self._protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)

    async def send(self, *events: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        """Send the events at once; raises `trio.BrokenResourceError` when the worker has closed."""
        await self._stream.send_all(b"".join(self._protocol.send(event) or b"" for event in events))

    def next_event(self) -> ResponseEvent | None:
        """Return the next event that is already here, or None; raises `UpstreamFailed` when it is malformed."""
        try:
            event = self._protocol.next_event()
        except h11.RemoteProtocolError as error:
            raise UpstreamFailed(f"the worker sent no valid response: {error}", retryable=not self.heard) from error
        if event is h11.NEED_DATA:
            return None
        if isinstance(event, ResponseEvent):
            return event
        raise UpstreamFailed(f"the worker ended the exchange with {event!r}")

    async def read(self) -> None:
        """Wait for bytes or for the end of the connection."""
        try:
            data = await self._stream.receive_some(READ_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise UpstreamFailed("the worker closed the connection", retryable=not self.heard) from error
        self.heard = self.heard or bool(data)
        self._protocol.receive_data(data)

    def recycle(self) -> bool:
        """Make the connection ready for another exchange; False when it must not be used again.

        Bytes beyond the end of the response would be read as the answer to somebody else's request.
        """
        done = self._protocol.our_state is h11.DONE and self._protocol.their_state is h11.DONE
        if not done or self._protocol.trailing_data[0] or self.is_stale():
            return False
        self._protocol.start_next_cycle()
        self.heard = False
        return True

    def is_stale(self) -> bool:
        """Tell whether an idle connection was closed, or spoken on, by the worker."""
        return self._stream.socket.is_readable()

    def close(self) -> None:
        """Close at once; whoever still waits on it gets `trio.ClosedResourceError`."""
        self._stream.socket.close()


async def connect(upstream: Upstream, timeout_s: float) -> Connection:
    """Return a new connection; raises `UpstreamFailed`, `UpstreamTimeout`."""
    path = os.fspath(upstream.socket_path)
    try:
        with trio.fail_after(timeout_s):
            return Connection(await trio.open_unix_socket(path), path, upstream.generation)
    except trio.TooSlowError:
        raise UpstreamTimeout("the worker takes no connection") from None
    except OSError as error:
        raise UpstreamFailed(f"no connection to the worker: {error}", retryable=True) from error


class _Idle:
    """Idle connections to one start of one worker."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.connections: list[Connection] = []


class Pool:
    """Idle connections by socket; those of an earlier start of a worker are never used again."""

    def __init__(self, max_idle: int = MAX_IDLE) -> None:
        self._max_idle = max_idle
        self._idle: dict[str, _Idle] = {}

    def take(self, upstream: Upstream) -> Connection | None:
        """Return an idle connection that is alive, if there is one."""
        path = os.fspath(upstream.socket_path)
        idle = self._idle.get(path)
        if idle is None or idle.generation != upstream.generation:
            self.drop(path)
            idle = self._idle[path] = _Idle(upstream.generation)
        while idle.connections:
            connection = idle.connections.pop()
            if not connection.is_stale():
                return connection
            connection.close()
        return None

    def give_back(self, connection: Connection) -> None:
        """Keep the connection for the next request if it may serve one; close it otherwise."""
        idle = self._idle.get(connection.socket_path)
        if (
            idle is not None
            and idle.generation == connection.generation
            and len(idle.connections) < self._max_idle
            and connection.recycle()
        ):
            idle.connections.append(connection)
        else:
            connection.close()

    def drop(self, socket_path: str | os.PathLike[str]) -> None:
        """Close the idle connections of one worker."""
        idle = self._idle.pop(os.fspath(socket_path), None)
        if idle is not None:
            for connection in idle.connections:
                connection.close()

    def close(self) -> None:
        """Close all idle connections."""
        for path in list(self._idle):
            self.drop(path)
