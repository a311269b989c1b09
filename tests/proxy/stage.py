"""A stage for the proxy's plays: a real listener in front, a scripted worker on a Unix socket behind, raw sockets."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from proxy import guard, headers
from proxy.asgi import App, Message, Receive, Scope, Send
from proxy.edge import Edge
from proxy.forward import Deadlines, Forwarder, Lease
from proxy.hosts import parse_host
from proxy.listen import FrontConfig, open_listeners, serve
from proxy.router import Route, classify
from proxy.upstream import UpstreamError

Script = Callable[[trio.SocketStream, "RecordingWorker"], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PATIENCE_S = 5.0


@dataclass
class RecordingWorker:
    """Listens on a Unix socket, keeps every byte that arrives by connection, and plays a script on each connection."""

    script: Script
    socket_path: str
    generation: int = 1
    heard: list[bytearray] = field(default_factory=list)
    hung_up: trio.Event = field(default_factory=trio.Event)
    """Set when a connection that the script read from was closed by the proxy."""
    leases: int = 0
    active_leases: int = 0

    @contextlib.asynccontextmanager
    async def lease(self) -> AsyncIterator[RecordingWorker]:
        self.leases += 1
        self.active_leases += 1
        try:
            yield self
        finally:
            self.active_leases -= 1

    async def play(self, stream: trio.SocketStream) -> None:
        self.heard.append(bytearray())
        async with stream:
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self.script(stream, self)

    async def receive(self, stream: trio.SocketStream) -> bytes:
        data = bytes(await stream.receive_some(65536))
        self.heard[-1] += data
        if not data:
            self.hung_up.set()
        return data

    async def read_head(self, stream: trio.SocketStream) -> bytes:
        """Read one request head and whatever came with it; empty at the end."""
        head = b""
        while b"\r\n\r\n" not in head:
            data = await self.receive(stream)
            if not data:
                return b""
            head += data
        return head


def answering(response: bytes, *, close: bool = False) -> Script:
    """A script that answers each request that has no body."""

    async def script(stream: trio.SocketStream, worker: RecordingWorker) -> None:
        while await worker.read_head(stream):
            await stream.send_all(response)
            if close:
                return

    return script


@contextlib.asynccontextmanager
async def worker_on_stage(script: Script) -> AsyncIterator[RecordingWorker]:
    with tempfile.TemporaryDirectory(prefix="robot-") as folder:
        worker = RecordingWorker(script, str(Path(folder) / "w.sock"))
        sock = trio.socket.socket(trio.socket.AF_UNIX)
        await sock.bind(worker.socket_path)
        sock.listen(64)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, worker.play, [trio.SocketListener(sock)])
            yield worker
            nursery.cancel_scope.cancel()


@dataclass
class Proxy:
    """The application under test: a front of the least kind, which shows errors as bare statuses."""

    lease: Lease
    forwarder: Forwarder
    identity: dict[str, str] = field(default_factory=dict)
    max_body_bytes: int | None = None
    body_grace_s: float = 5.0
    errors: list[Exception] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        host = parse_host(scope["headers"])
        if guard.malformed(scope) or host is None or classify(scope["raw_path"]) is Route.REFUSED:
            await answer(send, 400)
            return
        edge = Edge("http", str(host), scope["client"][0], "r-1")
        try:
            await self.forwarder.forward(
                scope,
                guard.PacedReceive(receive, max_bytes=self.max_body_bytes, grace_s=self.body_grace_s),
                guard.shield_final_send(send),
                lease=self.lease,
                request_headers=headers.to_worker(scope["headers"], edge, self.identity),
                response_headers=partial(headers.to_client, edge=edge),
            )
        except UpstreamError as error:
            self.errors.append(error)
            if not error.response_started:
                await answer(send, error.status)
        except guard.BodyRefused as error:
            self.errors.append(error)
            await answer(send, error.status)


async def answer(send: Send, status: int, body: bytes = b"") -> None:
    """Answer and end the connection: what follows a refused request may belong to it (RFC 9112 6.1)."""
    headers = [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@contextlib.asynccontextmanager
async def listening(app: App, *, head_s: float = 5.0, graceful_s: float = 1.0) -> AsyncIterator[int]:
    """Serve `app` on a port of loopback; stopping it must not take longer than the graceful time and a bit."""
    sockets = open_listeners([("127.0.0.1", 0)])
    config = FrontConfig(sockets, graceful_timeout_s=graceful_s)
    config.keep_alive_timeout = head_s
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, app, config, shutdown_trigger=stop.wait))
        try:
            yield sockets[0].getsockname()[1]
        finally:
            stop.set()
            nursery.cancel_scope.deadline = trio.current_time() + graceful_s + PATIENCE_S
    assert not nursery.cancel_scope.cancelled_caught, "the server did not stop"


@contextlib.asynccontextmanager
async def proxied(
    script: Script, deadlines: Deadlines | None = None
) -> AsyncIterator[tuple[int, RecordingWorker, Proxy]]:
    """A proxy before a scripted worker: its port, the worker, the application."""
    async with worker_on_stage(script) as worker:
        app = Proxy(worker.lease, Forwarder(deadlines or Deadlines(head_s=3, stall_s=3)))
        async with listening(app) as port:
            yield port, worker, app


async def talk(port: int, sent: bytes, *, pieces: int = 1) -> bytes:
    """Send raw bytes, say no more, and return all that comes until the server closes (or five seconds pass)."""
    received = bytearray()
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        with trio.move_on_after(PATIENCE_S):
            size = -(-len(sent) // pieces)
            for start in itertools.islice(range(0, len(sent), size), pieces):
                await stream.send_all(sent[start : start + size])
            with contextlib.suppress(trio.BrokenResourceError):
                async for data in stream:
                    received += data
    return bytes(received)


async def get(port: int, path: str = "/Page", *, method: str = "GET", extra: bytes = b"", body: bytes = b"") -> bytes:
    """Send one request on a connection of its own and return the raw response."""
    head = f"{method} {path} HTTP/1.1\r\nHost: notes.test\r\nConnection: close\r\n".encode()
    return await talk(port, head + extra + b"\r\n" + body)


def status_of(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


def body_of(response: bytes) -> bytes:
    return response.partition(b"\r\n\r\n")[2]


def collecting(messages: list[Message]) -> Send:
    async def send(message: Message) -> None:
        messages.append(message)

    return send
