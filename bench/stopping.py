"""Start until the first answers, and stop while clients hold on."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from bench import process_tree
from bench.figures import Figure, ms
from bench.host import DOMAIN, HEALTH, STOP_LIMIT_S, Host, Planted, running_host
from bench.http_client import TIMEOUT_S, Visitor, WrongAnswer, free_port, wait_for_page
from bench.make_wiki import LARGE, SMALL

LATEST_HEALTHY_S = 1.5
LATEST_PAGE_S = 5.0
SLOWEST_STOP_S = 5.0
PAGE_LIMIT_S = 30.0

IDLE_CONNECTIONS = 100
STREAMS = 5
HANDSHAKE_ERA = "2025-11-25"
# Enough answers that no socket buffer can hold them all.
PIPELINED_REQUESTS = 200
SMALLEST_BUFFER_BYTES = 4096


def measure_start(data: Path, wiki: Planted, starts: int, say: Callable[[str], None]) -> list[Figure]:
    """The row "`robot serve` → `/healthz` 200 · first wiki page"."""
    healthy, first_page, cpu = [], [], []
    for _ in range(starts):
        with running_host(data, free_port()) as host:
            wait_for_page(host.port, wiki.host, f"/{SMALL}", limit_s=PAGE_LIMIT_S)
            first_page.append(time.perf_counter() - host.began)
            healthy.append(host.healthy_s)
            cpu.append(process_tree.cpu_s(host.pid))
    health_s, page_s = statistics.median(healthy), statistics.median(first_page)
    say(f"start: healthy {ms(health_s)}, first page {ms(page_s)}")
    return [
        Figure(
            f"`robot serve` → `{HEALTH}` 200, median of {starts}",
            "3–5 s",
            "",
            ms(health_s),
            "≤ 1.5 s",
            health_s <= LATEST_HEALTHY_S,
        ),
        Figure(
            f"`robot serve` → first wiki page, median of {starts}",
            "",
            "",
            f"{ms(page_s)}, {ms(statistics.median(cpu))} of CPU",
            "≤ 5 s",
            page_s <= LATEST_PAGE_S,
        ),
    ]


def stop_with_clients(host: Host, wiki: Planted) -> float | None:
    """Seconds from SIGTERM to the end of the process, with clients that do not let go; None when it does not end."""
    with ExitStack() as clients:
        for _ in range(IDLE_CONNECTIONS):
            visitor = clients.enter_context(Visitor(host.port, DOMAIN))
            visitor.get_page(HEALTH)
        for _ in range(STREAMS):
            clients.enter_context(open_stream(host.port, wiki))
        clients.enter_context(unread(host.port, wiki.host, f"GET /{LARGE} HTTP/1.1\r\n\r\n"))
        try:
            return host.stop()
        except subprocess.TimeoutExpired:
            return None


def open_stream(port: int, wiki: Planted) -> socket.socket:
    """An agent whose answer, a stream of events, has begun and cannot end, for the agent does not read on.

    Streams that wait for something to happen do not exist: robot sends agents nothing that they did not ask for.
    """
    params = {"name": "read_note", "arguments": {"path": LARGE}, "_meta": {"progressToken": 1}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    fields = {
        "Authorization": f"Bearer {wiki.token}",
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "MCP-Protocol-Version": HANDSHAKE_ERA,
    }
    stream = unread(port, wiki.host, f"POST /mcp HTTP/1.1\r\n{head_of(fields)}{body}")
    begun = stream.recv(SMALLEST_BUFFER_BYTES, socket.MSG_PEEK)
    if not begun.startswith(b"HTTP/1.1 200 ") or b"text/event-stream" not in begun:
        raise WrongAnswer(repr(begun))
    return stream


def unread(port: int, host: str, request: str) -> socket.socket:
    """A connection that asked for far more than buffers hold, and reads nothing of it."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALLEST_BUFFER_BYTES)
    reader.settimeout(TIMEOUT_S)
    reader.connect(("127.0.0.1", port))
    reader.sendall(request.replace("\r\n", f"\r\nHost: {host}:{port}\r\n", 1).encode() * PIPELINED_REQUESTS)
    reader.recv(1, socket.MSG_PEEK)
    return reader


def head_of(fields: Mapping[str, str]) -> str:
    """Header fields and the empty line that ends them."""
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"


def measure_stop(data: Path, wiki: Planted, say: Callable[[str], None]) -> list[Figure]:
    """The row "shutdown with 100 idle keep-alive connections, 5 SSE streams, one stalled reader"."""
    with running_host(data, free_port()) as host:
        host.wait_until_ready()
        seconds = stop_with_clients(host, wiki)
    said = f"not within {STOP_LIMIT_S:.0f} s" if seconds is None else ms(seconds)
    say(f"stop: {said}")
    return [
        Figure(
            f"shutdown with {IDLE_CONNECTIONS} idle keep-alive connections, {STREAMS} SSE streams, one stalled reader",
            "never ends",
            "",
            said,
            "≤ 5 s",
            seconds is not None and seconds <= SLOWEST_STOP_S,
        )
    ]
