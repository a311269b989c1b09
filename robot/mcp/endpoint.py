"""The HTTP door of MCP: `/mcp` on every wiki host."""

from __future__ import annotations

import json
from collections.abc import Callable, Container
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import trio
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from proxy.asgi import Message, Receive, Scope, Send, values_of
from robot import access
from robot.answers import NO_STORE, answer
from robot.challenge import insufficient_scope, unauthorized
from robot.mcp.listening import Listening, accepted
from robot.model import Action, Anonymous, WikiRequest

MAX_BODY_BYTES = 4 * 1024 * 1024

# Where a client asks for notifications while its call runs; a page that holds these words costs a stream, no more.
_PROGRESS = b'"progressToken"'
# The 2026 protocol repeats the method in a header, which must agree with the body.
_METHOD = b"mcp-method"

Refusal = tuple[int, list[tuple[bytes, bytes]], bytes]


@dataclass(frozen=True, slots=True)
class Transport:
    """How the SDK carries the messages of one server: its managers, and which of them takes a message.

    `writing_tools` are the server's tools that somebody must have been allowed to write for.
    """

    managers: tuple[StreamableHTTPSessionManager, ...]
    manager_of: Callable[[bytes], StreamableHTTPSessionManager]
    writing_tools: Container[str]


def stateless(server: Server[Any], writing_tools: Container[str]) -> Transport:
    """Both protocol eras without sessions: nothing is lost when robot restarts, and any process could answer.

    A call that asks for progress is answered with an event stream, any other with one JSON body, which costs the SDK a
    third less time: for old clients a stream takes six tasks a call.
    """
    answering = StreamableHTTPSessionManager(
        server, stateless=True, json_response=True, max_request_body_size=MAX_BODY_BYTES
    )
    streaming = StreamableHTTPSessionManager(server, stateless=True, max_request_body_size=MAX_BODY_BYTES)
    return Transport((answering, streaming), lambda body: streaming if _PROGRESS in body else answering, writing_tools)


class McpEndpoint:
    """Lets in who may read the wiki, and hands what they send to the server behind `transport`.

    Where the server accepts requests to listen with `listening`, that is also what serves them, while it runs; it ends
    before the endpoint does, whose other requests have an end of their own.
    """

    def __init__(self, transport: Transport, listening: Listening | None = None) -> None:
        self._transport = transport
        self._listening = listening
        self._running = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; requests still running then are cancelled, and later ones get 503."""
        async with AsyncExitStack() as stack:
            for manager in self._transport.managers:
                await stack.enter_async_context(manager.run())
            self._running = True
            try:
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._running = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request on a wiki host; `scope["robot.request"]` says which wiki and who asks."""
        refusal = refuse(scope) if self._running else _refusal(503, "stopping", "robot is stopping; try again.")
        if refusal is not None:
            await answer(send, *refusal)
            return
        body = await _read_body(receive)
        if body is None:
            await answer(send, *_refusal(413, "body_too_large", f"A message has at most {MAX_BODY_BYTES} bytes."))
            return
        request: WikiRequest = scope["robot.request"]
        if access.may_once_granted(request.actor, Action.WRITE, request.wiki) and calls_one_of(
            self._transport.writing_tools, body
        ):
            await answer(send, *insufficient_scope(request.origin))
            return
        manager = self._transport.manager_of(body)
        if self._listening is not None and values_of(scope["headers"], _METHOD) == [b"subscriptions/listen"]:
            await _listen(self._listening, manager, scope, body, receive, send)
        elif _is_cancelled_by_leaving(scope):
            await _call_unless_left(manager, scope, body, receive, send)
        else:
            await manager.handle_request(scope, _replaying(body, receive), send)


async def _listen(
    listening: Listening,
    manager: StreamableHTTPSessionManager,
    scope: Scope,
    body: bytes,
    receive: Receive,
    send: Send,
) -> None:
    """Let the SDK judge the request, and be the stream ourselves; its answer is what the stream ends with."""
    ending = bytearray()

    async def hold(message: Message) -> None:
        if accepted(scope):
            ending.extend(message.get("body", b""))
        else:
            await send(message)

    await manager.handle_request(scope, _replaying(body, receive), hold)
    if accepted(scope):
        await listening.serve(scope, bytes(ending), receive, send)


async def _call_unless_left(
    manager: StreamableHTTPSessionManager, scope: Scope, body: bytes, receive: Receive, send: Send
) -> None:
    """Give up the call when its client leaves; the SDK would notice only on its way of streaming, at twice the cost."""

    async def watch(cancel_scope: trio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch, nursery.cancel_scope)
        await manager.handle_request(scope, _replaying(body, receive), send)
        nursery.cancel_scope.cancel()


def _is_cancelled_by_leaving(scope: Scope) -> bool:
    """Whether this is a tool's call in the 2026 protocol; in older ones, to leave says nothing."""
    versions = values_of(scope["headers"], b"mcp-protocol-version")
    return values_of(scope["headers"], _METHOD) == [b"tools/call"] and any(
        version.decode("latin-1") in MODERN_PROTOCOL_VERSIONS for version in versions
    )


def refuse(scope: Scope) -> Refusal | None:
    """Why a request goes no further, or None (pure).

    A page of another origin may not use a signed-in browser here (MCP, "Security Warning" of Streamable HTTP). There
    is no GET stream, since nothing is sent that nobody asked for, and no session that could be deleted.
    """
    request: WikiRequest = scope["robot.request"]
    own_origin = request.origin.encode()
    if any(origin != own_origin for origin in values_of(scope["headers"], b"origin")):
        return _refusal(403, "foreign_origin", "Web pages of another origin may not call this endpoint.")
    if isinstance(request.actor, Anonymous):
        return unauthorized(request.origin, token_sent=False)
    if not access.may(request.actor, Action.READ, request.wiki):
        return _refusal(403, "forbidden", "You may not read this wiki.")
    if scope["method"] != "POST":
        status, fields, body = _refusal(405, "method_not_allowed", "Send MCP messages with POST.")
        return status, [*fields, (b"allow", b"POST")], body
    kinds = [kind.split(b";")[0].strip().lower() for kind in values_of(scope["headers"], b"content-type")]
    if kinds != [b"application/json"]:
        return _refusal(415, "unsupported_media_type", "Send the message as application/json.")
    return None


def calls_one_of(tools: Container[str], body: bytes) -> bool:
    """Whether a message calls one of these tools (pure). What is no message, the SDK will refuse."""
    try:
        message = json.loads(body)
        return message["method"] == "tools/call" and message["params"]["name"] in tools
    except (ValueError, RecursionError, KeyError, TypeError):
        return False


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body, or None when it is longer than a message may be. A client that left has sent what it has."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replaying(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, and then whatever comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _refusal(status: int, code: str, sentence: str) -> Refusal:
    body = json.dumps({"error": sentence, "code": code}).encode()
    return status, [(b"content-type", b"application/json"), NO_STORE], body
