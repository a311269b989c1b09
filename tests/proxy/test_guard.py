from __future__ import annotations

import pytest
import trio
import trio.testing

from proxy.asgi import Headers, Message
from proxy.guard import (
    BodyTooLarge,
    BodyTooSlow,
    PacedReceive,
    check_declared_length,
    is_sent_by_another_page,
    malformed,
    same_origin_ok,
    shield_final_send,
)
from tests.proxy.stage import collecting

OWN = "https://notes.test"
COOKIE = (b"cookie", b"__Host-robot=1")
BEARER = (b"authorization", b"Bearer robot_x")
BASIC = (b"authorization", b"Basic eDp5")


def site(value: bytes) -> tuple[bytes, bytes]:
    return (b"sec-fetch-site", value)


def origin(value: bytes) -> tuple[bytes, bytes]:
    return (b"origin", value)


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ([COOKIE, site(b"same-origin")], True),
        ([COOKIE, site(b"none")], True),
        ([COOKIE, site(b"same-site")], False),
        ([COOKIE, site(b"cross-site")], False),
        ([COOKIE, site(b"cross-site"), origin(b"https://notes.test")], False),
        ([COOKIE, site(b"same-origin"), site(b"cross-site")], False),
        ([COOKIE, site(b"Same-Origin")], False),
        ([COOKIE, origin(b"https://notes.test")], True),
        ([COOKIE, origin(b"http://notes.test")], False),
        ([COOKIE, origin(b"https://notes.test:443")], False),
        ([COOKIE, origin(b"https://other.test")], False),
        ([COOKIE, origin(b"https://notes.test.evil.test")], False),
        ([COOKIE, origin(b"null")], False),
        ([COOKIE, origin(b"https://notes.test"), origin(b"https://evil.test")], False),
        ([COOKIE], False),
        ([COOKIE, BEARER], False),
        ([COOKIE, BASIC], False),
        ([BEARER], True),
        ([BEARER, site(b"cross-site"), origin(b"https://inspector.test")], True),
        ([BEARER, BASIC, site(b"cross-site")], False),
        ([BASIC, site(b"cross-site")], False),
        ([BASIC, origin(b"https://evil.test")], False),
        ([BASIC], True),
        ([site(b"cross-site")], False),
        ([origin(b"https://evil.test")], False),
        ([], True),
    ],
)
def test_unsafe_methods_need_the_same_origin(headers: Headers, allowed: bool) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get"):
        assert same_origin_ok(method, headers, OWN) is allowed


@pytest.mark.parametrize(
    ("headers", "is_sent"),
    [
        ([], False),
        ([site(b"same-origin")], False),
        ([site(b"none")], False),
        ([site(b"same-site")], True),
        ([site(b"cross-site")], True),
        ([site(b"none"), site(b"cross-site")], True),
        ([site(b"cross-site"), (b"sec-fetch-user", b"?1")], False),
        ([site(b"cross-site"), (b"sec-fetch-user", b"?0")], True),
    ],
)
def test_what_another_page_has_a_browser_send(headers: Headers, is_sent: bool) -> None:
    assert is_sent_by_another_page(headers) is is_sent


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_safe_methods_pass(method: str) -> None:
    assert same_origin_ok(method, [COOKIE, site(b"cross-site")], OWN)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({}, False),
        ({"http_version": "1.0"}, False),
        ({"headers": [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")]}, True),
        ({"headers": [(b"transfer-encoding", b"chunked")], "http_version": "1.0"}, True),
        ({"http_version": "2.0"}, True),
        ({"method": "CONNECT"}, True),
        ({"method": "TRACE"}, True),
        ({"raw_path": b"http://notes.test/"}, True),
        ({"raw_path": b"*"}, True),
        ({"raw_path": b""}, True),
    ],
)
def test_heads_that_the_parser_lets_pass(change: dict[str, object], refused: bool) -> None:
    scope = {"http_version": "1.1", "method": "GET", "raw_path": b"/", "headers": [], **change}
    assert (malformed(scope) is not None) is refused


def test_a_declared_length_is_judged_before_the_body() -> None:
    check_declared_length([(b"content-length", b"10")], 10)
    check_declared_length([], 10)
    with pytest.raises(BodyTooLarge):
        check_declared_length([(b"content-length", b"11")], 10)


class Dripping:
    """A client that sends `size` bytes each `pause_s` seconds, `count` times."""

    def __init__(self, size: int, pause_s: float, count: int) -> None:
        self.size, self.pause_s, self.left = size, pause_s, count

    async def __call__(self) -> Message:
        if self.left == 0:
            await trio.sleep_forever()
        await trio.sleep(self.pause_s)
        self.left -= 1
        return {"type": "http.request", "body": b"x" * self.size, "more_body": self.left > 0}


async def drain(receive: PacedReceive) -> int:
    total = 0
    while True:
        message = await receive()
        total += len(message["body"])
        if not message["more_body"]:
            return total


async def test_a_drip_is_too_slow(autojump_clock: trio.testing.MockClock) -> None:
    began = trio.current_time()
    with pytest.raises(BodyTooSlow):
        await drain(PacedReceive(Dripping(1, 1, 1000), min_bytes_per_s=100, grace_s=10))
    assert trio.current_time() - began == pytest.approx(10, abs=1)


async def test_a_steady_slow_body_passes(autojump_clock: trio.testing.MockClock) -> None:
    assert await drain(PacedReceive(Dripping(200, 1, 100), min_bytes_per_s=100, grace_s=10)) == 20_000


async def test_a_fast_start_buys_no_long_pause(autojump_clock: trio.testing.MockClock) -> None:
    receive = PacedReceive(Dripping(10_000_000, 1, 2), min_bytes_per_s=100, grace_s=10)
    await receive()
    began = trio.current_time()
    receive._receive = trio.sleep_forever
    with pytest.raises(BodyTooSlow):
        await receive()
    assert trio.current_time() - began == pytest.approx(10)


async def test_our_own_slowness_is_nobodys_fault(autojump_clock: trio.testing.MockClock) -> None:
    receive = PacedReceive(Dripping(10, 0, 3), min_bytes_per_s=100, grace_s=1)
    for _ in range(3):
        await trio.sleep(60)
        await receive()


async def test_after_the_body_the_client_may_stay_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    receive = PacedReceive(Dripping(10, 0, 1), grace_s=1)
    await receive()
    with trio.move_on_after(3600) as scope:
        await receive()
    assert scope.cancelled_caught


async def test_a_body_may_not_grow_beyond_its_limit(autojump_clock: trio.testing.MockClock) -> None:
    with pytest.raises(BodyTooLarge):
        await drain(PacedReceive(Dripping(10, 0, 11), max_bytes=100))
    assert await drain(PacedReceive(Dripping(10, 0, 10), max_bytes=100)) == 100


async def test_only_the_final_body_is_sent_by_a_cancelled_task(autojump_clock: trio.testing.MockClock) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        await trio.sleep(1)
        await collecting(sent)(message)

    final: Message = {"type": "http.response.body", "body": b"", "more_body": False}
    with trio.CancelScope() as scope:
        scope.cancel()
        await shield_final_send(send)(final)
    assert sent == [final]
    with trio.CancelScope() as scope:
        scope.cancel()
        await shield_final_send(send)({"type": "http.response.body", "body": b"x", "more_body": True})
    assert scope.cancelled_caught
    assert sent == [final]


async def test_the_shield_has_a_deadline(autojump_clock: trio.testing.MockClock) -> None:
    async def send(message: Message) -> None:
        await trio.sleep_forever()

    began = trio.current_time()
    with trio.CancelScope() as scope:
        scope.cancel()
        await shield_final_send(send, deadline_s=3)({"type": "http.response.body"})
    assert trio.current_time() - began == pytest.approx(3)
