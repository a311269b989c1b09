"""A hundred megabytes in each direction leave the process as it was."""

from __future__ import annotations

import os

import trio

from tests.proxy.stage import OK, RecordingWorker, proxied

TOTAL = 100_000_000
PIECE = b"x" * 100_000
ALLOWED_GROWTH = 8_000_000


def rss_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Growth:
    """Resident memory at the highest, above what it was when a tenth had passed."""

    def __init__(self) -> None:
        self.passed = 0
        self.base = 0
        self.peak = 0

    def count(self, size: int) -> None:
        self.passed += size
        if self.passed < TOTAL // 10:
            return
        now = rss_bytes()
        self.base = self.base or now
        self.peak = max(self.peak, now)


async def test_a_download_flows_through() -> None:
    async def script(stream: trio.SocketStream, worker: RecordingWorker) -> None:
        await worker.read_head(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % TOTAL)
        for _ in range(TOTAL // len(PIECE)):
            await stream.send_all(PIECE)

    growth = Growth()
    async with proxied(script) as (port, _, _), await trio.open_tcp_stream("127.0.0.1", port) as client:
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        async for data in client:
            growth.count(len(data))
    assert growth.passed > TOTAL
    assert growth.peak - growth.base < ALLOWED_GROWTH


async def test_an_upload_flows_through() -> None:
    growth = Growth()

    async def script(stream: trio.SocketStream, worker: RecordingWorker) -> None:
        while growth.passed < TOTAL:
            growth.count(len(await stream.receive_some(65536)))
        await stream.send_all(OK)

    async with proxied(script) as (port, _, _), await trio.open_tcp_stream("127.0.0.1", port) as client:
        await client.send_all(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % TOTAL)
        for _ in range(TOTAL // len(PIECE)):
            await client.send_all(PIECE)
        assert (await client.receive_some()).startswith(b"HTTP/1.1 200")
    assert growth.peak - growth.base < ALLOWED_GROWTH
