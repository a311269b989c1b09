"""What systemd is told: that the host answers, and how it is."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
import trio

from proxy.asgi import Receive, Scope, Send
from proxy.listen import FrontConfig, open_listeners, serve
from robot import service_status
from robot.answers import answer_json
from robot.service_status import ServiceStatus
from robot.watchdog import Watchdog
from tests.robot.small_host import SmallHost

PERIOD_US = 600_000


@pytest.fixture
def ears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[trio.socket.SocketType]:
    """The socket of a service manager, which watches."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", str(PERIOD_US))
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield trio.socket.from_stdlib_socket(sock)


class Door:
    """Answers, or keeps whoever asks waiting."""

    def __init__(self) -> None:
        self.is_mute = False
        self.asked = trio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.set()
        if self.is_mute:
            await trio.sleep_forever()
        await answer_json(send, 200, {"path": scope["path"]})

    async def wait_asked(self, times: int) -> None:
        for _ in range(times):
            self.asked = trio.Event()
            await self.asked.wait()


@pytest.fixture
async def door() -> AsyncIterator[tuple[Door, list[socket.socket]]]:
    sockets, door = open_listeners([("127.0.0.1", 0)]), Door()
    config = FrontConfig(sockets, graceful_timeout_s=0.1)
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, door, config, shutdown_trigger=trio.sleep_forever))
        yield door, sockets
        nursery.cancel_scope.cancel()


async def test_systemd_hears_of_a_host_that_answers_and_of_no_other(
    door: tuple[Door, list[socket.socket]], ears: trio.socket.SocketType, caplog: pytest.LogCaptureFixture
) -> None:
    front, sockets = door
    async with trio.open_nursery() as nursery:
        await nursery.start(Watchdog(sockets).run)
        with trio.fail_after(20):
            assert await ears.recv(4096) == b"WATCHDOG=1"
        front.is_mute = True
        await front.wait_asked(3)  # two of them were given up by then
        with trio.move_on_after(0.01) as silence:
            while await ears.recv(4096):  # what was said before
                pass
        assert silence.cancelled_caught
        assert "does not answer its own request" in caplog.text
        front.is_mute = False
        with trio.fail_after(20):
            assert await ears.recv(4096) == b"WATCHDOG=1"
        nursery.cancel_scope.cancel()


async def test_a_host_that_cannot_be_connected_to_is_dead(caplog: pytest.LogCaptureFixture) -> None:
    (gone,) = open_listeners([("127.0.0.1", 0)])
    with gone:
        gone.shutdown(socket.SHUT_RDWR)
        assert not await Watchdog([gone]).answers(1)
    assert "this host cannot connect to itself" in caplog.text


async def test_a_connection_that_is_cut_is_no_answer_and_ends_nothing() -> None:
    async def cut(stream: trio.SocketStream) -> None:
        await stream.receive_some(1)  # with the rest unread, closing is a reset
        await stream.aclose()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, cut, [listener])
        (own,) = open_listeners([], [os.dup(listener.socket.fileno())])
        with own:
            assert not await Watchdog([own]).answers(10)
        nursery.cancel_scope.cancel()


async def test_a_unix_socket_is_asked_too(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "door"))
        listening.listen()
        listening.setblocking(False)
        config = FrontConfig([listening], graceful_timeout_s=0.1)
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve, Door(), config, shutdown_trigger=trio.sleep_forever))
            assert await Watchdog([listening]).answers(10)
            nursery.cancel_scope.cancel()


async def test_systemctl_status_shows_how_the_host_is(
    host: SmallHost, ears: trio.socket.SocketType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_status, "EVERY_S", 0.01)
    counts = iter(range(10**6))
    async with trio.open_nursery() as nursery:
        await nursery.start(ServiceStatus(host.machine, lambda: next(counts)).run)
        with trio.fail_after(20):
            assert (
                await ears.recv(4096) == b"STATUS=0 of 50 wikis awake, 1 request in the last minute, nothing to index."
            )
            assert b"2 requests in the last minute" in await ears.recv(4096)
            host.db.close()
            while not (said := await ears.recv(4096)).startswith(b"STATUS=Not ready: "):
                pass
            assert b"database" in said
        nursery.cancel_scope.cancel()


async def test_where_no_service_manager_is_nothing_is_asked(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC"):
        monkeypatch.delenv(name, raising=False)
    (listener,) = open_listeners([("127.0.0.1", 0)])
    with listener:
        await Watchdog([listener]).run()
        await ServiceStatus(host.machine, lambda: 0).run()
        with pytest.raises(BlockingIOError):
            listener.accept()
