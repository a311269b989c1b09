"""What is written is found, and what is gone is not: scripts and an agent beside each other in a running robot."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import trio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.flow.owner import signed_in_owner
from tests.harness import Robot

pytestmark = pytest.mark.flow

DEADLINE_S = 60
COFFEE = """\
---
tags: [kitchen]
category: care
---
# Coffee

## Beans
They come from the roastery around the corner.

## Care
The espresso machine must be descaled every month.
"""
PAGES = {
    "Office/Coffee": COFFEE,
    "Office/Kettle": "# Kettle\n\nThe electric kettle is freed from lime with vinegar, four times a year.\n",
    "Office/Alarm": "# Alarm\n\nWho arms the burglar alarm when the office closes for the night.\n",
}
QUESTION = "cleaning the kitchen appliance for hot drinks"


@dataclass
class Doors:
    """Both doors of one wiki: a script's, and an agent's with the SDK's client."""

    script: httpx2.AsyncClient
    agent: Client

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        answer = await self.script.get(f"/api/v1/{path}", params=params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.agent.call_tool(tool, arguments)
        assert not result.is_error, result.content
        structured: dict[str, Any] = result.structured_content
        return structured

    async def indexed(self) -> None:
        """Poll as scripts do until everything is found by meaning, too."""
        with trio.fail_after(DEADLINE_S):
            while (status := await self.get("reindex/status"))["indexed_head"] != status["head"]:
                assert status["status"] != "error", status
                await trio.sleep(0.05)

    async def found_by_words(self, words: str) -> list[set[str]]:
        """The pages that each door finds."""
        return [
            _paths(await self.get("search", q=words)),
            _paths(await self.get("find", q=words, mode="keyword")),
            _paths(await self.get("find", q=words)),
            _paths(await self.call("search_notes", query=words)),
            _paths(await self.call("search", query=words)),
        ]

    async def found_by_meaning(self, question: str) -> list[set[str]]:
        return [
            _paths(await self.get("semantic-search", q=question, n=20)),
            _paths(await self.get("find", q=question, mode="semantic")),
            _paths(await self.call("semantic_search", query=question, n=20)),
            _paths(await self.call("search", query=question, mode="semantic")),
            _paths(await self.get("pages/Office/Kettle/similar")),
            {page["path"] for page in (await self.call("get_links", path="Office/Kettle", similar=10))["similar"]},
        ]


def _paths(found: dict[str, Any]) -> set[str]:
    return {hit.get("path", hit.get("id")) for hit in found["results"]}


@pytest.fixture(scope="module")
def wiki(robot: Robot) -> Iterator[tuple[str, str]]:
    """A wiki of its own, and a token of it."""
    with signed_in_owner(robot) as owner:
        slug = f"found-{secrets.token_hex(4)}"
        yield slug, owner.make_wiki(slug)


@asynccontextmanager
async def doors(robot: Robot, wiki: tuple[str, str]) -> AsyncIterator[Doors]:
    slug, token = wiki
    headers = {"Host": f"{slug}.robot.localhost:{robot.port}", "Authorization": f"Bearer {token}"}
    base = f"http://127.0.0.1:{robot.port}"
    async with (
        httpx2.AsyncClient(base_url=base, headers=headers, timeout=30) as script,
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(f"{base}/mcp", http_client=http)) as agent,
    ):
        yield Doors(script, agent)


async def test_written_renamed_and_deleted(robot: Robot, wiki: tuple[str, str]) -> None:
    async with doors(robot, wiki) as at:
        for path, text in PAGES.items():
            written = await at.script.put(f"/api/v1/pages/{path}", json={"content": text})
            assert written.status_code == 201, written.text
        assert [("Office/Coffee" in paths) for paths in await at.found_by_words("descaled")] == [True] * 5
        await at.indexed()
        await _shows_where_it_is(at, robot, wiki[0])
        assert [("Office/Coffee" in paths) for paths in await at.found_by_meaning(QUESTION)] == [True] * 6

        renamed = await at.script.post("/api/v1/pages/Office/Coffee/rename", json={"new_path": "Kitchen/Espresso"})
        assert renamed.status_code == 200, renamed.text
        assert [("Kitchen/Espresso" in paths) for paths in await at.found_by_words("descaled")] == [True] * 5
        for paths in await at.found_by_words("coffee") + await at.found_by_meaning(QUESTION):
            assert "Office/Coffee" not in paths
        await at.indexed()  # the page has another title, with which its sections are read again
        assert [("Kitchen/Espresso" in paths) for paths in await at.found_by_meaning(QUESTION)] == [True] * 6

        await at.call("delete_note", path="Kitchen/Espresso")
        for paths in await at.found_by_words("descaled espresso") + await at.found_by_meaning(QUESTION):
            assert "Kitchen/Espresso" not in paths
        await at.indexed()
        assert (await at.get("find", q=QUESTION))["note"] is None


async def _shows_where_it_is(at: Doors, robot: Robot, slug: str) -> None:
    """The best answer to a question is a section, with its address and lines, and nothing is missing in it."""
    found = await at.get("find", q="how often is the espresso machine descaled", limit=1, explain=1)
    (hit,) = found["results"]
    assert (found["mode"], found["note"], found["pages_waiting"]) == ("hybrid", None, 0)
    assert found["indexed_head"] == found["head"]
    assert (hit["path"], hit["section"], hit["anchor"]) == ("Office/Coffee", "Care", "care")
    assert hit["url"] == f"{robot.wiki_origin(slug)}/Office/Coffee#care"
    assert "descaled" in "\n".join(COFFEE.splitlines()[hit["first_line"] - 1 : hit["last_line"]])
    assert hit["explain"]["keyword"] is not None
    agents = await at.call("search", query="how often is the espresso machine descaled", limit=1)
    assert agents["results"][0]["url"] == hit["url"]
    assert (agents["indexed_head"], agents.get("note")) == (found["head"], None)
    for filters, expected in (
        ({"tag": "KITCHEN"}, True),
        ({"category": "care", "prefix": "Office/"}, True),
        ({"updated_since": "2020-01-01", "updated_before": "2100-01-01"}, True),
        ({"prefix": "Home"}, False),
        ({"updated_before": "2020-01-01"}, False),
    ):
        for mode in ("hybrid", "keyword", "semantic"):
            assert ("Office/Coffee" in _paths(await at.get("find", q="machine", mode=mode, **filters))) is expected
            assert ("Office/Coffee" in _paths(await at.call("search", query="machine", mode=mode, **filters))) is (
                expected
            )


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_another_site_cannot_measure_a_search(robot: Robot, site: str) -> None:
    """The pages of another wiki are of the same site, so that browsers send this one's cookie with what they ask."""
    slug = f"mine-{secrets.token_hex(4)}"
    with signed_in_owner(robot) as owner:
        owner.make_wiki(slug)
        with owner.browser(slug) as browser:
            for path in ("/api/v1/find?q=welcome", "/api/v1/search?q=welcome", "/api/v1/semantic-search?q=welcome"):
                assert browser.get(path).status_code == 200
                assert browser.get(path, headers={"Sec-Fetch-Site": site}).status_code == 401
            page = browser.get("/-/search?query=welcome", headers={"Sec-Fetch-Site": site})
            assert "Nothing was searched yet" in page.text
            # Somebody who follows a link wants to see what is there.
            followed = browser.get("/-/search?query=welcome", headers={"Sec-Fetch-Site": site, "Sec-Fetch-User": "?1"})
            assert "Nothing was searched yet" not in followed.text
            assert "result" in followed.text
