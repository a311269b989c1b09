"""Messages to an MCP endpoint as clients of the handshake era send them, for tests of the HTTP around them."""

from __future__ import annotations

from typing import Any

VERSION = "2025-11-25"


def message(method: str, **params: Any) -> dict[str, Any]:
    """What an HTTP client's `post` takes: address, JSON and headers."""
    return {
        "url": "/mcp",
        "json": {"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
        "headers": {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": VERSION},
    }


def tool_call(tool: str, **arguments: Any) -> dict[str, Any]:
    """As `message`, for a call of a tool."""
    return message("tools/call", name=tool, arguments=arguments)
