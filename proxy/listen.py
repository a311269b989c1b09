"""Listening sockets, and accepting on them until it is time to stop."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config, Sockets
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import LifespanState

from proxy.asgi import App
from proxy.connection import STALLED_READER_S, ClientConnection

HEAD_S: Final = 10
"""For a whole request head, from the connection's start or the last response's end; so also the keep-alive time."""
BACKLOG: Final = 1024
MAX_HEAD_BYTES: Final = 32 * 1024

log = logging.getLogger(__name__)


class FrontConfig(Config):
    """Hypercorn's settings for sockets that are already bound."""

    def __init__(self, sockets: Sequence[socket.socket], *, graceful_timeout_s: float = 3.0) -> None:
        super().__init__()
        self._sockets = list(sockets)
        self.graceful_timeout = graceful_timeout_s
        # Until the first request and between two, this timer runs and only a complete head stops it.
        self.keep_alive_timeout = HEAD_S
        # Counts while a response streams, too, and would cut every long one; bodies are paced in the front instead.
        self.read_timeout = None
        self.backlog = BACKLOG
        self.h11_max_incomplete_size = MAX_HEAD_BYTES
        self.include_server_header = False
        self.accesslog = None

    def create_sockets(self) -> Sockets:
        """Return the sockets that were bound before; Hypercorn asks for them when it starts."""
        return Sockets([], self._sockets, [])


def open_listeners(binds: Iterable[tuple[str, int]], descriptors: Iterable[int] = ()) -> list[socket.socket]:
    """Bind and listen on each (address, port), and take over listening descriptors (sd_listen_fds(3)).

    Raises `OSError` that names the address, with nothing left open.
    """
    opened: list[socket.socket] = []
    try:
        for descriptor in descriptors:
            opened.append(_adopted(descriptor))
        for address, port in binds:
            opened.append(_bound(address, port))
    except OSError:
        for sock in opened:
            sock.close()
        raise
    return opened


def _adopted(descriptor: int) -> socket.socket:
    sock = socket.socket(fileno=descriptor)
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.detach()
        raise OSError(errno.EINVAL, f"descriptor {descriptor} is not a listening socket")
    return _prepared(sock)


def _bound(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise OSError(
            error.errno, f"cannot listen on {address} port {port}: {os.strerror(error.errno or 0)}"
        ) from error
    return _prepared(sock)


def _prepared(sock: socket.socket) -> socket.socket:
    """Set what accepted connections inherit."""
    sock.setblocking(False)
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_READER_S * 1000)
    return sock


async def serve(
    app: App,
    config: FrontConfig,
    *,
    shutdown_trigger: Callable[[], Awaitable[None]],
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` until `shutdown_trigger` returns; then within the graceful timeout finish what is in flight.

    Reports `started` with the addresses once it accepts. Idle connections close at once on shutdown; what is left when
    the graceful timeout is over is cut, stalled readers included. Sends no lifespan events.
    """
    sockets = config.create_sockets().insecure_sockets
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in sockets]
    doorman = _Doorman(app, config)
    async with trio.open_nursery() as connections:
        async with trio.open_nursery() as accepting:
            await accepting.start(partial(trio.serve_listeners, doorman.handle, listeners, handler_nursery=connections))
            task_status.started([_address(sock) for sock in sockets])
            await shutdown_trigger()
            accepting.cancel_scope.cancel()
        await doorman.drain()
        connections.cancel_scope.cancel()


def _address(sock: socket.socket) -> str:
    name: Any = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix:{name}"
    return f"http://[{name[0]}]:{name[1]}" if ":" in name[0] else f"http://{name[0]}:{name[1]}"


class _Doorman:
    """Every open connection, so that those which will not end can be cut."""

    def __init__(self, app: App, config: FrontConfig) -> None:
        self._app = ASGIWrapper(cast(Any, app))
        self._config = config
        self._context = WorkerContext(None)
        self._open: set[ClientConnection] = set()
        self._emptied = trio.Event()

    async def handle(self, stream: trio.SocketStream) -> None:
        connection = ClientConnection(
            self._app, self._config, self._context, cast(LifespanState, {}), cast(Any, stream)
        )
        self._open.add(connection)
        try:
            await connection.run()
        except* Exception:
            # A fault of one connection, also one in the protocol's code, ends that connection only.
            log.exception("a client connection failed")
        finally:
            self._open.discard(connection)
            if not self._open:
                self._emptied.set()

    async def drain(self) -> None:
        """Close idle connections, wait for the others up to the graceful timeout, then cut them."""
        await self._context.terminated.set()
        self._emptied = trio.Event()
        for connection in self._open:
            connection.end_idle()
        with trio.move_on_after(self._config.graceful_timeout):
            if self._open:
                await self._emptied.wait()
        for connection in self._open:
            connection.cut()
