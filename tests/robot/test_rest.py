"""`/api/v1` as scripts see it: raw requests over a real server and a real wiki."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx2
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from robot.model import Visibility
from robot.rest.app import routable_path
from tests.robot.agent_doors import Doors, a_passage, open_doors, serving
from tests.robot.described import check_answer


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return open_doors(tmp_path)


@asynccontextmanager
async def script(doors: Doors, token: str | None = "writer") -> AsyncIterator[httpx2.AsyncClient]:
    """A script with that actor's token; each of its answers is held to the OpenAPI document."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def check(answer: httpx2.Response) -> None:
        await answer.aread()
        check_answer(doors.rest, answer)

    hooks = {"response": [check]}
    async with (
        serving(doors) as base,
        httpx2.AsyncClient(base_url=f"{base}/api/v1/", headers=headers, event_hooks=hooks) as client,
    ):
        yield client


async def test_a_page_from_put_to_patch(doors: Doors) -> None:
    async with script(doors) as http:
        made = await http.put("pages/Guides/Setup", json={"content": "---\ntags: [a]\n---\nHi [[Welcome]]"})
        assert made.status_code == 201
        put = made.json()
        assert put == {"name": "Setup", "path": "Guides/Setup", "revision": put["revision"], "created": True} | {
            "diff": put["diff"]
        }
        got = await http.get("pages/Guides/Setup.md")
        assert got.status_code == 200
        page = got.json()
        assert page["content"] == "---\ntags: [a]\n---\nHi [[Welcome]]"
        assert page["frontmatter"] == {"tags": ["a"]}
        assert page["links_to"] == ["Welcome"]
        assert page["linked_from"] == []
        assert page["revision"] == put["revision"] == page["last_commit"]["revision"]
        assert got.headers["etag"] == f'"{put["revision"]}"'
        patched = await http.patch(
            "pages/Guides/Setup",
            json={
                "revision": put["revision"][:7],
                "old_string": "Hi",
                "new_string": "Hello",
                "commit_message": "Greet",
            },
        )
        assert patched.status_code == 200
        assert "+Hello [[Welcome]]" in patched.json()["diff"]
        last = (await http.get("pages/Guides/Setup")).json()["last_commit"]
        assert last["message"].startswith("Greet")
        assert last["author"] == "Ada Lovelace (laptop)"
        old = await http.get("pages/Guides/Setup", params={"revision": put["revision"]})
        assert old.json()["content"] == page["content"]


async def test_a_tag_says_whether_a_page_is_still_the_same(doors: Doors) -> None:
    async with script(doors) as http:
        etag = (await http.get("pages/Welcome")).headers["etag"]
        same = await http.get("pages/Welcome", headers={"If-None-Match": etag})
        assert (same.status_code, same.content) == (304, b"")
        written = await http.put("pages/Welcome", json={"content": "Come in."}, headers={"If-Match": etag})
        assert written.status_code == 200
        late = await http.put("pages/Welcome", json={"content": "Go away."}, headers={"If-Match": etag})
        assert late.status_code == 409
        for odd in ("*", '"abc"', 'W/"x"', f"{etag}, {etag}"):
            answer = await http.put("pages/Welcome", json={"content": "No."}, headers={"If-Match": odd})
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_if_match")


async def test_of_many_writers_with_one_revision_one_wins(doors: Doors) -> None:
    statuses: list[int] = []
    async with script(doors) as http:
        revision = await doors.revision("Welcome")

        async def write(number: int) -> None:
            body = {"content": f"I am {number}", "revision": revision}
            answer = await http.put("pages/Welcome", json=body)
            statuses.append(answer.status_code)
            if answer.status_code == 409:
                assert answer.json()["code"] == "conflict"
                assert answer.json()["current_revision"] != revision

        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(write, number)
    assert sorted(statuses) == [200] + [409] * 7
    assert len(await doors.contents.run(doors.wiki, lambda content: content.history("Welcome", 50))) == 2


async def test_what_cannot_be_written_is_refused_in_json(doors: Doors) -> None:
    revision = await doors.revision("Welcome")
    edit = {"revision": revision, "old_string": "e", "new_string": "x"}
    cases: list[tuple[str, dict[str, Any], int, str]] = [
        ("PUT", {}, 422, "invalid_body"),
        ("PUT", {"content": 7}, 422, "invalid_body"),
        ("PUT", {"content": "x"}, 409, "revision_required"),
        ("PUT", {"content": "x", "revision": "abc"}, 422, "invalid_body"),
        ("PUT", {"content": "x", "revision": "0" * 40}, 409, "conflict"),
        ("PUT", {"content": "x" * 1_000_001, "revision": revision}, 413, "page_too_large"),
        ("PATCH", {**edit, "old_string": ""}, 422, "invalid_body"),
        ("PATCH", edit, 422, "edit_not_applicable"),
        ("PATCH", {**edit, "old_string": "zz"}, 422, "edit_not_applicable"),
        ("PATCH", {**edit, "new_string": "e"}, 422, "edit_not_applicable"),
        ("PATCH", {**edit, "revision": "1" * 40}, 409, "conflict"),
    ]
    async with script(doors) as http:
        for method, body, status, code in cases:
            answer = await http.request(method, "pages/Welcome", json=body)
            assert (answer.status_code, answer.json()["code"]) == (status, code), body.keys()
        ambiguous = await http.patch("pages/Welcome", json=edit)
        assert "ambiguous: found 2 occurrences" in ambiguous.json()["error"]
        assert (await http.patch("pages/No", json=edit)).json()["error"] == "Page not found: No"
        for content, kind, status in ((b"{", "application/json", 400), (b"{}", "text/plain", 415)):
            answer = await http.put("pages/Welcome", content=content, headers={"Content-Type": kind})
            assert answer.status_code == status
            assert answer.json()["error"]
        huge = await http.put(
            "pages/Welcome", content=b"x" * (8 * 1024 * 1024 + 1), headers={"Content-Type": "application/json"}
        )
        assert (huge.status_code, huge.json()["code"]) == (413, "body_too_large")
        surrogate = b'{"content": "\\ud800", "revision": "' + revision.encode() + b'"}'
        answer = await http.put("pages/Welcome", content=surrogate, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500
    assert await doors.text("Welcome") == "Welcome."


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("pages/No/Such", 404),
        ("pages/Welcome?revision=abc", 404),
        ("pages/Welcome?revision=--output=x", 404),
        (f"pages/Welcome?revision={'0' * 40}", 404),
        ("pages/%2e%2e%2fsecret", 422),
        ("pages/a%2f..%2fb", 422),
        ("pages/nul%00byte", 422),
        ("pages/.git%2fconfig", 422),
        ("pages/%ff", 404),
        ("pages?updated_since=yesterday", 422),
        ("search", 422),
        ("semantic-search?q=", 422),
        ("nothing", 404),
        ("", 404),
    ],
)
async def test_what_cannot_be_read_is_refused_in_json(doors: Doors, path: str, status: int) -> None:
    async with script(doors) as http:
        answer = await http.get(path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.json()) >= {"error", "code"}


async def test_a_wrong_method_is_refused_in_json(doors: Doors) -> None:
    async with script(doors) as http:
        for method, path in (("POST", "pages"), ("DELETE", "reindex/status"), ("POST", "pages/Welcome")):
            answer = await http.request(method, path)
            assert answer.status_code == 405
            assert answer.json()["code"] == "method_not_allowed"
            assert "GET" in answer.headers["allow"]


async def test_an_escaped_slash_belongs_to_the_name(doors: Doors) -> None:
    async with script(doors) as http:
        for name, written in (("Foo/history", "Foo%2Fhistory"), ("100% sure", "100%25%20sure"), ("a%2Fb", "a%252Fb")):
            assert (await http.put(f"pages/{written}", json={"content": "x"})).json()["path"] == name
            assert (await http.get(f"pages/{written}")).json()["path"] == name
        # With a plain slash it is the history of a page Foo, which there is not.
        assert (await http.get("pages/Foo/history")).json()["error"] == "Page not found: Foo"
        assert len((await http.get("pages/Foo%2Fhistory/history")).json()["history"]) == 1
        assert (await http.get("pages/a/b")).status_code == 404


@pytest.mark.parametrize(
    ("raw", "routable"),
    [
        (b"/api/v1/pages/A%2FB/history", "/api/v1/pages/A%2FB/history"),
        (b"/api/v1/pages/%41%20b", "/api/v1/pages/A b"),
        (b"/api/v1/pages/50%25", "/api/v1/pages/50%25"),
        (b"/api/v1/pages/%2e%2e/x", "/api/v1/pages/../x"),
        (b"/api%2Fv1/pages", "/api%2Fv1/pages"),
        (b"/api/v1/pages/%E6%97%A5", "/api/v1/pages/日"),
    ],
)
def test_a_path_is_decoded_segment_by_segment(raw: bytes, routable: str) -> None:
    assert routable_path(raw) == routable


@given(st.text(min_size=1))
def test_any_name_written_as_one_segment_comes_back_whole(name: str) -> None:
    path = routable_path(b"/api/v1/pages/" + quote(name, safe="").encode())
    segment = path.removeprefix("/api/v1/pages/")
    assert "/" not in segment
    assert unquote(segment) == name


async def test_lists_filter_and_go_on(doors: Doors) -> None:
    await doors.seed({"Ops/A": "---\ncategory: Ops\ntags: x, y\n---\none two", "Ops/B": "three"})
    async with script(doors) as http:
        everything = (await http.get("pages")).json()
        assert everything["total"] == 3
        assert everything["pages"][0] | {"last_updated": "", "revision": ""} == {
            "name": "A",
            "path": "Ops/A",
            "category": "Ops",
            "tags": ["x", "y"],
            "last_updated": "",
            "content_length": 2,
            "revision": "",
        }
        assert "cursor" not in everything
        filtered = (await http.get("pages", params={"prefix": "Ops/", "category": "ops", "tag": "X"})).json()
        assert [page["path"] for page in filtered["pages"]] == ["Ops/A"]
        part = (await http.get("pages", params={"limit": 2})).json()
        rest = (await http.get("pages", params={"limit": 2, "cursor": part["cursor"]})).json()
        assert [page["path"] for page in part["pages"] + rest["pages"]] == ["Ops/A", "Ops/B", "Welcome"]
        assert (await http.get("pages", params={"updated_since": "2100-01-01"})).json()["total"] == 0


async def test_searches_have_their_shapes(doors: Doors) -> None:
    doors.search.answers = (a_passage("Welcome", "Come in."),)
    async with script(doors) as http:
        found = (await http.get("search", params={"q": "welcome"})).json()
        assert (found["query"], found["total"], found["results"][0]["path"]) == ("welcome", 1, "Welcome")
        near = (await http.get("semantic-search", params={"q": "hi", "n": "many", "max_chunks_per_page": 9})).json()
        assert doors.search.asked == [("hi", 5, 5)]
        assert near["total"] == 1
        assert near["results"][0] | {"text": ""} == {
            "name": "Welcome",
            "path": "Welcome",
            "title": "Welcome",
            "text": "",
            "snippet": "Come in.",
            "distance": 0.25,
            "section": "Use",
            "section_path": "Welcome > Use",
            "first_line": None,
            "last_line": None,
            "url": "http://notes.robot.test/Welcome#use",
            "anchor": "use",
            "chunk_index": 0,
            "total_chunks": 2,
            "page_word_count": 32,
        }
        fresh = {"head": "f" * 40, "indexed_head": "f" * 40, "pages_waiting": 0, "note": None}
        assert {name: near[name] for name in fresh} == fresh
        head = await doors.contents.run(doors.wiki, lambda content: content.head())
        assert {name: found[name] for name in fresh} == fresh | {"head": head, "indexed_head": head}
        section = {
            "name": "Welcome",
            "path": "Welcome",
            "url": "http://notes.robot.test/Welcome#use",
            "snippet": "Come in.",
            "score": 0.5,
            "section": "Use",
            "section_path": "Welcome > Use",
            "anchor": "use",
            "highlights": [],
            "first_line": 3,
            "last_line": 4,
        }
        both = (await http.get("find", params={"q": "hi"})).json()
        assert both == {"query": "hi", "results": [section], "total": 1, "mode": "hybrid", **fresh}
        alike = (await http.get("pages/Notes/Deep/similar")).json()
        assert alike == {"path": "Notes/Deep", "results": [section], "total": 1, **fresh}


async def test_a_reindex_is_started_once_and_told_of(doors: Doors) -> None:
    async with script(doors) as http:
        assert (await http.get("reindex/status")).json()["status"] == "idle"
        started = await http.post("reindex")
        assert (started.status_code, started.json()) == (202, {"status": "started"})
        assert started.headers["location"] == "/api/v1/reindex/status"
        again = await http.post("reindex")
        assert (again.status_code, again.json()["error"]) == (409, "Reindex already in progress")
        status = (await http.get("reindex/status")).json()
        assert status["status"] == "in_progress"
        assert status["started_at"] == "2026-01-01T00:00:00+00:00"


READS = [("GET", "pages"), ("GET", "pages/Welcome"), ("GET", "search?q=x"), ("GET", "reindex/status")]
WRITES = [("PUT", "pages/New"), ("PATCH", "pages/Welcome"), ("POST", "reindex")]


@pytest.mark.parametrize(
    ("visibility", "token", "read", "write"),
    [
        (Visibility.PRIVATE, None, 401, 401),
        (Visibility.PRIVATE, "stranger", 403, 403),
        (Visibility.PRIVATE, "reader", 200, 403),
        (Visibility.PRIVATE, "viewer", 200, 403),
        (Visibility.PUBLIC, None, 200, 401),
        (Visibility.UNLISTED, None, 200, 401),
    ],
)
async def test_who_may(tmp_path: Path, visibility: Visibility, token: str | None, read: int, write: int) -> None:
    async with script(open_doors(tmp_path, visibility), token) as http:
        assert (await http.get("health")).json() == {"status": "ok"}
        for method, path in READS:
            assert (await http.request(method, path)).status_code == read, path
        for method, path in WRITES:
            answer = await http.request(method, path, json={"content": "x"})
            assert answer.status_code == write, path
            assert ("www-authenticate" in answer.headers) is (write == 401)
            assert answer.headers["content-type"] == "application/json"


async def test_a_failure_of_ours_is_json_too(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(doors.search, "start_reindex", broken)
    async with script(doors) as http:
        answer = await http.post("reindex")
        assert answer.status_code == 500
        assert answer.json()["code"] == "internal_error"
        assert "secret" not in json.dumps(answer.json())
