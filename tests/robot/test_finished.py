"""What observers of the front hear of requests, and what requests are called."""

from __future__ import annotations

import re
from typing import Any

import pytest
import trio

from proxy.asgi import Message
from robot.finished import Face, Finished, Phase
from robot.front import Doors, Front
from robot.model import Agent, Scope, Visibility
from robot.tokens import create_token
from robot.underway import Underway, begin, name_of_request
from tests.mcp_message import tool_call
from tests.robot.front_host import front_host
from tests.robot.small_host import SmallHost

OWN_NAME = re.compile(r"[0-9a-f]{16}")


async def test_each_request_is_told_of_once_with_who_asked_and_what_came(host: SmallHost) -> None:
    wiki = await host.make_wiki("notes")
    secret, _ = await create_token(host.db, host.ada, wiki, "laptop", [Scope.READ])
    heard: list[Finished] = []
    async with front_host(host, heard.append) as front:
        async with front.client("https://notes.wiki.test", secret) as agent:
            page = await agent.get("/api/v1/pages/Home?secret=word")
            called = await agent.post(**tool_call("list_notes"))
        async with front.client() as somebody:
            landing, health = await somebody.get("/"), await somebody.get("/healthz")
        async with front.client("https://nowhere.wiki.test") as stranger:
            nothing = await stranger.get("/.git/info/refs")
    answers = (page, called, landing, health, nothing)
    assert [(one.face, one.status) for one in heard] == [
        (Face.REST, 200),
        (Face.MCP, 200),
        (Face.PLATFORM, 200),
        (Face.HEALTH, 200),
        (Face.GIT, nothing.status_code),
    ]
    assert [one.request_id for one in heard] == [answer.headers["x-request-id"] for answer in answers]
    assert [one.sent_bytes for one in heard] == [len(answer.content) for answer in answers]
    assert all(one.is_whole for one in heard)
    asked, call = heard[:2]
    assert isinstance(asked.actor, Agent)
    assert (asked.wiki, asked.actor.user.name, asked.path) == (wiki, "ada", "/api/v1/pages/Home")
    assert 0 < asked.phases[Phase.CONTENT] < asked.own_seconds <= asked.seconds
    assert call.phases[Phase.CONTENT] > 0, "it was known on the whole way through the SDK and in the thread"
    assert [one.wiki for one in heard[2:]] == [None] * 3


async def test_a_client_that_leaves_is_told_of_too(host: SmallHost) -> None:
    heard: list[Finished] = []

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"12345", "more_body": True})
        await trio.sleep_forever()

    async def receive() -> Message:
        await trio.sleep_forever()
        raise AssertionError

    async with front_host(host, heard.append) as running:
        running.front.open(Doors(*[endless] * 8))
        async with trio.open_nursery() as client:

            async def send(message: Message) -> None:
                await trio.lowlevel.checkpoint()
                if message["type"] == "http.response.body":
                    client.cancel_scope.cancel()

            client.start_soon(running.front, _scope(), receive, send)
    assert [(one.status, one.is_whole, one.sent_bytes) for one in heard] == [(200, False, 5)]


@pytest.mark.parametrize(
    ("peer", "given", "is_taken"),
    [
        ("127.0.0.1", [b"f3a1-of.the_proxy"], True),
        ("127.0.0.1", [b"short"], False),
        ("127.0.0.1", [b"x" * 65], False),
        ("127.0.0.1", [b"a-name-with\x1b[31m"], False),
        ("127.0.0.1", [b"first-name", b"second-name"], False),
        ("192.0.2.7", [b"f3a1-of.the_proxy"], False),
    ],
)
async def test_only_a_trusted_proxy_names_requests(
    host: SmallHost, peer: str, given: list[bytes], is_taken: bool
) -> None:
    heard: list[Finished] = []
    async with front_host(host, heard.append) as running:
        await _ask(running.front, _scope(peer, *given))
    if is_taken:
        assert heard[0].request_id.encode() == given[0]
    else:
        assert OWN_NAME.fullmatch(heard[0].request_id)


async def test_what_an_observer_gets_wrong_spoils_nothing(host: SmallHost, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Finished] = []

    def careless(finished: Finished) -> None:
        raise LookupError("careless")

    await host.make_wiki("open", visibility=Visibility.PUBLIC)
    async with front_host(host, careless, heard.append) as running, running.client() as client:
        answer = await client.get("/")
    assert (answer.status_code, len(heard)) == (200, 1)
    assert "careless" in caplog.text


async def test_what_a_request_began_is_not_the_requests_when_it_is_over(nursery: trio.Nursery) -> None:
    began, over, looked = trio.Event(), trio.Event(), trio.Event()
    named: list[str] = []

    async def outlive() -> None:
        named.append(name_of_request())
        began.set()
        await over.wait()
        named.append(name_of_request())
        looked.set()

    with begin(Underway("f3a1")):
        nursery.start_soon(outlive)
        await began.wait()
    over.set()
    await looked.wait()
    assert named == ["f3a1", ""]


def _scope(peer: str = "127.0.0.1", *names: bytes) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "client": (peer, 4711),
        "headers": [(b"host", b"wiki.test"), *((b"x-request-id", name) for name in names)],
    }


async def _ask(front: Front, scope: dict[str, Any]) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        await trio.lowlevel.checkpoint()

    await front(scope, receive, send)
