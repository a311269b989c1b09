"""Both doors with the real search service and the real model behind them: written, indexed, found by meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import trio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from robot.contents import Contents
from robot.limits import Limits
from robot.mcp.call import Calls
from robot.mcp.endpoint import McpEndpoint, stateless
from robot.mcp.listening import Listening
from robot.mcp.server import create_server
from robot.mcp.tools import WRITING_TOOLS
from robot.rest.app import create_rest_app
from robot.search.service import SearchService
from tests.robot.agent_doors import DOMAIN, open_doors, serving
from wikihost.layout import DataDir

DEADLINE_S = 60
WRITER = {"Authorization": "Bearer writer"}


async def reindexed(http: httpx2.AsyncClient) -> dict[str, Any]:
    """Start a re-index and poll as scripts do until it is over; the last status."""
    started = await http.post("/api/v1/reindex")
    assert started.status_code == 202
    with trio.fail_after(DEADLINE_S):
        while True:
            status: dict[str, Any] = (await http.get("/api/v1/reindex/status")).json()
            if status["status"] != "in_progress":
                return status
            await trio.sleep(0.05)


async def test_a_page_written_at_one_door_is_found_by_meaning_at_both(tmp_path: Path) -> None:
    doors = open_doors(tmp_path)
    contents = doors.contents = Contents(DataDir(tmp_path))
    search = SearchService(contents, {doors.wiki.id: doors.wiki}.get)
    listening = Listening(contents, doors.request_of)
    server = create_server(Calls(contents, search, DOMAIN), listening, doors.noted, Limits())
    doors.mcp = McpEndpoint(stateless(server, WRITING_TOOLS), listening)
    doors.rest = create_rest_app(contents=contents, search=search, domain=DOMAIN, spool=tmp_path, witness=doors.noted)
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: search.run(task_status=task_status))
        async with (
            serving(doors) as base,
            httpx2.AsyncClient(base_url=base, headers=WRITER, timeout=DEADLINE_S) as http,
            create_mcp_http_client(headers=WRITER) as mcp_http,
            Client(streamable_http_client(f"{base}/mcp", http_client=mcp_http)) as client,
        ):
            for path, text in (
                ("Coffee", "# Coffee\n\nThe espresso machine must be descaled every month.\n"),
                ("Alarm", "# Alarm\n\nWho arms the burglar alarm when the office closes for the night.\n"),
            ):
                written = await client.call_tool("write_note", {"path": path, "content": text})
                assert not written.is_error
            status = await reindexed(http)
            assert (status["status"], status["pages_indexed"], status["error_message"]) == ("complete", 3, None)
            assert status["indexed_head"] == status["head"]
            near = (await http.get("/api/v1/semantic-search", params={"q": "cleaning the kitchen appliance"})).json()
            assert (near["mode"], near["results"][0]["path"]) == ("semantic", "Coffee")
            assert near["results"][0]["distance"] <= near["results"][1]["distance"]
            asked = {"query": "who locks up in the evening?", "n": 1}
            found = (await client.call_tool("semantic_search", asked)).structured_content
            assert (found["mode"], [hit["path"] for hit in found["results"]]) == ("semantic", ["Alarm"])
        nursery.cancel_scope.cancel()
