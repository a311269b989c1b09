"""The relay in plays: this arrives from the client or the worker, that must leave."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
import trio

from proxy import forward
from proxy.asgi import Message
from proxy.forward import Deadlines, Forwarder
from proxy.upstream import UpstreamFailed, UpstreamTimeout
from tests.proxy.stage import (
    OK,
    PATIENCE_S,
    Proxy,
    RecordingWorker,
    Script,
    answering,
    body_of,
    get,
    listening,
    proxied,
    status_of,
    talk,
    worker_on_stage,
)


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


async def test_the_raw_path_and_query_arrive_byte_for_byte() -> None:
    async with proxied(answering(OK)) as (port, worker, _):
        response = await get(port, "/Caf%C3%A9%2Fa%20b;c/d+e?q=%2e%2E&r=a/b")
    assert body_of(response) == b"ok"
    assert worker.heard[0].startswith(b"GET /Caf%C3%A9%2Fa%20b;c/d+e?q=%2e%2E&r=a/b HTTP/1.1\r\n")


async def test_identity_and_forwarding_are_ours() -> None:
    async with worker_on_stage(answering(OK)) as worker:
        app = Proxy(worker.lease, Forwarder(), identity={"x-otterwiki-name": "Jürgen"})
        async with listening(app) as port:
            await get(
                port, extra=b"X_Otterwiki_Permissions: ADMIN\r\nX-Forwarded-For: 1.1.1.1\r\nCookie: __Host-robot=s\r\n"
            )
    lines = bytes(worker.heard[0]).split(b"\r\n")
    assert "x-otterwiki-name: Jürgen".encode() in lines
    assert b"x-forwarded-for: 127.0.0.1" in lines
    assert not any(b"permissions" in line.lower() or b"1.1.1.1" in line or b"cookie" in line for line in lines)


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: 11\r\n", b"hello world"),
        (b"Transfer-Encoding: chunked\r\n", b"5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n"),
    ],
)
async def test_a_body_arrives_with_one_framing(framing: bytes, body: bytes) -> None:
    async def script(stream: trio.SocketStream, worker: RecordingWorker) -> None:
        while not bytes(worker.heard[-1]).endswith((b"hello world", b"0\r\n\r\n")):
            if not await worker.receive(stream):
                return
        await stream.send_all(OK)

    async with proxied(script) as (port, worker, _):
        response = await get(port, method="POST", extra=framing, body=body)
    assert body_of(response) == b"ok"
    head, _, sent = bytes(worker.heard[0]).lower().partition(b"\r\n\r\n")
    assert (b"content-length: 11" in head) != (b"transfer-encoding: chunked" in head)
    assert sent in (b"hello world", chunked(b"hello", b" world") + b"0\r\n\r\n", b"b\r\nhello world\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("method", "response", "status", "body"),
    [
        ("GET", OK, 200, b"ok"),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            200,
            b"2\r\nok\r\n0\r\n\r\n",
        ),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", 200, b""),
        ("HEAD", b"HTTP/1.1 200 OK\r\n\r\n", 200, b""),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        ("GET", b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n', 304, b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304, b""),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok"),
        ("GET", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, 200, b"ok"),
        ("GET", b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 404, b"no"),
        ("GET", b"HTTP/1.1 599 Odd\r\nContent-Length: 2\r\n\r\nno", 599, b"no"),
    ],
)
async def test_responses_of_every_shape(method: str, response: bytes, status: int, body: bytes) -> None:
    async with proxied(answering(response)) as (port, worker, app):
        for _ in range(2):
            seen = await get(port, method=method)
            assert status_of(seen) == status
            assert body_of(seen) == body
    assert app.errors == []
    assert len(worker.heard) == 1, "a clean exchange leaves its connection to the next"
    assert worker.active_leases == 0


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbroken header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nends with the connection",
        b"HTTP/1.0 200 OK\r\n\r\nends with the connection",
        b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 000 What\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
async def test_a_worker_that_talks_nonsense_is_a_502(response: bytes) -> None:
    async with proxied(answering(response, close=True)) as (port, worker, app):
        seen = await get(port, method="POST", extra=b"Content-Length: 0\r\n")
        assert status_of(seen) == 502
        assert body_of(seen) == b""
        assert isinstance(app.errors[0], UpstreamFailed)
        assert not app.errors[0].response_started
    assert len(worker.heard) == 1, "a POST is never sent twice"


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        b"HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_a_connection_with_something_left_in_it_is_never_used_again(response: bytes) -> None:
    async with proxied(answering(response)) as (port, worker, _):
        for _ in range(3):
            assert b"evil" not in await get(port)
    assert len(worker.heard) == 3


async def test_words_that_come_late_on_an_idle_connection_are_nobodys_answer() -> None:
    spoken = trio.Event()

    async def script(stream: trio.SocketStream, worker: RecordingWorker) -> None:
        await worker.read_head(stream)
        await stream.send_all(OK)
        if len(worker.heard) == 1:
            await trio.testing.wait_all_tasks_blocked(0.02)
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            spoken.set()
            await worker.receive(stream)

    async with proxied(script) as (port, worker, _):
        assert body_of(await get(port)) == b"ok"
        await spoken.wait()
        assert body_of(await get(port)) == b"ok"
    assert len(worker.heard) == 2


async def test_a_get_to_a_worker_that_died_is_sent_once_more() -> None:
    async def script(stream: trio.SocketStream, worker: RecordingWorker) -> None:
        await worker.read_head(stream)
        if len(worker.heard) > 1:
            await stream.send_all(OK)

    async with proxied(script) as (port, worker, app):
        assert body_of(await get(port)) == b"ok"
        assert worker.leases == 2
        assert app.errors == []


async def test_a_get_is_sent_at_most_twice() -> None:
    async with proxied(answering(b"", close=True)) as (port, worker, _):
        assert status_of(await get(port)) == 502
    assert len(worker.heard) == 2


async def test_a_post_on_a_connection_that_died_is_not_repeated() -> None:
    async with proxied(answering(b"", close=True)) as (port, worker, _):
        assert status_of(await get(port, method="POST", extra=b"Content-Length: 2\r\n", body=b"ab")) == 502
    assert len(worker.heard) == 1


async def test_a_response_that_broke_off_is_not_asked_for_again() -> None:
    async with proxied(answering(b"HTTP/1.1 200 OK\r\nContent-Le", close=True)) as (port, worker, _):
        assert status_of(await get(port)) == 502
    assert len(worker.heard) == 1


async def test_a_request_that_reached_nobody_gets_a_second_worker() -> None:
    async with worker_on_stage(answering(OK)) as worker:
        asked = 0

        @contextlib.asynccontextmanager
        async def lease() -> AsyncIterator[RecordingWorker]:
            nonlocal asked
            asked += 1
            yield worker if asked > 1 else RecordingWorker(answering(OK), worker.socket_path + ".gone")

        async with listening(Proxy(lease, Forwarder())) as port:
            response = await get(port, method="POST", extra=b"Content-Length: 0\r\n")
    assert body_of(response) == b"ok"


async def test_connections_of_an_earlier_start_are_dropped() -> None:
    async with proxied(answering(OK)) as (port, worker, app):
        await get(port)
        worker.generation += 1
        await get(port)
        with trio.fail_after(PATIENCE_S):
            await worker.hung_up.wait()
        assert len(worker.heard) == 2
        app.forwarder.drop(worker.socket_path)
        await get(port)
        assert len(worker.heard) == 3


@pytest.mark.parametrize(
    "beginning",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
async def test_a_worker_that_dies_in_the_middle_is_seen_by_the_client(beginning: bytes) -> None:
    async with proxied(answering(beginning, close=True)) as (port, _, app):
        response = await get(port)
    assert status_of(response) == 200
    assert b"half" in response
    assert not response.endswith(b"0\r\n\r\n")
    assert isinstance(app.errors[0], UpstreamFailed)
    assert app.errors[0].response_started


async def _silent(stream: trio.SocketStream, worker: RecordingWorker) -> None:
    while await worker.receive(stream):
        pass


async def test_a_worker_that_never_answers_is_a_504() -> None:
    async with proxied(_silent, Deadlines(head_s=0.1)) as (port, worker, app):
        assert status_of(await get(port)) == 504
        with trio.fail_after(PATIENCE_S):
            await worker.hung_up.wait()
    assert isinstance(app.errors[0], UpstreamTimeout)


async def test_a_worker_that_stops_in_the_middle_is_cut() -> None:
    async def script(stream: trio.SocketStream, worker: RecordingWorker) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await _silent(stream, worker)

    async with proxied(script, Deadlines(stall_s=0.1)) as (port, _, app):
        assert (await get(port)).endswith(b"half")
    assert isinstance(app.errors[0], UpstreamTimeout)
    assert app.errors[0].response_started


@pytest.mark.parametrize(
    "beginning", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"], ids=["waiting", "streaming"]
)
@pytest.mark.parametrize("request_body", [b"", b"Content-Length: 100\r\n\r\npart"], ids=["no body", "body"])
async def test_a_client_that_leaves_frees_the_worker(beginning: bytes, request_body: bytes) -> None:
    asked = trio.Event()

    async def script(stream: trio.SocketStream, worker: RecordingWorker) -> None:
        await worker.read_head(stream)
        await stream.send_all(beginning)
        asked.set()
        await _silent(stream, worker)

    async with proxied(script) as (port, worker, app):
        async with await trio.open_tcp_stream("127.0.0.1", port) as client:
            await client.send_all(b"POST / HTTP/1.1\r\nHost: a.test\r\n" + (request_body or b"\r\n"))
            await asked.wait()
        with trio.fail_after(PATIENCE_S):
            await worker.hung_up.wait()
            while worker.active_leases:
                await trio.testing.wait_all_tasks_blocked(0.01)
        assert app.errors == []


async def test_an_answer_to_half_a_body_reaches_the_client() -> None:
    """A worker that refuses a large upload answers before it has read it."""

    async def script(stream: trio.SocketStream, worker: RecordingWorker) -> None:
        await worker.read_head(stream)
        await stream.send_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbig!")

    async with proxied(script) as (port, _, _):
        response = await get(port, method="POST", extra=b"Content-Length: 1000000\r\n", body=b"x" * 100_000)
    assert status_of(response) == 413
    assert body_of(response) == b"big!"


async def test_limits_of_the_body_end_the_exchange() -> None:
    async with proxied(_silent) as (port, worker, app):
        app.max_body_bytes = 10
        response = await get(port, method="POST", extra=b"Transfer-Encoding: chunked\r\n", body=chunked(b"x" * 11))
        assert status_of(response) == 413
        app.body_grace_s = 0.05
        response = await get(port, method="POST", extra=b"Content-Length: 5\r\n", body=b"x")
        assert status_of(response) == 408
        with trio.fail_after(PATIENCE_S):
            await worker.hung_up.wait()


async def test_an_upgrade_is_not_passed_on() -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    async with proxied(answering(OK)) as (port, worker, _):
        head = b"GET / HTTP/1.1\r\nHost: a.test\r\n"
        response = await talk(port, head + upgrade + b"Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n\r\n")
        assert status_of(response) == 403
        assert worker.heard == []
        response = await get(port, method="POST", extra=b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n")
        assert status_of(response) == 200
    assert b"upgrade" not in bytes(worker.heard[0]).lower()


async def test_a_slow_reader_holds_the_worker_back_and_not_our_memory() -> None:
    sent = 0

    async def endless(stream: trio.SocketStream, worker: RecordingWorker) -> None:
        nonlocal sent
        await worker.read_head(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            await stream.send_all(b"x" * 65536)
            sent += 65536

    async with proxied(endless) as (port, _, _), await trio.open_tcp_stream("127.0.0.1", port) as client:
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        before = -1
        while sent != before:
            before = sent
            await trio.testing.wait_all_tasks_blocked(0.1)
        assert 0 < sent < 16_000_000, "only what the kernel's buffers take"


async def test_a_large_body_does_not_wait_for_the_answer_nor_the_answer_for_the_body() -> None:
    """The worker echoes while it reads: both directions flow at once."""

    async def echo(stream: trio.SocketStream, worker: RecordingWorker) -> None:
        head = await worker.read_head(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n")
        rest = head.partition(b"\r\n\r\n")[2]
        await stream.send_all(rest)
        left = 4_000_000 - len(rest)
        while left:
            data = await stream.receive_some(65536)
            left -= len(data)
            await stream.send_all(data)

    body = bytes(range(256)) * 15_625
    received = bytearray()
    async with proxied(echo) as (port, _, _), trio.open_nursery() as nursery:
        client = await trio.open_tcp_stream("127.0.0.1", port)
        await client.send_all(
            b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4000000\r\nConnection: close\r\n\r\n"
        )
        nursery.start_soon(client.send_all, body)
        async for data in client:
            received += data
    assert body_of(bytes(received)) == body


def test_of_two_framings_one_is_forwarded() -> None:
    """Whoever calls us may have let such a request pass (RFC 9112 6.3)."""
    framings = [(b"content-length", b"4"), (b"transfer-encoding", b"chunked")]
    scope = {"method": "POST", "raw_path": b"/", "query_string": b"", "headers": framings}
    request, has_body = forward._request(scope, [(b"host", b"a.test")])
    assert list(request.headers) == [(b"host", b"a.test"), (b"transfer-encoding", b"chunked")]
    assert has_body


async def test_a_cancelled_forward_closes_its_connection() -> None:
    """As when the server stops: nothing of the exchange stays behind."""
    messages: list[Message] = []
    script: Script = _silent

    async def receive() -> Message:
        await trio.sleep_forever()

    async def send(message: Message) -> None:
        messages.append(message)

    async with worker_on_stage(script) as worker:
        scope = {"method": "GET", "raw_path": b"/", "query_string": b"", "headers": []}
        with trio.move_on_after(0.05) as cancelled:
            await Forwarder().forward(
                scope,
                receive,
                send,
                lease=worker.lease,
                request_headers=[(b"host", b"a.test")],
                response_headers=lambda headers: headers,
            )
        assert cancelled.cancelled_caught
        with trio.fail_after(PATIENCE_S):
            await worker.hung_up.wait()
        assert worker.active_leases == 0
    assert messages == []
