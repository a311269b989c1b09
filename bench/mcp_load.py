"""Agents: sessions of the official MCP client, in a process of their own, so that two cores can be kept busy.

`python -m bench.mcp_load` reads a load as one line of JSON, says "ready" when all sessions are connected, begins at the
next line, and ends with one line of JSON: the outcome.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import anyio
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from bench.make_wiki import LARGE, SMALL

TIMEOUT_S = 60.0
# Words of the corpus, common and rare, one and several, so that no answer is the last one again.
QUERIES = ("function", "search index", "thread lock", "wheel", "socket timeout error", "return the value", "encoding")


@dataclass(frozen=True, slots=True)
class Load:
    """What one process of agents does: `sessions` clients with `calls` calls each.

    `work` is one of `WORKS`. `first` numbers the first session: it names the pages that session writes.
    """

    url: str
    token: str
    work: str
    sessions: int
    calls: int
    first: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Latencies of the calls that succeeded, and the texts of those that did not."""

    seconds: list[float]
    failures: list[str]


class Agents:
    """The parent's side of one such process."""

    def __init__(self, load: Load) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.mcp_load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._say(json.dumps(asdict(load)))

    def wait_until_ready(self) -> None:
        """Raises RuntimeError when the process ended instead."""
        if self._hear() != "ready":
            raise RuntimeError("the agents could not connect")

    def begin(self) -> None:
        self._say("go")

    def outcome(self) -> Outcome:
        """Wait for the results. Raises RuntimeError when there are none."""
        line = self._hear()
        self.close()
        if not line:
            raise RuntimeError("the agents ended without a result")
        return Outcome(**json.loads(line))

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.communicate()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def run_together(loads: Sequence[Load]) -> tuple[Outcome, float]:
    """Run these at once; all calls together, and the seconds from the common start to the last answer."""
    agents = [Agents(load) for load in loads]
    try:
        for one in agents:
            one.wait_until_ready()
        began = time.perf_counter()
        for one in agents:
            one.begin()
        outcomes = [one.outcome() for one in agents]
        elapsed_s = time.perf_counter() - began
    finally:
        for one in agents:
            one.close()
    return (
        Outcome([s for one in outcomes for s in one.seconds], [f for one in outcomes for f in one.failures]),
        elapsed_s,
    )


class _ToLoopback(httpx2.AsyncHTTPTransport):
    """Sends everything to 127.0.0.1: Python's resolver does not know that *.localhost is this machine."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        there = httpx2.Request(
            request.method,
            request.url.copy_with(host="127.0.0.1"),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return await super().handle_async_request(there)


def http_of(load: Load) -> httpx2.AsyncClient:
    """An HTTP client with connections of its own and the token."""
    return httpx2.AsyncClient(
        transport=_ToLoopback(), headers={"Authorization": f"Bearer {load.token}"}, timeout=TIMEOUT_S
    )


@asynccontextmanager
async def connected(load: Load, http: httpx2.AsyncClient, mode: str = "auto") -> AsyncIterator[Client]:
    """One session over `http`, which stays open."""
    async with Client(streamable_http_client(load.url, http_client=http), mode=mode) as client:
        yield client


def written_page(session: int, call: int) -> tuple[str, str]:
    """Name and text of the page that a writer's call makes."""
    return f"Bench/Writer {session} Page {call}", f"# Page {call} of writer {session}\n\nKept.\n"


@dataclass(frozen=True, slots=True)
class Turn:
    """One call of one session: what a piece of work is given. `last` is the answer of the turn before."""

    client: Client
    http: httpx2.AsyncClient
    load: Load
    session: int
    call: int
    last: CallToolResult | None


async def _meet(turn: Turn) -> CallToolResult | None:
    """A new session on an open connection, with the handshake that today's clients make, and the list of tools."""
    async with connected(turn.load, turn.http, mode="legacy") as client:
        await client.list_tools()
    return None


def _calling(tool: str, arguments: Callable[[Turn], dict[str, Any]]) -> Callable[[Turn], Awaitable[CallToolResult]]:
    async def call(turn: Turn) -> CallToolResult:
        return await turn.client.call_tool(tool, arguments(turn))

    return call


def _query(turn: Turn) -> dict[str, Any]:
    """Another query each time; a number makes each text one that was not embedded before."""
    return {"query": f"{QUERIES[turn.call % len(QUERIES)]} {turn.session * 1000 + turn.call}"}


def _written(turn: Turn) -> dict[str, Any]:
    path, content = written_page(turn.session, turn.call)
    return {"path": path, "content": content}


async def _edit(turn: Turn) -> CallToolResult:
    """An edit of the session's own page, which its first turn writes."""
    path = f"Bench/Edited {turn.session}"
    if turn.last is None:
        return await turn.client.call_tool("write_note", {"path": path, "content": "# Edited\n\nNumber 0 of them.\n"})
    assert turn.last.structured_content is not None
    arguments = {
        "path": path,
        "revision": turn.last.structured_content["revision"],
        "old_string": f"Number {turn.call - 1} of",
        "new_string": f"Number {turn.call} of",
    }
    return await turn.client.call_tool("edit_note", arguments)


WORKS: dict[str, Callable[[Turn], Awaitable[CallToolResult | None]]] = {
    "meet": _meet,
    "read": _calling("read_note", lambda _: {"path": SMALL}),
    "read large": _calling("read_note", lambda _: {"path": LARGE}),
    "search": _calling("search_notes", lambda turn: {"query": QUERIES[turn.call % len(QUERIES)]}),
    "semantic": _calling("semantic_search", _query),
    "write": _calling("write_note", _written),
    "edit": _edit,
}


async def _session(client: Client, http: httpx2.AsyncClient, load: Load, number: int, outcome: Outcome) -> None:
    work, last = WORKS[load.work], None
    for call in range(load.calls):
        began = time.perf_counter()
        last = await work(Turn(client, http, load, number, call, last))
        if last is not None and last.is_error:
            outcome.failures.append(str(last.content)[:500])
        else:
            outcome.seconds.append(time.perf_counter() - began)


async def _main() -> None:
    load = Load(**json.loads(sys.stdin.readline()))
    outcome = Outcome([], [])
    async with AsyncExitStack() as stack:
        https = [await stack.enter_async_context(http_of(load)) for _ in range(load.sessions)]
        clients = [await stack.enter_async_context(connected(load, http)) for http in https]
        for client in clients:
            await client.call_tool("read_note", {"path": SMALL})
        print("ready", flush=True)
        await anyio.to_thread.run_sync(sys.stdin.readline)
        async with anyio.create_task_group() as group:
            for number, (client, http) in enumerate(zip(clients, https, strict=True), load.first):
                group.start_soon(_session, client, http, load, number, outcome)
        print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    anyio.run(_main)
