"""Every error that a person meets: what happened, what to do next, and by what the operator finds it."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.asgi import App, Message, Receive, Scope, Send
from proxy.hosts import WikiHost
from robot.db import DatabaseBusy
from robot.front import Doors, Front, missing_wiki
from robot.logs import TextFormatter
from robot.model import Anonymous, Person, Visibility, WikiRequest
from robot.pages import WikiPages
from robot.raw_pages import RawPages
from robot.web.answers import error_page
from robot.web.errors import render_error, waiting_time
from tests.robot.front_host import FrontHost, front_host
from tests.robot.small_host import ADDRESS, SmallHost
from wikihost.layout import DataDir

STATUSES = (400, 403, 404, 405, 408, 409, 410, 413, 421, 429, 500, 502, 503, 504, 507)
PLATFORM = ADDRESS.platform_origin
BROWSER = {"Accept": "text/html"}


def told_id(page: str) -> str:
    found = re.search(r"<code>([0-9a-f]{16})</code>", page)
    return found[1] if found else ""


@pytest.fixture
async def front(host: SmallHost) -> AsyncIterator[FrontHost]:
    async with front_host(host) as running:
        yield running


@pytest.mark.parametrize("status", STATUSES)
def test_each_says_what_happened_and_what_to_do(status: int) -> None:
    page = render_error(status, "A <b>title</b>", "A & sentence.", request_id="0123456789abcdef").decode()
    assert "A &lt;b&gt;title&lt;/b&gt;" in page
    assert "A &amp; sentence." in page
    assert f">{status}<" in page
    assert '<p class="quiet">' in page, "a next step"
    assert 'href="/"' in page
    assert (told_id(page) != "") == (status >= 500)
    assert not re.search(r"<(script|link|img)\b", page)


def test_when_to_try_again_is_said() -> None:
    page = render_error(429, "Too often", "You searched too often.", wait_s=59.2).decode()
    assert "Try again in 60 seconds." in page
    assert "Try again in 2 minutes." in render_error(429, "Too often", "You did.", wait_s=61).decode()


@given(st.floats(0, 100_000))
def test_nobody_is_told_to_come_back_too_soon(wait_s: float) -> None:
    said = re.fullmatch(r"in (a|\d+) (second|minute|hour)s?", waiting_time(wait_s))
    assert said
    count, length_s = said[1], {"second": 1, "minute": 60, "hour": 3_600}[said[2]]
    told_s = (1 if count == "a" else int(count)) * length_s
    assert wait_s <= told_s <= max(1, math.ceil(wait_s)) + length_s


async def test_the_front_answers_browsers_with_pages(front: FrontHost) -> None:
    asked: list[tuple[str, str, dict[str, str], int]] = [
        ("http://elsewhere.example", "/", {}, 421),
        (f"http://a.b.{ADDRESS.domain}", "/", {}, 404),
        (PLATFORM, "/%61uth/login", {}, 400),
        (PLATFORM, "/app/", {"Content-Length": str(10**9)}, 413),
    ]
    for origin, path, headers, status in asked:
        async with front.client(origin) as client:
            answer = await client.get(path, headers=BROWSER | headers)
            assert (origin, answer.status_code) == (origin, status)
            assert_is_page(answer)
            program = await client.get(path, headers={"Accept": "*/*"} | headers)
            assert (program.status_code, "<html" in program.text) == (status, False)
    async with front.client() as client:
        crossed = await client.post("/auth/logout", headers=BROWSER | {"Sec-Fetch-Site": "cross-site", "Cookie": "a=b"})
        assert crossed.status_code == 403
        assert_is_page(crossed)
        front.front.drain()
        stopping = await client.get("/", headers=BROWSER)
    assert (stopping.status_code, stopping.headers["retry-after"]) == (503, "2")
    assert_is_page(stopping)


def assert_is_page(answer: httpx2.Response) -> None:
    assert answer.headers["content-type"].startswith("text/html")
    assert '<p class="quiet">' in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert (told_id(answer.text) != "") == (answer.status_code >= 500)


def opened(front: Front, door: App) -> None:
    front.open(Doors(*[door] * 8))


async def test_what_breaks_a_door_is_found_in_the_log(front: FrontHost, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("nobody thought of this")

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        raise DatabaseBusy("locked")

    caplog.handler.setFormatter(TextFormatter(for_journal=True))
    for door, status in ((broken, 500), (busy, 503)):
        caplog.clear()
        opened(front.front, door)
        async with front.client() as client:
            answer = await client.get("/", headers=BROWSER)
            program = await client.get("/", headers={"Accept": "application/json"})
        assert (answer.status_code, program.status_code) == (status, status)
        assert "thought" not in answer.text + program.text
        assert_is_page(answer)
        assert f"request={told_id(answer.text)}:" in caplog.text
        assert set(program.json()) == {"error", "code"}


async def test_what_breaks_a_page_of_the_platform_is_found_in_the_log(
    host: SmallHost, caplog: pytest.LogCaptureFixture
) -> None:
    @host.platform.get("/breaks")
    async def breaks() -> str:
        raise RuntimeError("nobody thought of this")

    @host.platform.get("/waits")
    async def waits() -> Any:
        return error_page(429, "Too often", "You asked too often.", wait_s=7.2)

    caplog.handler.setFormatter(TextFormatter(for_journal=True))
    async with front_host(host) as running, running.client() as client:
        with caplog.at_level(logging.ERROR):
            answer = await client.get("/breaks", headers=BROWSER)
        waited, missing = await client.get("/waits"), await client.get("/nowhere")
    assert (answer.status_code, told_id(answer.text)) == (500, answer.headers["x-request-id"])
    assert f"request={told_id(answer.text)}: the request failed" in caplog.text
    assert (waited.status_code, waited.headers["retry-after"]) == (429, "8")
    assert "in 8 seconds" in waited.text
    assert (missing.status_code, told_id(missing.text)) == (404, "")


async def test_a_private_wiki_and_a_missing_one_are_the_same_byte_for_byte(host: SmallHost, tmp_path: Path) -> None:
    private = await host.make_wiki("notes", visibility=Visibility.PRIVATE)
    nothing = cast("Any", None)
    pages = WikiPages(nothing, nothing, DataDir(tmp_path), ADDRESS, nothing)
    door = RawPages(host.contents, cast(App, pages))
    for actor in (Anonymous(), Person(host.eve, None)):
        for path in ("/", "/Home", "/Home.md", "/llms.txt", "/robots.txt"):
            seen = []
            for number, wiki in enumerate((private, missing_wiki(WikiHost("notes")))):
                request = WikiRequest(wiki, actor, "http://notes.wiki.test", f"{number:016x}")
                seen.append(await seen_at(door, path, request))
            assert seen[0] == seen[1], path


async def seen_at(door: App, path: str, request: WikiRequest) -> list[object]:
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"accept", b"text/html")], "robot.request": request,
    }  # fmt: skip
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    await door(scope, receive, send)
    head = sent[0]
    fields = sorted(field for field in head["headers"] if field[0] != b"x-request-id")
    return [head["status"], fields, b"".join(message.get("body", b"") for message in sent[1:])]
