"""An MCP server with everything that the conformance suite asks of one: what it lists, and who answers."""

from __future__ import annotations

import json
import re
from typing import Any

from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, PromptsListChanged, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    BlobResourceContents,
    CallToolRequestParams,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    EmptyResult,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    SetLevelRequestParams,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    TextResourceContents,
    Tool,
    UnsubscribeRequestParams,
)

from robot.mcp.introduction import introduce
from tests.judges import fixture_inputs, fixture_tools
from tests.judges.fixture_tools import PNG, Context, answer, embedded, image, text

_CACHEABLE: tuple[CacheableMethod, ...] = (
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
)
_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
_TEMPLATE = re.compile(r"test://template/([^/]+)/data")


def _prompt(name: str, *arguments: str) -> Prompt:
    described = [PromptArgument(name=argument, description=argument, required=True) for argument in arguments]
    return Prompt(name=name, description=f"The suite's {name}", arguments=described)


RESOURCES = [
    Resource(uri="test://static-text", name="Text", description="A text", mime_type="text/plain"),
    Resource(uri="test://static-binary", name="Binary", description="A picture", mime_type="image/png"),
    Resource(uri="test://watched-resource", name="Watched", description="May change", mime_type="text/plain"),
]
TEMPLATES = [
    ResourceTemplate(
        uri_template="test://template/{id}/data", name="Data", description="By id", mime_type="application/json"
    )
]
PROMPTS = [
    _prompt("test_simple_prompt"),
    _prompt("test_prompt_with_arguments", "arg1", "arg2"),
    _prompt("test_prompt_with_embedded_resource", "resourceUri"),
    _prompt("test_prompt_with_image"),
    _prompt("test_input_required_result_prompt"),
]


class Everything:
    """The request handlers, and the bus on which the two triggering tools publish."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self._tools = {**fixture_tools.TOOLS, **fixture_inputs.TOOLS, **self._triggers()}

    def _triggers(self) -> dict[str, fixture_tools.ToolRun]:
        async def tools_changed(_context: Context, _params: CallToolRequestParams) -> CallToolResult:
            await self.bus.publish(ToolsListChanged())
            return answer(text("Said that the tools changed."))

        async def prompts_changed(_context: Context, _params: CallToolRequestParams) -> CallToolResult:
            await self.bus.publish(PromptsListChanged())
            return answer(text("Said that the prompts changed."))

        return {"test_trigger_tool_change": tools_changed, "test_trigger_prompt_change": prompts_changed}

    async def list_tools(self, _context: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(
            tools=[
                Tool(
                    name=name,
                    description=f"The suite's {name}",
                    input_schema=fixture_tools.INPUT_SCHEMAS.get(name, _NO_ARGUMENTS),
                )
                for name in self._tools
            ]
        )

    async def call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        run = self._tools.get(params.name)
        if run is None:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name}")
        return await run(context, params)


async def _list_resources(_context: Context, _params: PaginatedRequestParams | None) -> ListResourcesResult:
    return ListResourcesResult(resources=RESOURCES)


async def _list_templates(_context: Context, _params: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
    return ListResourceTemplatesResult(resource_templates=TEMPLATES)


async def _read_resource(_context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
    uri = str(params.uri)
    if uri == "test://static-binary":
        return ReadResourceResult(contents=[BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)])
    if uri in ("test://static-text", "test://watched-resource"):
        words, kind = "This is the content of the static text resource.", "text/plain"
    elif found := _TEMPLATE.fullmatch(uri):
        data = {"id": found[1], "templateTest": True, "data": f"Data for ID: {found[1]}"}
        words, kind = json.dumps(data), "application/json"
    else:
        raise MCPError(INVALID_PARAMS, "Resource not found", {"uri": uri})
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=kind, text=words)])


async def _list_prompts(_context: Context, _params: PaginatedRequestParams | None) -> ListPromptsResult:
    return ListPromptsResult(prompts=PROMPTS)


async def _get_prompt(_context: Context, params: GetPromptRequestParams) -> GetPromptResult | InputRequiredResult:
    given = params.arguments or {}
    match params.name:
        case "test_simple_prompt":
            blocks = [text("This is a simple prompt for testing.")]
        case "test_prompt_with_arguments":
            words = f"Prompt with arguments: arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'"
            return _said(text(words))
        case "test_prompt_with_embedded_resource":
            resource = embedded(given["resourceUri"], "text/plain", "Embedded resource content for testing.")
            return _said(resource, text("Please process the embedded resource above."))
        case "test_prompt_with_image":
            return _said(image(), text("Please analyze the image above."))
        case "test_input_required_result_prompt":
            if still := fixture_inputs.missing(fixture_inputs.PROMPT_NEEDS, params.input_responses):
                return InputRequiredResult(input_requests=dict(still))
            blocks = [text("A prompt with the context that was given.")]
        case _:
            raise MCPError(INVALID_PARAMS, f"Unknown prompt: {params.name}")
    return _said(*blocks)


def _said(*blocks: Any) -> GetPromptResult:
    return GetPromptResult(messages=[PromptMessage(role="user", content=block) for block in blocks])


async def _complete(_context: Context, params: CompleteRequestParams) -> CompleteResult:
    values = [f"{params.argument.value}{ending}" for ending in ("", "-one", "-two")]
    return CompleteResult(completion=Completion(values=values, total=len(values), has_more=False))


async def _accept(_context: Context, _params: Any) -> EmptyResult:
    return EmptyResult()


def create_fixture_server() -> Server[Any]:
    """The server, which introduces itself as the wiki's own server does."""
    everything = Everything()
    hints: dict[CacheableMethod, CacheHint] = {
        method: CacheHint(ttl_ms=60_000, scope="private") for method in _CACHEABLE
    }
    server: Server[Any] = Server("fixture", version="1.0", cache_hints=hints)
    add = server.add_request_handler
    add("tools/list", PaginatedRequestParams, everything.list_tools)
    add("tools/call", CallToolRequestParams, everything.call_tool)
    add("resources/list", PaginatedRequestParams, _list_resources)
    add("resources/templates/list", PaginatedRequestParams, _list_templates)
    add("resources/read", ReadResourceRequestParams, _read_resource)
    add("resources/subscribe", SubscribeRequestParams, _accept)
    add("resources/unsubscribe", UnsubscribeRequestParams, _accept)
    add("prompts/list", PaginatedRequestParams, _list_prompts)
    add("prompts/get", GetPromptRequestParams, _get_prompt)
    add("completion/complete", CompleteRequestParams, _complete)
    add("logging/setLevel", SetLevelRequestParams, _accept)
    add("subscriptions/listen", SubscriptionsListenRequestParams, ListenHandler(everything.bus))
    server.middleware[:] = [
        introduce,
        RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience="fixture"),
    ]
    return server
