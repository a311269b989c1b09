"""The tools that the MCP conformance suite calls: content of each kind, and tools that speak before they answer."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    InputRequiredResult,
    LoggingLevel,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)

Context = ServerRequestContext[Any, Any]
ToolRun = Callable[[Context, CallToolRequestParams], Awaitable[CallToolResult | InputRequiredResult]]

PAUSE_S = 0.05
"""Between two messages of one call, so that a client can see them one by one. The suite asks for it."""


def text(words: str) -> TextContent:
    return TextContent(type="text", text=words)


def answer(*blocks: ContentBlock) -> CallToolResult:
    return CallToolResult(content=list(blocks))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _red_dot() -> bytes:
    """A PNG of one red pixel."""
    header, pixels = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0), zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _silence() -> bytes:
    """A WAV of eight silent samples."""
    form = struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8)
    return (
        b"RIFF"
        + struct.pack("<I", 44)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
        + b"\x08\0\0\0"
        + b"\x80" * 8
    )


PNG = base64.b64encode(_red_dot()).decode()
WAV = base64.b64encode(_silence()).decode()


def image() -> ImageContent:
    return ImageContent(type="image", data=PNG, mime_type="image/png")


def embedded(uri: str, mime_type: str, words: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=words))


def _fixed(*blocks: ContentBlock, is_error: bool = False) -> ToolRun:
    async def run(_context: Context, _params: CallToolRequestParams) -> CallToolResult:
        await trio.lowlevel.checkpoint()
        return CallToolResult(content=list(blocks), is_error=is_error)

    return run


async def _logs(context: Context, _params: CallToolRequestParams) -> CallToolResult:
    level: LoggingLevel = "info"
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await context.session.send_log_message(level, words, related_request_id=context.request_id)
        await trio.sleep(PAUSE_S)
    return answer(text("Logged three times."))


async def _reports_progress(context: Context, _params: CallToolRequestParams) -> CallToolResult:
    for done in (0, 50, 100):
        await context.session.report_progress(done, 100)
        await trio.sleep(PAUSE_S)
    return answer(text("Reported three times."))


async def _samples(context: Context, params: CallToolRequestParams) -> CallToolResult:
    prompt = str((params.arguments or {}).get("prompt", ""))
    result = await context.session.create_message(
        [SamplingMessage(role="user", content=text(prompt))], max_tokens=100, related_request_id=context.request_id
    )
    said = result.content.text if isinstance(result.content, TextContent) else result.content.type
    return answer(text(f"LLM response: {said}"))


def _elicits(schema: Mapping[str, Any], message: str = "Please answer.") -> ToolRun:
    async def run(context: Context, params: CallToolRequestParams) -> CallToolResult:
        asked = str((params.arguments or {}).get("message", message))
        result = await context.session.elicit_form(asked, dict(schema), related_request_id=context.request_id)
        return answer(text(f"User response: action={result.action}, content={result.content}"))

    return run


async def _wants_sampling(context: Context, _params: CallToolRequestParams) -> CallToolResult:
    await trio.lowlevel.checkpoint()
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            "This tool needs a client that samples.",
            {"requiredCapabilities": {"sampling": {}}},
        )
    return answer(text("The client samples."))


def _form(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": []}


def _titled(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"const": value, "title": title} for value, title in pairs]


_USER = _form(
    username={"type": "string", "description": "User's response"},
    email={"type": "string", "description": "User's email address"},
) | {"required": ["username", "email"]}

_DEFAULTS = _form(
    name={"type": "string", "default": "John Doe"},
    age={"type": "integer", "default": 30},
    score={"type": "number", "default": 95.5},
    status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    verified={"type": "boolean", "default": True},
)

_OPTIONS = ["option1", "option2", "option3"]
_TITLED = _titled(("value1", "First Option"), ("value2", "Second Option"), ("value3", "Third Option"))
_CHOICES = _titled(("value1", "First Choice"), ("value2", "Second Choice"), ("value3", "Third Choice"))
_ENUMS = _form(
    untitledSingle={"type": "string", "enum": _OPTIONS},
    titledSingle={"type": "string", "oneOf": _TITLED},
    legacyEnum={
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    untitledMulti={"type": "array", "items": {"type": "string", "enum": _OPTIONS}},
    titledMulti={"type": "array", "items": {"anyOf": _CHOICES}},
)

PRESERVED_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
"""Whose every keyword has to reach the client."""


def _texts(*names: str, **more: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of arguments that are all texts and must all be there; `more` are further words about one of them."""
    properties = {name: {"type": "string", **more.get(name, {})} for name in names}
    return {"type": "object", "properties": properties, "required": list(names)}


INPUT_SCHEMAS: Mapping[str, dict[str, Any]] = {
    "test_sampling": _texts("prompt"),
    "test_elicitation": _texts("message"),
    "test_headers": _texts("region", region={"x-mcp-header": "Region"}),
    "json_schema_2020_12_tool": PRESERVED_SCHEMA,
}
"""Of the tools that take arguments."""

_MIXED = (
    text("Multiple content types test:"),
    image(),
    embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
)

TOOLS: Mapping[str, ToolRun] = {
    "test_simple_text": _fixed(text("This is a simple text response for testing.")),
    "test_image_content": _fixed(image()),
    "test_audio_content": _fixed(AudioContent(type="audio", data=WAV, mime_type="audio/wav")),
    "test_embedded_resource": _fixed(
        embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    ),
    "test_multiple_content_types": _fixed(*_MIXED),
    "test_error_handling": _fixed(text("This tool intentionally returns an error for testing"), is_error=True),
    "test_tool_with_logging": _logs,
    "test_logging_tool": _logs,
    "test_tool_with_progress": _reports_progress,
    "test_sampling": _samples,
    "test_elicitation": _elicits(_USER),
    "test_elicitation_sep1034_defaults": _elicits(_DEFAULTS),
    "test_elicitation_sep1330_enums": _elicits(_ENUMS),
    "test_missing_capability": _wants_sampling,
    "test_headers": _fixed(text("The header and the argument agree.")),
    "json_schema_2020_12_tool": _fixed(text("The schema was kept.")),
}
