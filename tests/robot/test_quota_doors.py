"""A full wiki at the agents' doors: refused with figures and a next step; what does not grow still works."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx2
import pytest

from robot.mcp.failures import explain
from tests.mcp_message import tool_call
from tests.robot.agent_doors import Doors, open_doors, serving
from wikihost.errors import QuotaExceeded
from wikihost.quota import Quota, write_quota

HELD = len("Welcome.")


async def call(client: httpx2.AsyncClient, name: str, **arguments: Any) -> tuple[bool, str]:
    result = (await client.post(**tool_call(name, **arguments))).json()["result"]
    return result["isError"], result["content"][0]["text"]


def limit(doors: Doors, root: Path, quota: Quota) -> None:
    write_quota(root / "wikis" / doors.wiki.id / "quota.json", quota)


async def test_rest_says_413_with_figures_and_lets_shrinking_through(tmp_path: Path) -> None:
    doors = open_doors(tmp_path)
    limit(doors, tmp_path, Quota(pages=1, size_bytes=HELD))
    revision = await doors.revision("Welcome")
    async with serving(doors) as base, rest(base) as client:
        file = {"filename": "a.txt", "content": base64.b64encode(b"x").decode()}
        for answer in (
            await client.put("/api/v1/pages/New", json={"content": "x"}),
            await client.put("/api/v1/pages/New?dry_run=1", json={"content": "x"}),
            await client.post("/api/v1/pages/Welcome/attachments", json=file),
            await client.post("/api/v1/pages/Welcome/rename", json={"new_path": "Hello"}),
        ):
            body = answer.json()
            assert (answer.status_code, body["code"]) == (413, "quota_exceeded")
            assert "ask the operator" in body["error"]
            assert body["quota"] == {"pages": 1, "bytes": HELD}
            assert body["needed"]["pages"] > 1 or body["needed"]["bytes"] > HELD
        moved = await client.post("/api/v1/pages/Welcome/rename", json={"new_path": "Hello", "redirect": False})
        assert moved.status_code == 200
        revision = await doors.revision("Hello")
        shorter = await client.put("/api/v1/pages/Hello", json={"content": "Hi", "revision": revision})
        assert shorter.status_code == 200
        assert (await client.delete("/api/v1/pages/Hello")).status_code == 200
        assert (await client.put("/api/v1/pages/New", json={"content": "x" * HELD})).status_code == 201


async def test_a_request_with_a_key_is_done_once_there_is_room(tmp_path: Path) -> None:
    doors = open_doors(tmp_path)
    limit(doors, tmp_path, Quota(pages=1))
    async with serving(doors) as base, rest(base) as client:
        again = {"json": {"content": "x"}, "headers": {"Idempotency-Key": "k1"}}
        assert (await client.put("/api/v1/pages/New", **again)).status_code == 413  # type: ignore[arg-type]
        limit(doors, tmp_path, Quota(pages=2))
        assert (await client.put("/api/v1/pages/New", **again)).status_code == 201  # type: ignore[arg-type]


async def test_mcp_tells_an_agent_what_to_do(tmp_path: Path) -> None:
    doors = open_doors(tmp_path)
    limit(doors, tmp_path, Quota(pages=1, size_bytes=HELD))
    async with serving(doors) as base, rest(base) as client:
        failed, text = await call(client, "write_note", path="New", content="x")
        assert failed
        assert "would have 2 pages, and it may have 1" in text
        assert "tell the wiki's owner" in text
        revision = await doors.revision("Welcome")
        edit = {"path": "Welcome", "revision": revision, "old_string": "Welcome."}
        failed, text = await call(client, "edit_note", **edit, new_string="Welcome, all.")
        assert failed
        assert "needs 5 bytes more" in text
        failed, _ = await call(client, "edit_note", **edit, new_string="Welcome!")
        assert not failed
        assert not (await call(client, "read_note", path="Welcome"))[0]
    assert await doors.text("Welcome") == "Welcome!"


@pytest.mark.parametrize("sentence", ["Full.", "Full"])
def test_the_next_step_follows_the_sentence(sentence: str) -> None:
    error = QuotaExceeded(sentence, pages=2, size_bytes=1, quota_pages=1, quota_bytes=1)
    assert explain(error, may_write=True).startswith("Full. Nothing was written, and trying again will not help.")


def rest(base: str) -> httpx2.AsyncClient:
    headers = {"Authorization": "Bearer writer", "Host": "notes.robot.test"}
    return httpx2.AsyncClient(base_url=base, headers=headers, timeout=30)
