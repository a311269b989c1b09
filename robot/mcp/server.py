"""The MCP server behind every wiki's `/mcp`: lists the tools, calls them, and speaks with the wiki's own name.

It is one low-level `Server` of the SDK for all wikis, not an `MCPServer`: what a client is told (name, instructions,
which tools) depends on the wiki and the token of each request, which `MCPServer` fixes when it is built, and a server
per wiki would mean a session manager and a task group per wiki. Wiki and actor come with the HTTP request that the SDK
hands to each handler; nothing is kept between requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CompleteRequestParams,
    GetPromptRequestParams,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    SetLevelRequestParams,
    SubscriptionsListenRequestParams,
)
from pydantic import ValidationError

from robot.activity import OK, Deed, Witness
from robot.limits import Limits
from robot.mcp.call import Call, Calls
from robot.mcp.completion import PageNames
from robot.mcp.done import Done, commit_made, pages_named
from robot.mcp.failures import ToolFailed, explain, explain_arguments, explain_read_only
from robot.mcp.introduction import TOOLS_VERSION, introduce, promise
from robot.mcp.keeping import SETTLED_MS, kept
from robot.mcp.listening import Listening
from robot.mcp.nearest import explain_missing
from robot.mcp.noting import Noting
from robot.mcp.often import refuse_too_often
from robot.mcp.paging import refuse_cursor
from robot.mcp.progress import tell_progress
from robot.mcp.prompts import WikiPrompts
from robot.mcp.render import one_line
from robot.mcp.resources import WikiResources
from robot.mcp.schemas import OnPage, json_schema
from robot.mcp.tool import Tool
from robot.mcp.tools import TOOLS
from robot.model import Agent
from robot.search.values import SearchError
from wikihost.errors import FROZEN, ContentError, PageNotFound

# The first protocol version with links to resources in results; older clients would choke on them.
LINKS_SINCE = "2025-06-18"

_LENGTHS = ("minLength", "maxLength")
_BY_NAME: Mapping[str, Tool] = {tool.name: tool for tool in TOOLS}
_INPUT_SCHEMAS: Mapping[str, dict[str, Any]] = {tool.name: json_schema(tool.arguments) for tool in TOOLS}


def listed(tool: Tool) -> dict[str, Any]:
    """The tool as `tools/list` shows it."""
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": _concise(_INPUT_SCHEMAS[tool.name]),
        "outputSchema": json_schema(tool.result),
        "annotations": {"title": tool.title, **tool.hints},
    }


def _concise(schema: dict[str, Any]) -> dict[str, Any]:
    """Arguments without what costs tokens and tells a model nothing.

    It counts no characters: how long a text may be is said to whoever sends a longer one. Empty means "not given".
    """
    members = {
        name: {word: value for word, value in member.items() if word not in _LENGTHS and value != ""}
        for name, member in schema["properties"].items()
    }
    return {**schema, "properties": members}


_READ_TOOLS = [listed(tool) for tool in TOOLS if not tool.writes]
_ALL_TOOLS = [listed(tool) for tool in TOOLS]


class WikiTools:
    """The request handlers: they turn a request into a `Call`, and what comes of it into a result."""

    def __init__(self, calls: Calls, witness: Witness, limits: Limits) -> None:
        self._calls = calls
        self._witness = witness
        self._limits = limits

    async def list_tools(
        self, context: ServerRequestContext[Any, Any], params: PaginatedRequestParams
    ) -> HandlerResult:
        """The tools that this request's token may use."""
        refuse_cursor(params.cursor)
        tools = _ALL_TOOLS if self._calls.of(context).may_write else _READ_TOOLS
        return kept({"tools": tools}, SETTLED_MS, public=False)

    async def call_tool(self, context: ServerRequestContext[Any, Any], params: CallToolRequestParams) -> HandlerResult:
        """Run a tool. What the agent can mend comes back as a result with `isError`, in words.

        Raises: MCPError (INVALID_PARAMS) when there is no such tool.
        """
        tool = _BY_NAME.get(params.name)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message=f"Unknown tool: {one_line(params.name, 60)}")
        call = self._calls.of(context)
        if tool.writes and not call.may_write:
            is_frozen = call.wiki.is_frozen
            words = FROZEN if is_frozen else explain_read_only(call.actor)
            done = Done(_failed(words), "frozen" if is_frozen else "forbidden")
        elif too_often := refuse_too_often(self._limits, tool, call):
            done = Done(_failed(too_often), "too_many_requests")
        else:
            done = await run_tool(tool, call, params.arguments or {}, context.protocol_version)
        if isinstance(call.actor, Agent):
            deed = Deed(call.wiki, call.actor, "mcp", tool.name, done.pages, done.outcome, done.revision)
            self._witness.note(deed)
        return done.result


async def accept_level(_context: ServerRequestContext[Any, Any], _params: SetLevelRequestParams) -> HandlerResult:
    """Whatever level of log messages a client wants: there are none."""
    return {}


async def run_tool(tool: Tool, call: Call, arguments: Mapping[str, Any], protocol: str) -> Done:
    """What comes of a call (MCP, "Tools"), failures included, for a client that speaks that protocol version."""
    try:
        asked = tool.arguments.model_validate(arguments)
    except ValidationError as error:
        sentence = explain_arguments(tool.name, error, list(tool.arguments.model_fields))
        return Done(_failed(sentence), "invalid_arguments")
    pages = pages_named(asked)
    try:
        answer = await tool.run(call, asked)
    except PageNotFound as error:
        sentence = (
            await explain_missing(call, asked.path, error)
            if isinstance(asked, OnPage)
            else explain(error, may_write=call.may_write)
        )
        return Done(_failed(sentence), error.code, pages)
    except ContentError as error:
        return Done(_failed(explain(error, may_write=call.may_write)), error.code, pages)
    except ToolFailed as error:
        return Done(_failed(str(error)), "refused", pages)
    except SearchError as error:
        return Done(_failed(str(error)), "search_unavailable", pages)
    blocks = [block for block in answer.more if protocol >= LINKS_SINCE or block["type"] != "resource_link"]
    structured = answer.result.model_dump(mode="json", exclude_none=True)
    result = {
        "resultType": "complete",
        "content": [{"type": "text", "text": answer.text}, *blocks],
        "structuredContent": structured,
        "isError": False,
    }
    return Done(result, OK, pages, commit_made(structured) if tool.writes else None)


def _failed(sentence: str) -> dict[str, Any]:
    return {"resultType": "complete", "content": [{"type": "text", "text": sentence}], "isError": True}


def create_server(calls: Calls, listening: Listening, witness: Witness, limits: Limits) -> Server[Any]:
    """The server with its handlers; `witness` is told what agents read and do."""
    server: Server[Any] = Server(
        "robot",
        version=TOOLS_VERSION,
        # Without it the SDK lists all tools before each call, to check headers against one schema.
        get_tool_input_schema=_INPUT_SCHEMAS.get,
    )
    tools, resources = WikiTools(calls, witness, limits), WikiResources(calls)
    prompts, names = WikiPrompts(calls), PageNames(calls)
    server.add_request_handler("tools/list", PaginatedRequestParams, tools.list_tools)
    server.add_request_handler("tools/call", CallToolRequestParams, tools.call_tool)
    server.add_request_handler("resources/list", PaginatedRequestParams, resources.list_resources)
    server.add_request_handler("resources/templates/list", PaginatedRequestParams, resources.list_templates)
    server.add_request_handler("resources/read", ReadResourceRequestParams, resources.read_resource)
    server.add_request_handler("prompts/list", PaginatedRequestParams, prompts.list_prompts)
    server.add_request_handler("prompts/get", GetPromptRequestParams, prompts.get_prompt)
    server.add_request_handler("completion/complete", CompleteRequestParams, names.complete)
    server.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, listening.accept)
    server.add_request_handler("logging/setLevel", SetLevelRequestParams, accept_level)
    # In place of the SDK's tracing, which nobody here reads.
    server.middleware[:] = [introduce, promise, tell_progress, Noting(calls, witness)]
    return server
