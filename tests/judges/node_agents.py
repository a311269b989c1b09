"""Clients that run on Node: the inspector and mcporter, which connect anew for each call, and mcp-remote."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.judges.agents import Agent, Conversation, Desk, conversation, run
from tests.judges.toolchain import node

INSPECTOR = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
MCP_REMOTE = "mcp-remote/dist/proxy.js"
MCPORTER = "mcporter/dist/cli.js"


def text_of(result: dict[str, Any]) -> str:
    """What a tool said, of a result as the protocol has it."""
    said = "\n".join(block.get("text", "") for block in result["content"])
    assert not result.get("isError", False), said
    return said


class Inspector:
    """MCP's own inspector, on its command line."""

    def __init__(self, at: Desk, era: str) -> None:
        self._at = at
        self._era = era

    def sign_in(self) -> None:
        self._ask("tools/list")

    def tools(self) -> set[str]:
        """Listed strictly: it ends badly when a schema would trouble any client."""
        return {tool["name"] for tool in self._ask("tools/list", "--strict")["tools"]}

    def call(self, tool: str, **arguments: str) -> str:
        return text_of(self._ask("tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments)))

    def _ask(self, method: str, *more: str) -> dict[str, Any]:
        headers = [word for name, value in self._at.headers.items() for word in ("--header", f"{name}: {value}")]
        wanted = ["--cli", "--transport", "http", "--server-url", self._at.address, "--protocol-era", self._era]
        said = run(node(INSPECTOR, *wanted, *headers, "--format", "json", "--method", method, *more), self._at)
        answer: dict[str, Any] = json.loads(said)
        found: dict[str, Any] = answer.get("result", answer)
        return found


@contextmanager
def inspector(at: Desk) -> Iterator[Agent]:
    yield Inspector(at, "modern")


@contextmanager
def old_inspector(at: Desk) -> Iterator[Agent]:
    """The same with the handshake of the years before."""
    yield Inspector(at, "legacy")


class Mcporter:
    """mcporter, with the wiki in its configuration."""

    def __init__(self, at: Desk) -> None:
        self._at = at
        server = {"baseUrl": at.address, "headers": at.headers, **({} if at.token else {"auth": "oauth"})}
        (at.home / "mcporter.json").write_text(json.dumps({"mcpServers": {"wiki": server}, "imports": []}))

    def sign_in(self) -> None:
        if self._at.token is None:
            self._run("auth", "wiki")

    def tools(self) -> set[str]:
        listed = json.loads(self._run("list", "wiki", "--json"))
        return {tool["name"] for tool in listed["tools"]}

    def call(self, tool: str, **arguments: str) -> str:
        """It ends badly when the tool failed."""
        return self._run("call", f"wiki.{tool}", "--args", json.dumps(arguments), "--output", "text")

    def _run(self, *words: str) -> str:
        return run(node(MCPORTER, "--config", "mcporter.json", *words), self._at)


@contextmanager
def mcporter(at: Desk) -> Iterator[Agent]:
    yield Mcporter(at)


class McpRemote:
    """mcp-remote: the protocol over standard input and output, as desktop programs use it."""

    def __init__(self, proxy: Conversation) -> None:
        self._proxy = proxy
        self._ids = itertools.count(1)

    def sign_in(self) -> None:
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "judge", "version": "1"}}
        self._ask("initialize", **hello)
        self._proxy.say({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def tools(self) -> set[str]:
        return {tool["name"] for tool in self._ask("tools/list")["tools"]}

    def call(self, tool: str, **arguments: str) -> str:
        return text_of(self._ask("tools/call", name=tool, arguments=arguments))

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        asked = next(self._ids)
        self._proxy.say({"jsonrpc": "2.0", "id": asked, "method": method, "params": params})
        while (answer := self._proxy.hear()).get("id") != asked:
            pass  # a notification, or an answer to what was given up
        assert "result" in answer, answer
        result: dict[str, Any] = answer["result"]
        return result


@contextmanager
def mcp_remote(at: Desk) -> Iterator[Agent]:
    headers = [word for name, value in at.headers.items() for word in ("--header", f"{name}: {value}")]
    with conversation(node(MCP_REMOTE, at.address, "--allow-http", *headers), at) as proxy:
        yield McpRemote(proxy)
