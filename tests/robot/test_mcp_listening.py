"""Streams of events: what is told of whom, and how streams end."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
from mcp.client.subscriptions import Subscription
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated, ServerEvent, ToolsListChanged

from robot.mcp import listening
from robot.mcp.subscription import MAX_PAGES
from robot.model import Agent, Anonymous, Scope
from tests.robot.agent_doors import ACTORS, AUTHOR, Doors, an_agent, connected, open_doors, serving

PATIENCE_S = 10
HEADERS = {
    "Accept": "application/json, text/event-stream",
    "Authorization": "Bearer writer",
    "Content-Type": "application/json",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "subscriptions/listen",
}


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return open_doors(tmp_path, keep_alive_s=0.3)


def wish(*pages: str, **more: Any) -> dict[str, Any]:
    """A request to listen, as a client sends it."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    wanted = {"resourceSubscriptions": list(pages), **more}
    params = {"notifications": wanted, "_meta": meta}
    return {"jsonrpc": "2.0", "id": "s1", "method": "subscriptions/listen", "params": params}


@asynccontextmanager
async def heard_by(doors: Doors, token: str, **wanted: Any) -> AsyncIterator[Subscription]:
    """The stream of the SDK's own client."""
    async with serving(doors) as base, connected(base, token) as client, client.listen(**wanted) as stream:
        yield stream


async def until(met: Callable[[], object]) -> None:
    """Wait for what the other side does in its own time."""
    with trio.fail_after(PATIENCE_S):
        while not met():  # noqa: ASYNC110  (nobody tells)
            await trio.sleep(0.01)


async def hear(stream: Subscription, *expected: ServerEvent) -> None:
    """Wait until all of these, and nothing else, were heard."""
    heard: set[ServerEvent] = set()
    with trio.fail_after(PATIENCE_S):
        while len(heard) < len(expected):
            heard.add(await anext(stream))
    assert heard == set(expected)


async def hear_the_end(stream: Subscription) -> None:
    with trio.fail_after(PATIENCE_S), pytest.raises(StopAsyncIteration):
        await anext(stream)


def updated(name: str) -> ResourceUpdated:
    return ResourceUpdated(f"wiki://notes/page/{name}")


async def test_changes_are_told_whatever_door_they_came_through(doors: Doors, tmp_path: Path) -> None:
    follow = ["wiki://notes/page/Welcome", "wiki://notes/page/Log"]
    async with serving(doors) as base, connected(base) as client, connected(base, "reader") as reader:
        listen = reader.listen(resource_subscriptions=follow, resources_list_changed=True)
        async with listen as stream:
            await client.call_tool("write_note", {"path": "Log", "content": "one"})
            await hear(stream, updated("Log"), ResourcesListChanged())
            async with httpx2.AsyncClient(headers={"Authorization": "Bearer writer"}) as http:
                revision = await doors.revision("Log")
                change = {"content": "two", "revision": revision}
                assert (await http.put(f"{base}/api/v1/pages/Log", json=change)).status_code == 200
            await hear(stream, updated("Log"))
            await doors.contents.change(
                doors.wiki, lambda content: content.rename_page("Welcome", "Start", author=AUTHOR)
            )
            await hear(stream, updated("Welcome"), ResourcesListChanged())
            commit_with_git(tmp_path, "Log")
            doors.contents.changed(doors.wiki.id)  # as after a push, and when a worker saved
            await hear(stream, updated("Log"))
            commit_with_git(tmp_path, "Log", "four")  # as `robot import` on the same machine, which tells nobody
            await hear(stream, updated("Log"))


def commit_with_git(root: Path, name: str, text: str = "three") -> None:
    repo = next(root.glob("**/.git")).parent
    (repo / f"{name}.md").write_text(text)
    author = ["-c", "user.name=g", "-c", "user.email=g@robot.test"]
    subprocess.run(["git", *author, "commit", "-qam", "by git"], cwd=repo, check=True)


async def test_a_stream_says_what_it_will_tell(doors: Doors) -> None:
    async with serving(doors) as base, connected(base) as client:
        pages = ["wiki://notes/page/On_Call", "wiki://notes/page/On%20Call", "wiki://other/page/Home", "file:///x"]
        async with client.listen(
            resource_subscriptions=[*pages, "wiki://notes/attachment/Home/a.png"], prompts_list_changed=True
        ) as stream:
            assert stream.honored.resource_subscriptions == pages[:2]
            assert stream.honored.prompts_list_changed is None
            assert stream.honored.resources_list_changed is None
            await doors.seed({"On Call": "x"})
            await hear(stream, ResourceUpdated(pages[0]), ResourceUpdated(pages[1]))


async def test_a_confined_credential_hears_of_its_folder_only(doors: Doors) -> None:
    agent = ACTORS["reader"]
    assert isinstance(agent, Agent)
    doors.actors["confined"] = replace(agent, credential=replace(agent.credential, prefix="Team/"))
    pages = ["wiki://notes/page/Secret", "wiki://notes/page/Team/Plan"]
    async with heard_by(doors, "confined", resource_subscriptions=pages, resources_list_changed=True) as stream:
        assert stream.honored.resource_subscriptions == pages[1:]
        await doors.seed({"Secret": "x"})
        await trio.sleep(2 * listening.GATHER_S)  # or both would be told together
        await doors.seed({"Team/Plan": "x"})
        await hear(stream, updated("Team/Plan"), ResourcesListChanged())
        with trio.move_on_after(2 * listening.GATHER_S) as silence:
            await anext(stream)
        assert silence.cancelled_caught


async def test_a_stream_ends_with_what_let_it_in(doors: Doors) -> None:
    async with heard_by(doors, "writer", resources_list_changed=True) as stream:
        doors.actors["writer"] = Anonymous()
        await hear_the_end(stream)


async def test_nothing_is_told_after_a_credential_is_revoked(doors: Doors) -> None:
    async with heard_by(doors, "writer", resources_list_changed=True) as stream:
        doors.actors["writer"] = an_agent(Scope.READ, wiki_id="w2")
        await doors.seed({"Secret": "x"})
        heard = [event async for event in stream]
    assert heard == []


async def test_other_rights_are_other_tools(doors: Doors) -> None:
    async with heard_by(doors, "writer", tools_list_changed=True) as stream:
        doors.actors["writer"] = ACTORS["reader"]
        await hear(stream, ToolsListChanged())
        doors.wiki = replace(doors.wiki, is_frozen=True)
        doors.actors["writer"] = ACTORS["writer"]
        with trio.move_on_after(0.7) as silence:
            await anext(stream)
        assert silence.cancelled_caught
        doors.wiki = replace(doors.wiki, is_frozen=False)
        await hear(stream, ToolsListChanged())


async def test_more_than_can_be_looked_through_may_be_anything(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "MAX_COMMITS", 2)
    pages = ["wiki://notes/page/Welcome"]
    async with heard_by(doors, "writer", resource_subscriptions=pages, resources_list_changed=True) as stream:
        await doors.seed({f"Page {number}": "x" for number in range(4)})
        await hear(stream, updated("Welcome"), ResourcesListChanged())


async def test_streams_and_their_pages_are_counted(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "MAX_STREAMS_OF_WIKI", 2)
    many = [f"wiki://notes/page/{number}" for number in range(MAX_PAGES + 1)]
    async with serving(doors) as base, connected(base) as client:
        with pytest.raises(MCPError, match="at most 100 resources"):
            async with client.listen(resource_subscriptions=many):
                pass
        async with client.listen(resource_subscriptions=many[1:]), client.listen():
            with pytest.raises(MCPError, match="Too many streams"):
                async with client.listen():
                    pass
        await until(lambda: not doors.listening.open_streams)  # the client closes in the background
        async with client.listen():
            pass


async def test_a_silent_stream_is_kept_alive(doors: Doors) -> None:
    async with serving(doors) as base, listening_raw(base) as lines:
        with trio.fail_after(PATIENCE_S):
            while await anext(lines) != ": still here":
                pass


async def test_a_stream_is_only_for_those_who_can_take_it(doors: Doors) -> None:
    async with serving(doors) as base, create_mcp_http_client(headers=HEADERS) as http:
        refused = [
            ({"Accept": "application/json"}, 406, None),
            ({"Mcp-Method": "tools/list"}, 400, -32020),
            ({"MCP-Protocol-Version": "2025-11-25"}, 200, -32601),
            ({"MCP-Protocol-Version": "2027-01-01"}, 400, -32020),
            ({"Authorization": ""}, 401, None),
        ]
        for headers, status, code in refused:
            answer = await http.post(f"{base}/mcp", json=wish(), headers=headers)
            assert answer.status_code == status, headers
            if code is not None:
                assert answer.json()["error"]["code"] == code
        answer = await http.post(f"{base}/mcp", json={**wish(), "method": "tools/list"})
        assert answer.json()["error"]["code"] == -32020
        answer = await http.post(f"{base}/mcp", json=wish(resourceSubscriptions="all"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)


@asynccontextmanager
async def listening_raw(base: str) -> AsyncIterator[AsyncIterator[str]]:
    message = wish(resourcesListChanged=True)
    http = httpx2.AsyncClient(headers=HEADERS, timeout=PATIENCE_S)
    async with http, http.stream("POST", f"{base}/mcp", json=message) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["cache-control"] == "no-cache, no-transform"
        yield answer.aiter_lines()


class Exchange:
    """One request to listen without a network: the client's side can stop taking, and leave."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._inbox, self._requests = trio.open_memory_channel[dict[str, Any]](2)
        self.taken, self.taking = b"", trio.Event()
        self.began, self.is_complete = trio.Event(), False

    async def run(self) -> None:
        headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": "/mcp",
            "query_string": b"",
            "headers": headers,
        }
        scope["robot.request"] = self._doors.request_of(scope)
        body = json.dumps(wish("wiki://notes/page/Welcome", resourcesListChanged=True)).encode()
        self._inbox.send_nowait({"type": "http.request", "body": body, "more_body": False})
        await self._doors.mcp(scope, self._requests.receive, self._send)

    async def _send(self, message: Any) -> None:
        self.began.set()
        await self.taking.wait()
        self.taken += message.get("body", b"")
        self.is_complete = message["type"] == "http.response.body" and not message["more_body"]

    def leave(self) -> None:
        self._inbox.send_nowait({"type": "http.disconnect"})

    @property
    def messages(self) -> list[dict[str, Any]]:
        events = [part.partition(b"data: ")[2] for part in self.taken.split(b"\r\n\r\n")]
        return [json.loads(data) for data in events if data]


async def test_a_client_that_reads_nothing_costs_nothing_more(doors: Doors) -> None:
    client = Exchange(doors)
    async with trio.open_nursery() as nursery:
        await nursery.start(doors.run_mcp)
        nursery.start_soon(client.run)
        await client.began.wait()
        for number in range(5):
            revision = await doors.revision("Welcome")
            await doors.contents.change(
                doors.wiki,
                lambda content: content.write_page("Welcome", str(number), base=revision, author=AUTHOR),  # noqa: B023
            )
            await trio.sleep(listening.GATHER_S)
        client.taking.set()
        await until(lambda: len(client.messages) > 1)
        await trio.sleep(2 * listening.GATHER_S)
        told = [message["method"] for message in client.messages]
        # It went on as soon as the first was taken, so the last change may have been told on its own.
        assert told[0] == "notifications/subscriptions/acknowledged"
        assert told[1:] in (["notifications/resources/updated"], ["notifications/resources/updated"] * 2)
        client.leave()
        await until(lambda: not doors.listening.open_streams)
        nursery.cancel_scope.cancel()


async def test_a_stream_ends_with_its_answer_when_robot_stops(doors: Doors) -> None:
    client = Exchange(doors)
    client.taking.set()
    async with trio.open_nursery() as requests, trio.open_nursery() as robot:
        await robot.start(doors.run_mcp)
        requests.start_soon(client.run)
        await until(lambda: client.messages)
        robot.cancel_scope.cancel()
    last = client.messages[-1]
    assert client.is_complete
    assert last["id"] == "s1"
    assert last["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == "s1"
    assert last["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "Field Notes"
