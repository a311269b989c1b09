"""What the API says of itself, to anybody: that it answers, and how it is used."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import trio
from quart import Response, request

from robot.rest import shapes
from robot.rest.answers import answer, answer_bytes, as_json
from robot.rest.openapi import document
from robot.rest.operations import IF_NONE_MATCH, Access, Answer, Header, Operation

_ETAG = Header("ETag", "Changes with the document.", {"type": "string"})

HEALTH = Operation(
    "health",
    "About",
    "GET",
    "/health",
    "Whether the API answers",
    Access.ANYONE,
    (Answer(200, "It does.", shapes.Health),),
)
OPENAPI = Operation(
    "openapi",
    "About",
    "GET",
    "/openapi.json",
    "This description, as OpenAPI 3.1",
    Access.ANYONE,
    (
        Answer(200, "The document.", dict[str, object], headers=(_ETAG,)),
        Answer(304, "You have it already.", kinds=(), headers=(_ETAG,)),
    ),
    "It is the same for every wiki, and says nothing of any.",
    headers=(IF_NONE_MATCH,),
)


OPERATIONS = (HEALTH, OPENAPI)


class AboutRoutes:
    def __init__(self, described: Sequence[Operation]) -> None:
        self._described = described

    async def health(self) -> Response:
        health: shapes.Health = {"status": "ok"}
        return answer(200, health)

    async def openapi(self) -> Response:
        text, tag = await trio.to_thread.run_sync(lambda: self._document)
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if tag in request.headers.get("If-None-Match", ""):
            return Response(b"", 304, headers)
        return answer_bytes(200, text, headers)

    @cached_property
    def _document(self) -> tuple[bytes, str]:
        """The document and its ETag; made at the first request, which takes some tens of milliseconds."""
        text = as_json(document(self._described))
        return text, f'"{hashlib.sha256(text).hexdigest()[:32]}"'
