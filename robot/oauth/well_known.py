"""The metadata documents over HTTP, on the platform's host and on every wiki's: for anybody, from any origin."""

from __future__ import annotations

import json

from proxy.asgi import Scope, Send
from robot.answers import answer, answer_json
from robot.oauth.cross_origin import ANY_ORIGIN, answer_preflight
from robot.oauth.metadata import Document

_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"public, max-age=300"), *ANY_ORIGIN]


async def answer_document(scope: Scope, send: Send, document: Document) -> None:
    """Answer a request for a metadata document."""
    match scope["method"]:
        case "GET" | "HEAD" as method:
            await answer(send, 200, _HEADERS, json.dumps(document).encode(), head_only=method == "HEAD")
        case "OPTIONS":
            await answer_preflight(send)
        case _:
            sentence = {"error": "This document is only read.", "code": "method_not_allowed"}
            await answer_json(send, 405, sentence, (b"allow", b"GET, HEAD, OPTIONS"), *ANY_ORIGIN)
