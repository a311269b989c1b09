"""Clients written in Python, as a program: `python -m tests.judges.python_agent NAME ADDRESS` answers lines of JSON.

A process of its own, since names are resolved by a library that is loaded before Python starts, and since Trio and
asyncio want a main thread each.
"""

from __future__ import annotations

import json
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import fastmcp
import httpx2
import mcp
from anyio.abc import SocketStream
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.judges.agents import Agent, Client, Conversation, Desk, conversation

TIMEOUT_S = 30.0
_ROOT = Path(__file__).parents[2]


class _Memory:
    """Where the SDK keeps tokens while the program runs."""

    def __init__(self) -> None:
        self._tokens: OAuthToken | None = None
        self._client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self._tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self._client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._client = client_info


class _Callback:
    """A loopback address that waits for the browser to come back with a code."""

    def __init__(self, listener: Any) -> None:
        self._listener = listener
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        self.address = f"http://127.0.0.1:{port}/callback"

    async def wait(self) -> AuthorizationCodeResult:
        found: dict[str, list[str]] = {}
        with anyio.CancelScope() as scope:

            async def serve(stream: SocketStream) -> None:
                async with stream:
                    head = await stream.receive()
                    found.update(parse_qs(urlsplit(head.split()[1].decode()).query))
                    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nDone.")
                if "code" in found:
                    scope.cancel()

            await self._listener.serve(serve)
        first = {name: values[0] for name, values in found.items()}
        return AuthorizationCodeResult(code=first["code"], state=first.get("state"), iss=first.get("iss"))


async def _show(address: str) -> None:
    await anyio.to_thread.run_sync(webbrowser.open, address)


async def _signing_in(address: str) -> OAuthClientProvider:
    listeners = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    callback = _Callback(listeners)
    return OAuthClientProvider(
        server_url=address,
        client_metadata=OAuthClientMetadata(
            client_name="mcp of Python",
            redirect_uris=[AnyUrl(callback.address)],
            token_endpoint_auth_method="none",
        ),
        storage=_Memory(),
        redirect_handler=_show,
        callback_handler=callback.wait,
    )


async def _with_sdk(address: str, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    auth = None if token else await _signing_in(address)
    async with (
        httpx2.AsyncClient(headers=headers, auth=auth, timeout=TIMEOUT_S) as http,
        mcp.Client(streamable_http_client(address, http_client=http)) as client,
    ):
        await _converse(client, lambda listed: [tool.name for tool in listed.tools])


async def _with_fastmcp(address: str, token: str) -> None:
    async with fastmcp.Client(address, auth=token or "oauth") as client:
        await _converse(client, lambda listed: [tool.name for tool in listed])


async def _converse(client: Any, names: Callable[[Any], list[str]]) -> None:
    """Answer each line: with the tools' names, or with what a tool said."""
    _print({"ready": True})
    async for line in anyio.wrap_file(sys.stdin):
        asked = json.loads(line)
        if "tool" not in asked:
            _print({"tools": names(await client.list_tools())})
            continue
        result = await client.call_tool(asked["tool"], asked["arguments"])
        failed = getattr(result, "is_error", False)
        _print({"failed": failed, "text": "\n".join(getattr(block, "text", "") for block in result.content)})


def _print(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


class PythonAgent:
    """The other end: talks to that program."""

    def __init__(self, program: Conversation) -> None:
        self._program = program

    def sign_in(self) -> None:
        assert self._program.hear() == {"ready": True}

    def tools(self) -> set[str]:
        self._program.say({})
        return set(self._program.hear()["tools"])

    def call(self, tool: str, **arguments: str) -> str:
        self._program.say({"tool": tool, "arguments": arguments})
        answer = self._program.hear()
        assert not answer["failed"], answer["text"]
        return str(answer["text"])


def python_agent(name: str) -> Client:
    """The SDK's client on `asyncio` or `trio`, or `fastmcp`'s."""

    @contextmanager
    def start(at: Desk) -> Iterator[Agent]:
        command = [sys.executable, "-m", __name__, name, at.address, at.token or ""]
        with conversation(command, at, PYTHONPATH=str(_ROOT)) as program:
            yield PythonAgent(program)

    return start


if __name__ == "__main__":
    name, address, token = sys.argv[1:]
    backend = "trio" if name == "trio" else "asyncio"
    anyio.run(_with_fastmcp if name == "fastmcp" else _with_sdk, address, token, backend=backend)
