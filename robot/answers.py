"""Whole answers that core gives without any framework: one start, one body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from proxy.asgi import Headers, Scope, Send, values_of
from robot.web.errors import STANDALONE_CSP, render_error
from robot.web.page import SECURITY_HEADERS

REQUEST_ID = "robot.request_id"
"""Where the front puts into the scope what names the request in logs, in `X-Request-Id` and on pages about failures."""

_TITLES = {
    400: "This request cannot be read",
    403: "Refused",
    404: "There is no wiki here",
    421: "This is another host",
    503: "Back in a moment",
}

NO_STORE = (b"cache-control", b"no-store")
_PAGE_SECURITY = [
    (name.lower().encode("ascii"), value.encode("ascii"))
    for name, value in {**SECURITY_HEADERS, "Content-Security-Policy": STANDALONE_CSP}.items()
]


def request_id_of(scope: Mapping[str, Any]) -> str:
    """The name of the request; empty for one that came past no front."""
    named: str = scope.get(REQUEST_ID, "")
    return named


def wants_html(headers: Headers) -> bool:
    """Whether a browser is asking for a page, as opposed to a program."""
    return any(b"text/html" in value for value in values_of(headers, b"accept"))


async def answer(send: Send, status: int, headers: Headers, body: bytes, *, head_only: bool = False) -> None:
    """Send a whole response; the length is set here. `head_only` answers HEAD."""
    framed = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": framed})
    await send({"type": "http.response.body", "body": b"" if head_only else body, "more_body": False})


async def answer_text(send: Send, status: int, sentence: str, *headers: tuple[bytes, bytes]) -> None:
    """Send one plain sentence, for clients that are no browsers."""
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await answer(send, status, [kind, NO_STORE, *headers], sentence.encode() + b"\n")


async def answer_json(send: Send, status: int, value: Mapping[str, Any], *headers: tuple[bytes, bytes]) -> None:
    """Send a JSON object."""
    kind = (b"content-type", b"application/json")
    await answer(send, status, [kind, NO_STORE, *headers], json.dumps(value, ensure_ascii=False).encode())


async def answer_html(send: Send, status: int, page: bytes, *headers: tuple[bytes, bytes]) -> None:
    """Send a page of `robot.web.errors`, which needs nothing but itself."""
    kind = (b"content-type", b"text/html; charset=utf-8")
    await answer(send, status, [kind, NO_STORE, *_PAGE_SECURITY, *headers], page)


async def redirect(send: Send, location: str) -> None:
    """Send the client elsewhere, with GET (RFC 9110 15.4.4)."""
    await answer(send, 303, [(b"location", location.encode("latin-1")), NO_STORE], b"")


async def answer_failure(scope: Scope, send: Send, status: int, code: str, title: str, sentence: str) -> None:
    """A failure as the client reads it: a page for browsers, JSON for programs and under the API."""
    if wants_html(scope["headers"]) and not _is_of_api(scope):
        await answer_html(send, status, render_error(status, title, sentence, request_id=request_id_of(scope)))
    else:
        await answer_json(send, status, {"error": sentence, "code": code})


async def answer_sentence(
    scope: Scope, send: Send, status: int, code: str, sentence: str, *headers: tuple[bytes, bytes]
) -> None:
    """A sentence for clients that are mostly no browsers: JSON under the API, text elsewhere, a page for browsers."""
    if _is_of_api(scope):
        await answer_json(send, status, {"error": sentence, "code": code}, *headers)
    elif wants_html(scope["headers"]):
        page = render_error(status, _TITLES[status], sentence, request_id=request_id_of(scope))
        await answer_html(send, status, page, *headers)
    else:
        await answer_text(send, status, sentence, *headers)


def _is_of_api(scope: Scope) -> bool:
    """Whether the API is meant, whose every answer is JSON; also by an address that is refused."""
    raw_path: bytes = scope["raw_path"]
    return raw_path == b"/api/v1" or raw_path.startswith(b"/api/v1/")
