"""Files of pages over REST: strict, bounded, and never a way out of their page's folder."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import pytest
import trio

from tests.robot.agent_doors import Doors, open_doors
from tests.robot.test_rest import script
from tests.robot.test_rest_moving import head
from tests.wikihost.wikis import assert_sound
from wikihost.layout import DataDir

FILES = "pages/Welcome/attachments"
LIMIT = 10 * 1024 * 1024


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return open_doors(tmp_path)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_a_file_from_upload_to_removal(doors: Doors, tmp_path: Path) -> None:
    data = bytes(range(256)) * 600
    async with script(doors) as http:
        made = await http.post(FILES, json={"filename": "plan ü.png", "content": b64(data), "commit_message": "Plan"})
        assert made.status_code == 201
        assert made.json() == {
            "filename": "plan ü.png",
            "path": "Welcome",
            "size": len(data),
            "mime_type": "image/png",
            "created": True,
            "revision": await head(doors),
        }
        listed = (await http.get(FILES)).json()
        assert (listed["path"], listed["total"]) == ("Welcome", 1)
        entry = listed["attachments"][0]
        assert (entry["filename"], entry["size"], entry["mime_type"]) == ("plan ü.png", len(data), "image/png")
        file = f"{FILES}/{quote('plan ü.png')}"
        got = (await http.get(file)).json()
        assert base64.b64decode(got["content"]) == data
        raw = await http.get(f"{file}?raw=1")
        assert raw.content == data
        assert raw.headers["content-type"] == "image/png"
        assert raw.headers["content-length"] == str(len(data))
        assert raw.headers["content-disposition"].startswith("inline")
        assert raw.headers["etag"] == f'"{got["revision"]}"'
        assert (await http.get(f"{file}?raw=1", headers={"If-None-Match": raw.headers["etag"]})).status_code == 304
        same = await http.put(file, content=data)
        assert same.json()["revision"] == got["revision"]
        stale = await http.put(file, content=b"other", params={"revision": "0" * 40})
        assert (stale.status_code, stale.json()["current_revision"]) == (409, got["revision"])
        over = await http.put(file, content=b"other", headers={"If-Match": raw.headers["etag"]})
        assert (over.status_code, over.json()["created"]) == (201, False)
        gone = await http.delete(file)
        assert gone.json()["deleted"] is True
        assert (await http.get(file)).json()["code"] == "attachment_not_found"
        assert (await http.delete(file)).status_code == 404
    assert_sound(DataDir(tmp_path).wiki(doors.wiki.id))


async def test_head_and_an_empty_file(doors: Doors) -> None:
    async with script(doors) as http:
        await http.put(f"{FILES}/empty", content=b"")
        await http.put(f"{FILES}/full", content=b"abc")
        for name, size in (("empty", 0), ("full", 3)):
            asked = await http.head(f"{FILES}/{name}?raw=1")
            assert (asked.status_code, asked.headers["content-length"], asked.content) == (200, str(size), b"")
            assert len((await http.get(f"{FILES}/{name}?raw=1")).content) == size


async def test_what_is_shown_cannot_run(doors: Doors) -> None:
    async with script(doors) as http:
        for filename in ("x.svg", "x.html", "x.xml", "x.pdf", "x"):
            await http.put(f"{FILES}/{filename}", content=b"<script>alert(1)</script>")
            raw = await http.get(f"{FILES}/{filename}?raw=1")
            assert raw.headers["content-disposition"].startswith("attachment")
            assert raw.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in raw.headers["content-security-policy"]


@pytest.mark.parametrize(
    "content", ["QQ", "QQ==\n", "Q Q==", "QQ==QQ==", "Q-_=", "====", "ü", "data:image/png;base64,QQ=="]
)
async def test_base64_is_strict(doors: Doors, content: str) -> None:
    before = await head(doors)
    async with script(doors) as http:
        answer = await http.post(FILES, json={"filename": "x.bin", "content": content})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_base64")
    assert await head(doors) == before


async def test_ten_mebibytes_and_not_one_byte_more(doors: Doors) -> None:
    data = b"\x01" * LIMIT
    async with script(doors) as http:
        for send in (
            await http.put(f"{FILES}/a.bin", content=data, timeout=30),
            await http.post(FILES, json={"filename": "b.bin", "content": b64(data)}, timeout=30),
        ):
            assert (send.status_code, send.json()["size"]) == (201, LIMIT)
        before = await head(doors)
        for send in (
            await http.put(f"{FILES}/c.bin", content=data + b"x", timeout=30),
            await http.put(f"{FILES}/c.bin", content=data + data, timeout=30),
            await http.post(FILES, json={"filename": "c.bin", "content": b64(data + b"x")}, timeout=30),
            await http.post(FILES, json={"filename": "c.bin", "content": b64(data + data)}, timeout=30),
        ):
            assert (send.status_code, send.json()["code"]) == (422, "invalid_attachment")
            assert "10 MiB" in send.json()["error"]
        assert await head(doors) == before
        assert (await http.get(f"{FILES}/a.bin?raw=1", timeout=30)).content == data


@pytest.mark.parametrize(
    "filename",
    ["../x", "..", "a/b", "a\\b", ".git", ".gitattributes", "-x", "x.md", "X.MD", "", "a\x00b", "x.", " x", "n" * 256],
)
async def test_names_that_no_file_may_have(doors: Doors, filename: str) -> None:
    before = await head(doors)
    async with script(doors) as http:
        posted = await http.post(FILES, json={"filename": filename, "content": "QQ=="})
        assert (posted.status_code, posted.json()["code"]) == (422, "invalid_attachment")
        if filename:
            address = f"{FILES}/{quote(filename, safe='').replace('.', '%2E')}"
            put = await http.put(address, content=b"x")
            assert (put.status_code, put.json()["code"]) == (422, "invalid_attachment")
            assert (await http.get(address)).json()["code"] == "attachment_not_found"
        assert (await http.get("pages")).json()["total"] == 1
    assert await head(doors) == before


async def test_a_file_needs_a_page_and_leaves_pages_alone(doors: Doors) -> None:
    await doors.seed({"Welcome/Below": "a page below"})
    async with script(doors) as http:
        for method, path in (("GET", "pages/No/attachments"), ("PUT", "pages/No/attachments/x")):
            assert (await http.request(method, path)).json()["code"] == "page_not_found"
        assert (await http.get(FILES)).json()["attachments"] == []
        assert (await http.get(f"{FILES}/Below.md")).status_code == 404
        assert (await http.delete(f"{FILES}/Below.md")).status_code == 404
        dry = await http.put(f"{FILES}/x?dry_run=1", content=b"x")
        assert (dry.status_code, dry.json()["dry_run"]) == (200, True)
        assert (await http.get(FILES)).json()["total"] == 0
        for name in ("a", "b", "c"):
            await http.put(f"{FILES}/{name}", content=b"x")
        part = (await http.get(FILES, params={"limit": 2})).json()
        rest = (await http.get(FILES, params={"cursor": part["cursor"]})).json()
        assert [file["filename"] for file in part["attachments"] + rest["attachments"]] == ["a", "b", "c"]


async def test_of_parallel_overwrites_with_one_revision_one_wins(doors: Doors) -> None:
    statuses: list[int] = []
    async with script(doors) as http:
        revision = (await http.put(f"{FILES}/x", content=b"0")).json()["revision"]

        async def write(number: int) -> None:
            answer = await http.put(f"{FILES}/x", params={"revision": revision}, content=b"%d" % (number + 1))
            statuses.append(answer.status_code)

        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(write, number)
    assert sorted(statuses) == [201] + [409] * 7


async def test_a_file_in_the_place_of_a_folder_is_a_conflict(doors: Doors) -> None:
    """The name is as good as any; it is the wiki that has no room for it."""
    async with script(doors) as http:
        assert (await http.put(f"{FILES}/Notes", content=b"x")).status_code == 201
        assert (await http.put("pages/Other", json={"content": "x"})).status_code == 201
        for method, path, body in (
            ("PUT", "pages/Welcome%2FNotes%2FDay", {"content": "x"}),
            ("POST", "pages/Other/rename", {"new_path": "Welcome/Notes/Day"}),
        ):
            refused = await http.request(method, path, json=body)
            assert (refused.status_code, refused.json()["code"]) == (409, "page_exists")
            assert "'Notes'" in refused.json()["error"]
