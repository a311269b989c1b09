"""What the tests of both agents' doors share: a real wiki, actors, a stand-in for search, a real server on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import hypercorn.trio
import trio
from hypercorn.config import Config
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from quart_trio import QuartTrio

from proxy.guard import shield_final_send
from robot.activity import Deed
from robot.contents import Contents
from robot.limits import Limits
from robot.mcp.call import Calls
from robot.mcp.endpoint import McpEndpoint, stateless
from robot.mcp.listening import KEEP_ALIVE_S, Listening
from robot.mcp.server import create_server
from robot.mcp.tools import WRITING_TOOLS
from robot.model import Actor, Agent, Anonymous, Role, Scope, Token, User, Visibility, Wiki, WikiRequest
from robot.rest.app import create_rest_app
from robot.search.service import SearchService
from robot.search.values import (
    FindAnswer,
    Finding,
    FindMode,
    Freshness,
    Passage,
    ReindexRunning,
    ReindexStatus,
    SemanticAnswer,
    SimilarAnswer,
)
from wikihost.content import Content
from wikihost.layout import DataDir
from wikihost.lifecycle import create_wiki
from wikihost.values import Author, SearchFilters, SearchHit

DOMAIN = "robot.test"
ORIGIN = "http://notes.robot.test"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
ADA = User("u1", "ada", "Ada Lovelace", is_operator=False, created=LONG_AGO)
AUTHOR = Author("Seeder", "seeder@robot.test")
FRESH = Freshness("f" * 40, "f" * 40)


def a_wiki(visibility: Visibility = Visibility.PRIVATE) -> Wiki:
    return Wiki("w1", "notes", "Field Notes", "Where the team keeps what it learnt.", visibility, LONG_AGO)


def an_agent(*scopes: Scope, role: Role = Role.EDITOR, wiki_id: str = "w1", folder: str | None = None) -> Agent:
    token = Token("t1", wiki_id, ADA.id, "laptop", frozenset(scopes), LONG_AGO, None, None, folder)
    return Agent(ADA, role, token, client="laptop")


ACTORS: dict[str, Actor] = {
    "writer": an_agent(Scope.READ, Scope.WRITE),
    "reader": an_agent(Scope.READ),
    "viewer": an_agent(Scope.READ, Scope.WRITE, role=Role.VIEWER),
    "stranger": an_agent(Scope.READ, Scope.WRITE, wiki_id="w2"),
}


@dataclass
class StandInSearch:
    """Search without a model: answers what it was given, and remembers what it was asked."""

    answers: tuple[Passage, ...] = ()
    asked: list[tuple[str, int, int]] = field(default_factory=list)
    filters: list[SearchFilters] = field(default_factory=list)
    freshness: Freshness = FRESH
    running: bool = False

    async def query(
        self, wiki: Wiki, text: str, *, limit: int, max_chunks_per_page: int, filters: SearchFilters
    ) -> SemanticAnswer:
        self.asked.append((text, limit, max_chunks_per_page))
        self.filters.append(filters)
        return SemanticAnswer(self.answers[:limit], "semantic", self.freshness)

    async def find(
        self,
        wiki: Wiki,
        text: str,
        *,
        mode: FindMode,
        limit: int,
        offset: int = 0,
        filters: SearchFilters,
        max_chunks_per_page: int = 1,
    ) -> FindAnswer:
        self.filters.append(filters)
        found = [a_finding(each) for each in self.answers[offset : offset + limit]]
        return FindAnswer(found, len(self.answers), mode, 0.5, self.freshness)

    async def similar(self, wiki: Wiki, path: str, *, limit: int) -> SimilarAnswer:
        return SimilarAnswer([a_finding(each) for each in self.answers[:limit]], self.freshness)

    def start_reindex(self, wiki: Wiki) -> None:
        if self.running:
            raise ReindexRunning("running already")
        self.running = True

    def cancel_reindex(self, wiki: Wiki) -> bool:
        was_running, self.running = self.running, False
        return was_running

    async def status(self, wiki: Wiki) -> ReindexStatus:
        state = "in_progress" if self.running else "idle"
        started = LONG_AGO if self.running else None
        return ReindexStatus(state, 3, 1, 9, 2, "f" * 40, None, started, None, None, 4.5, "mini")  # type: ignore[arg-type]


def a_passage(path: str, text: str) -> Passage:
    return Passage(path, path, f"[{path} > Use] {text}", text, 0.25, "Use", f"{path} > Use", "use", 0, 2, 32)


def a_finding(of: Passage) -> Finding:
    """A passage as a part of what was found by words and by meaning."""
    page = SearchHit(of.path, of.title, of.snippet, 0.5, section=of.section, anchor=of.anchor)
    return Finding(page, of.section_path, 0.5, None, 0.5, first_line=3, last_line=4)


@dataclass
class Noted:
    """Remembers what it was told of."""

    deeds: list[Deed] = field(default_factory=list)

    def note(self, deed: Deed) -> None:
        self.deeds.append(deed)


@dataclass
class Doors:
    """Both doors of one wiki, with the content behind them."""

    wiki: Wiki
    contents: Contents
    search: StandInSearch
    mcp: McpEndpoint
    listening: Listening
    rest: QuartTrio
    noted: Noted
    actors: dict[str, Actor] = field(default_factory=lambda: dict(ACTORS))

    def request_of(self, scope: MutableMapping[str, Any]) -> WikiRequest:
        """What a front would decide: the bearer token is the name of the actor."""
        bearer = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
        return WikiRequest(self.wiki, self.actors.get(bearer, Anonymous()), ORIGIN, "r1")

    async def run_mcp(self, *, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.mcp.run)
            await self.listening.run(task_status=task_status)

    async def seed(self, pages: Mapping[str, str]) -> None:
        def write(content: Content) -> None:
            for name, text in pages.items():
                content.write_page(name, text, base=None, author=AUTHOR)

        await self.contents.change(self.wiki, write)

    async def revision(self, name: str) -> str:
        return (await self.contents.run(self.wiki, lambda content: content.read_page(name))).revision

    async def text(self, name: str) -> str:
        return (await self.contents.run(self.wiki, lambda content: content.read_page(name))).text


def open_doors(
    root: Path,
    visibility: Visibility = Visibility.PRIVATE,
    search: SearchService | None = None,
    *,
    keep_alive_s: float = KEEP_ALIVE_S,
) -> Doors:
    """A new wiki under `root`, with both doors not yet running."""
    data, wiki, stand_in, noted = DataDir(root), a_wiki(visibility), StandInSearch(), Noted()
    pages = {"Welcome": "Welcome."}
    create_wiki(data.wiki(wiki.id), name=wiki.name, description=wiki.description, author=AUTHOR, pages=pages)
    contents = Contents(data)
    service = search or cast("SearchService", stand_in)

    def judge_again(scope: MutableMapping[str, Any]) -> WikiRequest:
        return doors.request_of(scope)

    listening = Listening(contents, judge_again, keep_alive_s=keep_alive_s)
    contents.subscribe(listening.notify)
    server = create_server(Calls(contents, service, DOMAIN), listening, noted, Limits())
    mcp = McpEndpoint(stateless(server, WRITING_TOOLS), listening)
    doors = Doors(
        wiki,
        contents,
        stand_in,
        mcp,
        listening,
        create_rest_app(contents=contents, search=service, domain=DOMAIN, spool=root, witness=noted),
        noted,
    )
    return doors


Asgi = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


def front_of(doors: Doors) -> Asgi:
    """As much of a front as the doors need."""

    async def application(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _answer_lifespan(receive, send)
            return
        scope["robot.request"] = doors.request_of(scope)
        app = doors.mcp if scope["path"].startswith("/mcp") else doors.rest
        await cast("Asgi", app)(scope, receive, shield_final_send(send))

    return application


async def _answer_lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


@asynccontextmanager
async def serving(doors: Doors) -> AsyncIterator[str]:
    """Serve both doors with Hypercorn on loopback; yields the base URL."""
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.graceful_timeout = 1
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(doors.run_mcp)
        binds = await nursery.start(
            lambda task_status: hypercorn.trio.serve(
                cast("Any", front_of(doors)), config, shutdown_trigger=stop.wait, task_status=task_status
            )
        )
        try:
            yield binds[0].replace("localhost", "127.0.0.1")
        finally:
            stop.set()
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def connected(base: str, token: str = "writer", era: str = "2026-07-28", **more: Any) -> AsyncIterator[Client]:
    """The SDK's client, in the era `legacy`, `auto` or a version; `token` is the name of the actor."""
    headers = {"Authorization": f"Bearer {token}"}
    async with create_mcp_http_client(headers=headers | more.pop("headers", {})) as http:
        transport = streamable_http_client(f"{base}/mcp", http_client=http)
        async with Client(transport, mode=era, **more) as client:
            yield client
