"""Promises of the REST API that no single route keeps: what strangers see, conflicts, odd pages, large files."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from robot.model import Visibility
from robot.rest.bodies import IN_MEMORY_BYTES
from tests.robot.agent_doors import Doors, open_doors
from tests.robot.test_rest import script
from wikihost.attachments import MAX_ATTACHMENT_BYTES
from wikihost.layout import DataDir

FILES = "pages/Welcome/attachments"
ETAG_OF_NOTHING = f'"{"0" * 40}"'


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return open_doors(tmp_path)


async def test_a_conflict_gives_the_other_text(doors: Doors) -> None:
    first = await doors.revision("Welcome")
    async with script(doors) as http:
        await http.put("pages/Welcome", json={"content": "theirs", "revision": first})
        now = await doors.revision("Welcome")
        edit = {"old_string": "Welcome", "new_string": "Hi"}
        for method, path, body in (
            ("PUT", "pages/Welcome", {"content": "mine"}),
            ("PATCH", "pages/Welcome", edit),
            ("DELETE", "pages/Welcome", {}),
            ("POST", "pages/Welcome/rename", {"new_path": "Home"}),
        ):
            answer = await http.request(method, path, json={**body, "revision": first})
            assert answer.status_code == 409, method
            assert answer.json()["current_text"] == "theirs"
            assert answer.json()["current_revision"] == now
        differing = await http.put(
            "pages/Welcome", json={"content": "mine", "revision": first}, headers={"If-Match": f'"{now}"'}
        )
        assert (differing.status_code, differing.json()["code"]) == (409, "conflict")
    assert await doors.text("Welcome") == "theirs"


async def test_a_kept_conflict_is_no_empty_text(doors: Doors) -> None:
    await doors.seed({"Long": "x" * 70_000})
    async with script(doors) as http:
        stale = {"content": "y", "revision": "0" * 40}
        answers = [await http.put("pages/Long", json=stale, headers={"Idempotency-Key": "k"}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [409, 409]
        assert len(answers[0].json()["current_text"]) == 70_000
        assert "current_text" not in answers[1].json()


async def test_what_an_address_takes_is_told_to_anybody(doors: Doors) -> None:
    async with script(doors, token=None) as http:
        for path, allowed in (
            ("pages", "GET, HEAD, OPTIONS"),
            ("pages/Welcome", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
            ("pages/No/Such", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
            ("reindex", "DELETE, OPTIONS, POST"),
        ):
            answer = await http.request("OPTIONS", path)
            assert (answer.status_code, answer.headers["allow"], answer.content) == (204, allowed, b"")
        assert (await http.request("OPTIONS", "nothing")).status_code == 401


async def test_a_wrong_method_is_told_the_right_ones(doors: Doors) -> None:
    async with script(doors) as http:
        assert (await http.request("OPTIONS", "nothing")).status_code == 404
        assert (await http.request("PATCH", "reindex")).headers["allow"] == "DELETE, OPTIONS, POST"


async def test_head_is_get_without_a_body(doors: Doors) -> None:
    async with script(doors) as http:
        for path in ("health", "pages", "pages/Welcome", "pages/No", "links", "openapi.json", "search"):
            asked, got = await http.head(path), await http.get(path)
            assert (asked.status_code, asked.content) == (got.status_code, b"")
            assert asked.headers["content-length"] == got.headers["content-length"]
            assert asked.headers.get("etag") == got.headers.get("etag")


async def test_a_tag_may_be_one_of_many(doors: Doors) -> None:
    async with script(doors) as http:
        tag = (await http.get("pages/Welcome")).headers["etag"]
        for known in (tag, f"W/{tag}", f"{ETAG_OF_NOTHING}, {tag}", "*"):
            assert (await http.get("pages/Welcome", headers={"If-None-Match": known})).status_code == 304
        assert (await http.get("pages/Welcome", headers={"If-None-Match": ETAG_OF_NOTHING})).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "pages?sort=size",
        "pages?orphans=yes",
        "pages?limit=2&limit=3",
        "pages?updated_since=x",
        "search?q=%20",
        "find?q=%1D",
    ],
)
async def test_a_parameter_that_cannot_be_is_refused(doors: Doors, query: str) -> None:
    async with script(doors) as http:
        answer = await http.get(query)
        assert (answer.status_code, answer.json()["code"].endswith("_parameter")) == (422, True)


@pytest.mark.parametrize("flag", ["dry_run", "dry_run=", "dry_run=please", "dry_run=1&dry_run=0", "dry_run=yes"])
async def test_a_misspelt_dry_run_writes_nothing(doors: Doors, flag: str) -> None:
    async with script(doors) as http:
        for method, path, body in (("PUT", "pages/New", {"content": "x"}), ("DELETE", "pages/Welcome", None)):
            answer = await http.request(method, f"{path}?{flag}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
        assert (await http.get("pages")).json()["total"] == 1


ODD = {
    "Number": "---\ntitle: 42\ncategory: 7\ntags: [2026, null, true, 1.5]\n---\n[[Welcome]] odd",
    "Date": "---\ncategory: 2026-01-31\nwhen: 2026-12-01\nat: 2026-12-01T10:00:00+02:00\ntags: 2026-02-03\n---\nodd",
    "Shapes": "---\ntags: {a: 1, b: [c]}\ncategory: [x, {y: z}]\ntitle: {a: b}\n---\nodd",
    "Not a number": "---\nx: .nan\ny: .inf\nz: -.inf\nbig: 123456789012345678901234567890\n---\nodd",
    "No character": '---\ntitle: "\\ud800"\nx: "\\udfff"\ncategory: "\\ud800"\ntags: ["\\ud800"]\n---\nodd',
    "Bytes": "---\nx: !!binary aGk=\ns: !!set {a, b}\n? [1, 2]\n: pair\n---\nodd",
    "Alias": "---\na: &a [1]\nb: *a\nc: &c [*c]\n---\nodd",
    "Broken": "---\na: [1\n---\nodd",
    "Redirected": "---\nredirect: [1]\n---\nodd",
}


async def test_odd_frontmatter_breaks_nothing(doors: Doors) -> None:
    await doors.seed(ODD)
    async with script(doors) as http:
        listed = (await http.get("pages")).json()
        assert {page["path"] for page in listed["pages"]} == {*ODD, "Welcome"}
        for name, text in ODD.items():
            page = (await http.get(f"pages/{name}")).json()
            assert page["content"] == text, name
            json.dumps(page, allow_nan=False)
        assert (await http.get("pages/Date")).json()["frontmatter"] | {"tags": 0, "category": 0} == {
            "category": 0,
            "when": "2026-12-01",
            "at": "2026-12-01T10:00:00+02:00",
            "tags": 0,
        }
        assert (await http.get("pages/Broken")).json()["frontmatter"] is None
        for query in (
            "category=7",
            "tag=2026",
            "tag=true",
            "prefix=N",
            "orphans=1",
            "sort=updated",
            "updated_since=2020-01-01",
        ):
            assert (await http.get(f"pages?{query}")).json()["total"] >= 1, query
        assert (await http.get("search", params={"q": "odd"})).json()["total"] == len(ODD)
        assert (await http.get("links")).status_code == 200


async def test_an_empty_filter_is_none_and_an_empty_guard_is_refused(doors: Doors) -> None:
    async with script(doors) as http:
        query = "prefix=&category=&tag=&updated_since=&limit=&cursor="
        assert (await http.get(f"pages?{query}")).json()["total"] == 1
        await http.put(f"{FILES}/f", content=b"x")
        for method, path in (("DELETE", "pages/Welcome"), ("PUT", f"{FILES}/f"), ("DELETE", f"{FILES}/f")):
            answer = await http.request(method, f"{path}?revision=")
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter"), path
        assert (await http.get(f"{FILES}/f")).status_code == 200


@pytest.mark.parametrize("path", ["changelog", "pages/Welcome/history"])
async def test_a_cursor_of_another_list_is_refused(doors: Doors, path: str) -> None:
    async with script(doors) as http:
        for cursor in ("0" * 40, "Welcome", "abcdef0"):
            answer = await http.get(path, params={"cursor": cursor})
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


async def test_orphans_in_one_call(doors: Doors) -> None:
    await doors.seed(
        {
            "Home": "[[Hub]]",
            "Hub": "[[On_Call]] [[Hub]]",
            "On Call": "a page",
            "Alone": "links to itself: [[Alone]], and to [[Hub]]",
            "Gone": "---\nredirect: Hub\n---\n",
        }
    )
    async with script(doors) as http:
        found = (await http.get("pages?orphans=1")).json()
        assert [page["path"] for page in found["pages"]] == ["Alone", "Welcome"]
        assert (await http.get("pages?orphans=1&prefix=A")).json()["total"] == 1
        assert (await http.get("pages?orphans=0")).json()["total"] == 6


async def test_reindex_can_be_cancelled_and_its_health_asked(tmp_path: Path) -> None:
    doors = open_doors(tmp_path, Visibility.PUBLIC)
    async with script(doors) as http:
        await http.post("reindex")
        assert (await http.delete("reindex")).json() == {"status": "cancelled"}
        assert (await http.delete("reindex")).json() == {"status": "idle"}
        assert (await http.post("reindex")).status_code == 202
        assert (await http.get("chroma-status")).json() == {
            "status": "ok",
            "backend_type": "faiss",
            "collection": "notes",
            "document_count": 2,
        }


async def test_who_may_ask_for_the_health_of_the_index(tmp_path: Path) -> None:
    async with script(open_doors(tmp_path, Visibility.PUBLIC), token=None) as http:
        assert (await http.get("reindex/status")).status_code == 200
        assert (await http.get("chroma-status")).status_code == 401
        assert (await http.delete("reindex")).status_code == 401


async def test_a_part_of_a_file(doors: Doors) -> None:
    data = os.urandom(IN_MEMORY_BYTES + 1000)
    async with script(doors) as http:
        etag = (await http.put(f"{FILES}/f.bin", content=data)).headers["etag"]
        file = f"{FILES}/f.bin?raw=1"
        for asked, wanted in (("0-9", data[:10]), ("100000-", data[100_000:]), ("-7", data[-7:])):
            part = await http.get(file, headers={"Range": f"bytes={asked}", "If-Range": etag})
            assert (part.status_code, part.content) == (206, wanted)
            assert part.headers["content-range"].endswith(f"/{len(data)}")
        beyond = await http.get(file, headers={"Range": "bytes=99999999-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(data)}")
        for headers in (
            {"Range": "lines=1-2"},
            {"Range": "bytes=0-1,3-4"},
            {"Range": "bytes=0-1", "If-Range": '"old"'},
        ):
            assert (await http.get(file, headers=headers)).content == data
        assert (await http.get(f"{FILES}/f.bin", headers={"Range": "bytes=0-1"})).json()["size"] == len(data)


async def test_a_file_is_whole_however_it_arrives(doors: Doors, tmp_path: Path) -> None:
    data = os.urandom(MAX_ATTACHMENT_BYTES)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 700_000):
            yield data[start : start + 700_000]

    async def one_more() -> AsyncIterator[bytes]:
        async for piece in pieces():
            yield piece
        yield b"x"

    async with script(doors) as http:
        assert (await http.put(f"{FILES}/f.bin", content=pieces(), timeout=30)).status_code == 201
        assert (await http.get(f"{FILES}/f.bin?raw=1", timeout=30)).content == data
        assert base64.b64decode((await http.get(f"{FILES}/f.bin", timeout=30)).json()["content"]) == data
        refused = await http.put(f"{FILES}/g.bin", content=one_more(), timeout=30)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_attachment")
    assert [name for name in os.listdir(tmp_path) if name != "wikis"] == []


async def test_an_answer_names_no_file_of_the_machine(doors: Doors, tmp_path: Path) -> None:
    """What git or the disk said is for the operator's log."""
    async with script(doors) as http:
        (DataDir(tmp_path).wiki("w1").git_dir / "HEAD").unlink()
        broken = await http.get("pages/Welcome")
        assert (broken.status_code, broken.json()["code"]) == (500, "storage_failed")
        assert "/" not in broken.json()["error"]
