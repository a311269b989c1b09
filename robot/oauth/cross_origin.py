"""Endpoints that scripts of any origin may call: a program in a browser registers and fetches tokens as any other.

These endpoints know a caller by what is in the request and never by a cookie, so none reaches them, and no answer may
be read with credentials (Fetch standard, "CORS protocol and credentials").
"""

from __future__ import annotations

from typing import Final

from proxy.asgi import App, Message, Receive, Scope, Send
from robot.answers import answer
from robot.oauth.endpoints import REGISTER, REVOKE, TOKEN

OPEN_PATHS: Final = frozenset({REGISTER, TOKEN, REVOKE})

ANY_ORIGIN: Final = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"WWW-Authenticate, Retry-After"),
]
_PREFLIGHT: Final = [
    *ANY_ORIGIN,
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"Authorization, Content-Type, MCP-Protocol-Version"),
    (b"access-control-max-age", b"86400"),
]


async def serve_any_origin(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Have `app` answer, without cookies; whoever asks may read the answer."""

    async def open_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *ANY_ORIGIN]}
        await send(message)

    if scope["method"] == "OPTIONS":
        await answer_preflight(send)
    else:
        headers = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
        await app({**scope, "headers": headers}, receive, open_send)


async def answer_preflight(send: Send) -> None:
    """Tell a browser that the request it is about to make is welcome."""
    await answer(send, 204, _PREFLIGHT, b"")
