"""What a client can hold up, and how the listener gets free of it: real sockets, short deadlines."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from functools import partial

import pytest
import trio
import trio.testing

from proxy import connection
from proxy.asgi import Message, Receive, Scope, Send
from proxy.listen import FrontConfig, open_listeners, serve
from tests.proxy.stage import PATIENCE_S, answer, body_of, get, listening, status_of, talk

HELLO = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, 200, b"hello")


async def kept(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers and keeps the connection."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Endless:
    """Streams to each client until it leaves; tells how many streams run."""

    def __init__(self) -> None:
        self.running = 0
        self.idle = trio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.running += 1
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._stream, send)
                while (await receive())["type"] != "http.disconnect":
                    pass
                nursery.cancel_scope.cancel()
        finally:
            self.running -= 1
            if not self.running:
                self.idle.set()

    async def _stream(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})


async def until_closed(stream: trio.SocketStream) -> bytes:
    received = bytearray()
    with trio.fail_after(PATIENCE_S), contextlib.suppress(trio.BrokenResourceError):
        async for data in stream:
            received += data
    return bytes(received)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", HELLO[:-2], HELLO + b"GET /next"])
async def test_a_slow_head_is_cut(sent: bytes) -> None:
    async with listening(kept, head_s=0.2) as port, await trio.open_tcp_stream("127.0.0.1", port) as client:
        await client.send_all(sent)
        began = trio.current_time()
        response = await until_closed(client)
        assert trio.current_time() - began < 2
    assert response.count(b"200") == sent.count(HELLO)


async def test_a_head_that_drips_is_cut() -> None:
    """One byte now and then does not begin the time anew."""
    async with listening(kept, head_s=0.3) as port, await trio.open_tcp_stream("127.0.0.1", port) as client:
        with trio.fail_after(PATIENCE_S), pytest.raises(trio.BrokenResourceError):  # noqa: PT012
            while True:
                await client.send_all(b"G")
                await trio.sleep(0.02)


async def test_others_are_served_while_heads_are_slow() -> None:
    async with listening(hello, head_s=PATIENCE_S) as port, contextlib.AsyncExitStack() as stack:
        for _ in range(50):
            slow = await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port))
            await slow.send_all(b"GET / HT")
        with trio.fail_after(2):
            assert body_of(await get(port)) == b"hello"


async def test_a_stream_outlives_the_deadline_of_heads() -> None:
    heard: list[Message] = []

    async def slow_stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(5):
            await trio.sleep(0.1)
            await send({"type": "http.response.body", "body": b"tick", "more_body": True})
        with trio.move_on_after(0.02):
            while True:
                heard.append(await receive())
        await send({"type": "http.response.body"})

    async with listening(slow_stream, head_s=0.2) as port:
        assert body_of(await get(port)).count(b"tick") == 5
    assert [message["type"] for message in heard] == ["http.request"], "nobody took the client for gone"


async def test_a_head_without_length_goes_out_before_its_body() -> None:
    """The client of a stream of events learns that it is connected."""
    go_on = trio.Event()

    async def events(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"event"})

    async with listening(events) as port, await trio.open_tcp_stream("127.0.0.1", port) as client:
        await client.send_all(HELLO)
        with trio.fail_after(PATIENCE_S):
            assert (await client.receive_some()).endswith(b"\r\n\r\n")
            go_on.set()
            assert b"event" in await client.receive_some()


async def test_a_small_response_is_one_packet() -> None:
    async with listening(kept) as port, await trio.open_tcp_stream("127.0.0.1", port) as client:
        for _ in range(3):
            await client.send_all(HELLO)
            response = await client.receive_some()
            assert response.startswith(b"HTTP/1.1 200")
            assert response.endswith(b"ok")


async def test_a_stalled_reader_is_dropped_and_its_request_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALLED_READER_S", 0.3)
    app = Endless()
    async with listening(app) as port, await trio.open_tcp_stream("127.0.0.1", port) as client:
        await client.send_all(HELLO)
        with trio.fail_after(PATIENCE_S):
            await app.idle.wait()
            with pytest.raises(trio.BrokenResourceError):
                async for _ in client:
                    pass


async def test_a_client_that_left_more_requests_than_it_took_is_let_go() -> None:
    """What it sent after the request that is being answered waits for the end of an answer that never ends."""
    endless = Endless()
    async with listening(endless, head_s=60.0) as port:
        before = len(os.listdir("/proc/self/fd"))
        client = await trio.open_tcp_stream("127.0.0.1", port)
        await client.send_all(HELLO * 100)
        assert (await client.receive_some(10)).startswith(b"HTTP/1.1 2")
        client.socket.close()
        with trio.fail_after(PATIENCE_S):
            await endless.idle.wait()
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert len(os.listdir("/proc/self/fd")) == before


async def test_stopping_does_not_wait_for_stalled_readers_idle_connections_or_half_heads() -> None:
    app = Endless()

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        await (kept if scope["path"] == "/idle" else app)(scope, receive, send)

    began = 0.0
    async with contextlib.AsyncExitStack() as clients:

        async def connect(port: int, sent: bytes) -> trio.SocketStream:
            client = await clients.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port))
            await client.send_all(sent)
            return client

        async with listening(front, graceful_s=0.3) as port:
            for _ in range(20):
                idle = await connect(port, b"GET /idle HTTP/1.1\r\nHost: a.test\r\n\r\n")
                await idle.receive_some()
            for _ in range(5):
                await connect(port, HELLO)
                await connect(port, b"GET / HT")
            await trio.testing.wait_all_tasks_blocked(0.1)
            assert app.running == 5
            began = trio.current_time()
        assert trio.current_time() - began < 1.5
    assert app.running == 0


async def test_idle_connections_close_at_once_and_requests_in_flight_finish() -> None:
    entered, go_on = trio.Event(), trio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        entered.set()
        await go_on.wait()
        await hello(scope, receive, send)

    sockets = open_listeners([("127.0.0.1", 0)])
    port = sockets[0].getsockname()[1]
    stop = trio.Event()
    response = b""

    async def ask() -> None:
        nonlocal response
        response = await get(port)

    async with trio.open_nursery() as nursery:
        config = FrontConfig(sockets, graceful_timeout_s=PATIENCE_S)
        await nursery.start(partial(serve, slow, config, shutdown_trigger=stop.wait))
        idle = await trio.open_tcp_stream("127.0.0.1", port)
        nursery.start_soon(ask)
        await entered.wait()
        stop.set()
        assert await until_closed(idle) == b""
        with pytest.raises(OSError, match="all attempts to connect"):
            await trio.open_tcp_stream("127.0.0.1", port)
        go_on.set()
        await idle.aclose()
    assert body_of(response) == b"hello"


@pytest.mark.parametrize("patience_s", [0, 0.2], ids=["at once", "when no more fits into the queue"])
async def test_a_large_body_that_nobody_reads_does_not_hide_the_answer(patience_s: float) -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await trio.sleep(patience_s)
        await answer(send, 413, b"too large")

    async with listening(refuse) as port:
        head = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 30000000\r\n\r\n"
        async with await trio.open_tcp_stream("127.0.0.1", port) as client, trio.open_nursery() as nursery:

            async def upload() -> None:
                with contextlib.suppress(trio.BrokenResourceError):
                    await client.send_all(head + b"x" * 30_000_000)
                    await client.send_eof()

            nursery.start_soon(upload)
            response = await until_closed(client)
    assert status_of(response) == 413
    assert body_of(response) == b"too large"


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 8\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"]
)
async def test_an_answer_before_the_bodys_end_says_that_the_connection_closes(framing: bytes) -> None:
    """A client that may believe that it can go on sends its next request into a closed connection."""
    response = await _put(framing)
    assert body_of(response) == b"ok"
    assert b"\r\nconnection: close\r\n" in response.lower()


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 4\r\n\r\nfull", b"Transfer-Encoding: chunked\r\n\r\n4\r\nfull\r\n0\r\n\r\n"]
)
async def test_a_body_that_came_whole_keeps_the_connection_although_nobody_read_it(framing: bytes) -> None:
    response = await _put(framing, HELLO)
    assert response.count(b"HTTP/1.1 200") == 2
    assert b"connection: close" not in response.lower()


async def _put(framing: bytes, next_request: bytes = b"") -> bytes:
    """All that a client hears of an application that reads no body."""
    async with listening(kept, head_s=0.3) as port:
        return await talk(port, b"PUT / HTTP/1.1\r\nHost: a.test\r\n" + framing + next_request)


async def test_a_client_that_leaves_during_an_unread_body_is_noticed() -> None:
    """The queue of messages is full, and still the application hears of the end when it reads on."""
    seen: list[Message] = []
    ended, left = trio.Event(), trio.Event()

    async def late_reader(scope: Scope, receive: Receive, send: Send) -> None:
        await left.wait()
        while not seen or seen[-1]["type"] != "http.disconnect":
            seen.append(await receive())
        seen.append(await receive())
        ended.set()

    async with listening(late_reader) as port:
        async with await trio.open_tcp_stream("127.0.0.1", port) as client:
            await client.send_all(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 30000000\r\n\r\n")
            with trio.move_on_after(0.2):
                await client.send_all(b"x" * 20_000_000)
        left.set()
        with trio.fail_after(PATIENCE_S):
            await ended.wait()
    assert [message["type"] for message in seen[-2:]] == ["http.disconnect", "http.disconnect"]


async def test_a_fault_of_one_request_ends_that_connection_only(caplog: pytest.LogCaptureFixture) -> None:
    async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/bad":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            raise RuntimeError("a fault")
        await hello(scope, receive, send)

    async with listening(faulty) as port:
        assert body_of(await get(port, "/bad")) == b""
        assert body_of(await get(port)) == b"hello"


async def test_http2_is_not_spoken() -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    async with listening(hello) as port:
        assert b"HTTP/1.1" in await talk(port, preface)
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        response = await talk(port, b"GET / HTTP/1.1\r\nHost: a.test\r\n" + upgrade + b"\r\n")
        assert status_of(response) == 200


async def test_listening_sockets_pass_their_deadline_on() -> None:
    async with listening(hello) as port:
        client = await trio.open_tcp_stream("127.0.0.1", port)
        await client.aclose()
    [sock] = open_listeners([("127.0.0.1", 0)])
    with sock, socket.create_connection(sock.getsockname()):
        sock.setblocking(True)
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_in_use_is_one_clear_error_and_leaves_nothing_open() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port}: Address already in use") as refused:
            open_listeners([("127.0.0.1", 0), ("127.0.0.1", port)])
        assert refused.value.errno == errno.EADDRINUSE
        assert len(os.listdir("/proc/self/fd")) == before


async def test_a_socket_that_systemd_opened_is_served() -> None:
    theirs = socket.socket()
    theirs.bind(("127.0.0.1", 0))
    theirs.listen()
    sockets = open_listeners([], [theirs.detach()])
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        [address] = await nursery.start(partial(serve, hello, FrontConfig(sockets), shutdown_trigger=stop.wait))
        port = sockets[0].getsockname()[1]
        assert address == f"http://127.0.0.1:{port}"
        assert body_of(await get(port)) == b"hello"
        stop.set()


def test_a_descriptor_that_does_not_listen_is_refused() -> None:
    with socket.socket() as idle, pytest.raises(OSError, match="is not a listening socket"):
        open_listeners([], [idle.fileno()])


async def test_ipv6_is_served() -> None:
    try:
        sockets = open_listeners([("::1", 0)])
    except OSError:
        pytest.skip("no IPv6 here")
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        [address] = await nursery.start(partial(serve, hello, FrontConfig(sockets), shutdown_trigger=stop.wait))
        assert address.startswith("http://[::1]:")
        stop.set()
