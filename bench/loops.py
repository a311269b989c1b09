"""Clients that go on whatever happens to the server: each repeats its work in a thread, and counts what came of it."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

import anyio
import httpx2
from mcp import Client, MCPError

from bench.host import Planted
from bench.http_client import Answer, Visitor
from bench.mcp_load import Load, connected, http_of

API = "/api/v1"
ANSWERED = "answered"
UNAVAILABLE = "told to try again"
UNANSWERED = "connections that ended without an answer"
CUT = "answers cut short"
REFUSED = "connections refused"
ANEW = "sessions begun anew"

# So that a client whose server is away does not keep a core busy with asking.
PAUSE_S = 0.05

Work = Callable[[], None]


class Tally:
    """How often what happened, counted by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def note(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1

    def __getitem__(self, what: str) -> int:
        with self._lock:
            return self._counts[what]

    def as_dict(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)


class Loops:
    """Threads that repeat works until told to stop; what one of them raises is raised by `stop`."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []

    def repeat(self, work: Work, pause_s: float = 0.0) -> None:
        """Do `work` again and again, with a pause between."""

        def again() -> None:
            while not self.over.wait(pause_s):
                work()

        self.run(again)

    def run(self, work: Work) -> None:
        """Do `work` once; it is to end soon after `over` is set."""

        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                self._failures.append(error)

        thread = threading.Thread(target=guarded, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self, timeout_s: float = 90.0) -> None:
        """Tell all to stop, and wait. Raises what the first that failed raised, TimeoutError when one does not end."""
        self.over.set()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._failures:
            raise self._failures[0]
        if any(thread.is_alive() for thread in self._threads):
            raise TimeoutError("a client does not end")


class Patient:
    """A `Visitor` that lives through what a server does to it, and counts it."""

    def __init__(self, visitor: Visitor, tally: Tally) -> None:
        self._visitor = visitor
        self._tally = tally

    def ask(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer | None:
        """One request; None when nothing came back that counts as an answer. 503 is an answer."""
        try:
            answer = self._visitor.ask(method, target, body, headers)
        except OSError as error:  # RemoteDisconnected is one
            self._tally.note(REFUSED if isinstance(error, ConnectionRefusedError) else UNANSWERED)
        except http.client.HTTPException:
            self._tally.note(CUT)
        else:
            self._tally.note(UNAVAILABLE if answer.status == http.HTTPStatus.SERVICE_UNAVAILABLE else ANSWERED)
            return answer
        self._visitor.close()
        time.sleep(PAUSE_S)
        return None


@dataclass(slots=True)
class _Kept:
    """A page as one writer knows it: the text that was acknowledged last, and those sent since without an answer."""

    acknowledged: str | None = None
    sent: set[str] = field(default_factory=set)


class Journal:
    """What was written to pages that have one writer each, by (slug, page name); counts what was acknowledged."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: dict[tuple[str, str], _Kept] = {}
        self.acknowledged = 0

    def sending(self, slug: str, name: str, text: str) -> None:
        """A text is about to be sent: from now on the page may have it."""
        with self._lock:
            self._pages.setdefault((slug, name), _Kept()).sent.add(text)

    def acknowledge(self, slug: str, name: str, text: str) -> None:
        """The host said that the page has it: nothing sent before may be there any more."""
        with self._lock:
            self._pages[slug, name] = _Kept(text)
            self.acknowledged += 1

    def of(self, slug: str) -> dict[str, set[str]]:
        """Pages that must be there → the texts that each may have."""
        with self._lock:
            return {
                name: {page.acknowledged, *page.sent}
                for (wiki, name), page in self._pages.items()
                if wiki == slug and page.acknowledged is not None
            }


def script_of(port: int, wiki: Planted) -> Visitor:
    """A script that has the wiki's token."""
    return Visitor(port, wiki.host, {"Authorization": f"Bearer {wiki.token}", "Content-Type": "application/json"})


def put_page(script: Patient, name: str, text: str) -> int | None:
    """Make a page by REST; the status of the answer, if there was one."""
    body = json.dumps({"content": text}).encode()
    answer = script.ask("PUT", f"{API}/pages/{quote(name, safe='')}", body)
    return None if answer is None else answer.status


class SessionWork(Protocol):
    """One turn of a session of the official MCP client. Raises what the client makes of a server that is away."""

    async def __call__(self, client: Client) -> None: ...


def keep_talking(load: Load, work: SessionWork, over: threading.Event, tally: Tally) -> None:
    """Turn by turn over MCP until `over` is set, in one session as long as the client can go on with it.

    The client ends a session when a connection breaks under a request; then a new one is begun, which is counted.
    """

    async def one_session() -> None:
        async with http_of(load) as web, connected(load, web) as client:
            while not over.is_set():
                try:
                    await work(client)
                except MCPError:
                    tally.note(UNANSWERED)
                    await anyio.sleep(PAUSE_S)

    async def talk() -> None:
        while not over.is_set():
            try:
                await one_session()
            except* (httpx2.HTTPError, MCPError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                tally.note(ANEW)
                await anyio.sleep(PAUSE_S)

    anyio.run(talk)
