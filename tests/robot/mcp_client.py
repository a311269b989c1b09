"""The SDK's own client on the doors of one wiki, and what its answers must look like."""

from __future__ import annotations

from typing import Any, cast

import jsonschema
from mcp import Client
from mcp_types import CallToolResult, TextContent

from robot.contents import reachable
from robot.mcp.call import Call
from robot.mcp.schemas import json_schema
from robot.mcp.server import run_tool
from robot.mcp.tools import TOOLS
from robot.model import Agent, Scope
from robot.search.service import SearchService
from tests.robot.agent_doors import DOMAIN, ORIGIN, Doors, an_agent

SCHEMAS = {tool.name: json_schema(tool.result) for tool in TOOLS}
WRITER = an_agent(Scope.READ, Scope.WRITE)
_BY_NAME = {tool.name: tool for tool in TOOLS}


def text_of(result: CallToolResult) -> str:
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


async def succeed(client: Client, tool: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """The first text and the structured result, which fits the tool's schema."""
    result = await answered(client, tool, **arguments)
    return text_of(result), result.structured_content


async def answered(client: Client, tool: str, **arguments: Any) -> CallToolResult:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    jsonschema.validate(result.structured_content, SCHEMAS[tool])
    return result


async def fail(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error, text_of(result)
    return text_of(result)


async def called(doors: Doors, tool: str, who: Agent = WRITER, **arguments: Any) -> dict[str, Any]:
    """The result of a tool without HTTP between; it fits the tool's schema, or is a failure in words."""
    contents = reachable(doors.contents, who)
    call = Call(doors.wiki, who, ORIGIN, DOMAIN, contents, cast("SearchService", doors.search))
    result = cast("dict[str, Any]", (await run_tool(_BY_NAME[tool], call, arguments, "2026-07-28")).result)
    if not result["isError"]:
        jsonschema.validate(result["structuredContent"], SCHEMAS[tool])
    return result


async def refused(doors: Doors, tool: str, **arguments: Any) -> str:
    """The words of a failure."""
    result = await called(doors, tool, **arguments)
    assert result["isError"], result
    return str(result["content"][0]["text"])


async def done(doors: Doors, tool: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """As `succeed`, without HTTP between."""
    result = await called(doors, tool, **arguments)
    assert not result["isError"], result
    return result["content"][0]["text"], result["structuredContent"]
