"""What the HTTP door of MCP takes and refuses, and calls that last: by header, by line, in both protocol eras."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from mcp.shared._httpx_utils import create_mcp_http_client

from robot.mcp import progress as ticking
from robot.model import Wiki
from robot.search.service import SearchService
from robot.search.values import Freshness, SemanticAnswer
from tests.robot.agent_doors import Doors, StandInSearch, connected, open_doors, serving
from wikihost.values import SearchFilters

MODERN = "2026-07-28"
PATIENCE_S = 10
BOTH = "application/json, text/event-stream"
HEADERS = {"Accept": BOTH, "Authorization": "Bearer writer", "Content-Type": "application/json"}


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return open_doors(tmp_path)


def message(method: str, version: str | None = MODERN, **params: Any) -> dict[str, Any]:
    if version == MODERN:
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
        } | params.get("_meta", {})
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def modern(method: str, **more: str) -> dict[str, str]:
    return {"MCP-Protocol-Version": MODERN, "Mcp-Method": method} | more


READ = message("resources/read", uri="wiki://notes/page/Welcome")
READ_NAME = {"Mcp-Name": "wiki://notes/page/Welcome"}
INFO = message("tools/call", name="get_wiki_info", arguments={})
LIST = message("tools/list")
OLD = message("ping", None)
NOTICE = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
BIG = {**OLD, "params": {"x": "x" * (4 * 1024 * 1024)}}

# Headers added to the usual ones, the body, the status, and the code of a JSON-RPC error.
TABLE: list[tuple[dict[str, str], Any, int, int | None]] = [
    # The new protocol: headers repeat the body.
    (modern("tools/list"), LIST, 200, None),
    (modern("tools/list"), message("ping"), 400, -32020),
    ({"MCP-Protocol-Version": MODERN}, LIST, 400, -32020),
    (modern("tools/list", **{"MCP-Protocol-Version": "2027-01-01"}), LIST, 400, -32020),
    (modern("tools/call", **{"Mcp-Name": "get_wiki_info"}), INFO, 200, None),
    (modern("tools/call", **{"Mcp-Name": "write_note"}), INFO, 400, -32020),
    (modern("tools/call"), INFO, 400, -32020),
    (modern("resources/read", **READ_NAME), READ, 200, None),
    (modern("resources/read", **{"Mcp-Name": "wiki://notes/page/Other"}), READ, 400, -32020),
    (modern("prompts/get", **{"Mcp-Name": "x"}), message("prompts/get", name="agent_guide"), 400, -32020),
    (modern("tools/list"), message("tools/list", "none"), 400, -32602),
    (modern("ping"), message("ping"), 404, -32601),
    (modern("logging/setLevel"), message("logging/setLevel", level="debug"), 404, -32601),
    (modern("resources/subscribe"), message("resources/subscribe", uri="wiki://notes/page/Welcome"), 404, -32601),
    (modern("tools/list"), [LIST], 400, -32600),
    # The old ones.
    ({}, OLD, 200, None),
    ({"MCP-Protocol-Version": "2025-06-18"}, OLD, 200, None),
    ({"MCP-Protocol-Version": "1999-01-01"}, OLD, 400, None),
    ({}, message("logging/setLevel", None, level="debug"), 200, None),
    ({}, message("logging/setLevel", None, level="loud"), 200, -32602),
    ({}, message("resources/subscribe", None, uri="wiki://notes/page/Welcome"), 200, -32601),
    ({}, NOTICE, 202, None),
    ({}, [OLD], 400, None),
    # Both.
    ({"Accept": "text/html"}, OLD, 406, None),
    ({"Accept": "text/html", **modern("tools/list")}, LIST, 406, None),
    ({"Accept": "application/json", **modern("tools/call", **{"Mcp-Name": "get_wiki_info"})}, INFO, 200, None),
    ({"Accept": "*/*"}, OLD, 200, None),
    ({"Content-Type": "application/json; charset=utf-8"}, OLD, 200, None),
    ({"Content-Type": "application/jsonl"}, OLD, 415, None),
    ({"Content-Type": "text/plain"}, OLD, 415, None),
    ({"Origin": "http://notes.robot.test"}, OLD, 200, None),
    ({"Origin": "http://evil.test"}, OLD, 403, None),
    ({"Origin": "null"}, OLD, 403, None),
    ({"Authorization": ""}, OLD, 401, None),
    ({}, BIG, 413, None),
]


async def test_the_table_of_headers(doors: Doors) -> None:
    async with serving(doors) as base, create_mcp_http_client(headers=HEADERS) as http:
        for headers, body, status, code in TABLE:
            answer = await http.post(f"{base}/mcp", json=body, headers=headers)
            said = (headers, str(body)[:200], answer.text[:300])
            assert answer.status_code == status, said
            assert "mcp-session-id" not in answer.headers
            if code is not None:
                assert answer.json()["error"]["code"] == code, said
            elif status == 200:
                assert "error" not in answer.json(), said


async def test_a_header_that_comes_twice_is_refused(doors: Doors) -> None:
    twice = [*(HEADERS | modern("tools/list")).items(), ("Mcp-Method", "tools/list")]
    async with serving(doors) as base, create_mcp_http_client() as http:
        answer = await http.post(f"{base}/mcp", json=LIST, headers=twice)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


@dataclass
class SlowSearch(StandInSearch):
    """Search that does not answer until it is let, and remembers what became of its callers."""

    asked_now: trio.Event = field(default_factory=trio.Event)
    let: trio.Event = field(default_factory=trio.Event)
    cancelled: trio.Event = field(default_factory=trio.Event)

    async def query(
        self, wiki: Wiki, text: str, *, limit: int, max_chunks_per_page: int, filters: SearchFilters
    ) -> SemanticAnswer:
        self.asked_now.set()
        try:
            await self.let.wait()
        except trio.Cancelled:
            self.cancelled.set()
            raise
        return SemanticAnswer((), "semantic", Freshness("f" * 40, "f" * 40))


@pytest.fixture
def slow() -> SlowSearch:
    return SlowSearch()


@pytest.fixture
def slow_doors(tmp_path: Path, slow: SlowSearch) -> Doors:
    return open_doors(tmp_path, search=cast("SearchService", slow))


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_a_long_call_says_that_it_is_at_work(
    slow_doors: Doors, slow: SlowSearch, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticking, "EVERY_S", 0.05)
    told: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        assert (total, message) == (None, "still at work")
        told.append(progress)
        if len(told) == 3:
            slow.let.set()

    async with serving(slow_doors) as base, connected(base, era=era) as client:
        with trio.fail_after(PATIENCE_S):
            result = await client.call_tool("semantic_search", {"query": "x"}, progress_callback=hear)
        assert not result.is_error
        assert told == sorted(set(told))
        with pytest.raises(Exception, match="Unknown tool"):
            await client.call_tool("none", {}, progress_callback=hear)


SEARCH = message("tools/call", name="semantic_search", arguments={"query": "x"})
SEARCH_HEADERS = HEADERS | modern("tools/call", **{"Mcp-Name": "semantic_search"})


async def test_to_leave_is_to_cancel(slow_doors: Doors, slow: SlowSearch) -> None:
    async with serving(slow_doors) as base, create_mcp_http_client(headers=SEARCH_HEADERS) as http:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: http.post(f"{base}/mcp", json=SEARCH))
            await slow.asked_now.wait()
            nursery.cancel_scope.cancel()
        with trio.fail_after(PATIENCE_S):
            await slow.cancelled.wait()


async def test_without_sessions_nobody_cancels_the_call_of_another(slow_doors: Doors, slow: SlowSearch) -> None:
    """Old clients number their requests each for itself, so two that share a token use the same numbers."""
    search = message("tools/call", None, name="semantic_search", arguments={"query": "x"})
    answers: list[str] = []
    async with (
        serving(slow_doors) as base,
        create_mcp_http_client(headers=HEADERS) as http,
        trio.open_nursery() as nursery,
    ):

        async def call() -> None:
            answers.append((await http.post(f"{base}/mcp", json=search)).text)

        nursery.start_soon(call)
        await slow.asked_now.wait()
        assert (await http.post(f"{base}/mcp", json=NOTICE)).status_code == 202
        slow.let.set()
    assert '"isError":false' in answers[0]
    assert not slow.cancelled.is_set()
