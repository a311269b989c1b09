"""A thousand agents that listen: what their open streams cost, and how soon all of them have heard of a save."""

from __future__ import annotations

import json
import resource
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bench import process_tree
from bench.figures import Figure, mib, ms, percentile
from bench.host import Host, Planted
from bench.http_client import Visitor
from bench.make_wiki import SMALL

STREAMS = 1_000
MOST_BYTES = 80 * 2**20
MOST_SLOWER = 2.0
WARM_UP_VIEWS = 20
PATIENCE_S = 60.0
# For the streams of the server and of this process, which inherit it from here.
DESCRIPTORS = 8_192
_TOLD = b"resources/updated"
_SAVED_PAGE = "Bench/Listened to"


def allow_many_sockets() -> None:
    """Let this process and those that it starts open enough of them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))


def measure(host: Host, wiki: Planted, views: int, say: Callable[[str], None]) -> list[Figure]:
    """The row "1,000 open listen streams". The wiki is awake and at rest."""
    with Visitor(host.port, wiki.host) as visitor:
        _views(visitor, WARM_UP_VIEWS)
        process_tree.wait_until_quiet(host.pid, limit_s=PATIENCE_S)
        alone_s = percentile(_views(visitor, views), 0.99)
        before = process_tree.pss_bytes(host.pid)
        with listening(host, wiki, STREAMS) as streams:
            more = process_tree.pss_bytes(host.pid) - before
            beside_s = percentile(_views(visitor, views), 0.99)
            told_s = _save_and_wait(host, wiki, streams)
    slower = beside_s / alone_s
    say(f"{STREAMS} streams: +{mib(more)}, page p99 {ms(alone_s)} → {ms(beside_s)}, all told after {ms(told_s)}")
    return [
        Figure(
            f"{STREAMS} open listen streams: memory (PSS)", "", "", f"+{mib(more)}", "≤ + 80 MB", more <= MOST_BYTES
        ),
        Figure(
            f"page p99 beside {STREAMS} open listen streams, {wiki.slug}",
            "",
            "",
            f"{slower:.2f}× ({ms(alone_s)} → {ms(beside_s)})",
            "< 2×",
            slower < MOST_SLOWER,
        ),
        Figure(f"save → all of {STREAMS} streams are told, {wiki.slug}", "", "", ms(told_s), "", None),
    ]


@contextmanager
def listening(host: Host, wiki: Planted, number: int) -> Iterator[Sequence[socket.socket]]:
    """So many streams, each of them acknowledged. Raises RuntimeError when one is refused."""
    with ExitStack() as stack:
        streams = [stack.enter_context(_listen(host, wiki)) for _ in range(number)]
        for stream in streams:
            if b" 200 " not in (head := stream.recv(65_536))[:20]:
                raise RuntimeError(f"a stream was refused: {head[:300]!r}")
        yield streams


def _listen(host: Host, wiki: Planted) -> socket.socket:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    wanted = {"resourceSubscriptions": [f"wiki://{wiki.slug}/page/{_SAVED_PAGE.replace(' ', '%20')}"]}
    params = {"notifications": wanted, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}).encode()
    lines = (
        "POST /mcp HTTP/1.1",
        f"Host: {wiki.host}:{host.port}",
        f"Authorization: Bearer {wiki.token}",
        "Accept: application/json, text/event-stream",
        "Content-Type: application/json",
        "MCP-Protocol-Version: 2026-07-28",
        "Mcp-Method: subscriptions/listen",
        f"Content-Length: {len(body)}",
    )
    stream = socket.create_connection(("127.0.0.1", host.port), timeout=PATIENCE_S)
    stream.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return stream


def _views(visitor: Visitor, times: int) -> list[float]:
    return [visitor.get_page(f"/{SMALL}").seconds for _ in range(times)]


def _save_and_wait(host: Host, wiki: Planted, streams: Sequence[socket.socket]) -> float:
    """Seconds from a save to the moment at which the last stream has told of it."""
    headers = {"Authorization": f"Bearer {wiki.token}", "Content-Type": "application/json"}
    with Visitor(host.port, wiki.host, headers) as agent, selectors.DefaultSelector() as untold:
        for stream in streams:
            untold.register(stream, selectors.EVENT_READ)
        began = time.perf_counter()
        target = f"/api/v1/pages/{_SAVED_PAGE.replace(' ', '%20')}"
        agent.ask("PUT", target, json.dumps({"content": "# Listened to\n"}).encode())
        while untold.get_map():
            ready = untold.select(PATIENCE_S)
            if not ready:
                raise RuntimeError(f"{len(untold.get_map())} streams were not told")
            for key, _ in ready:
                if isinstance(key.fileobj, socket.socket) and _TOLD in key.fileobj.recv(65_536):
                    untold.unregister(key.fileobj)
        return time.perf_counter() - began
