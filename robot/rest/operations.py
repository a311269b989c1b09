"""What one method at one address takes, gives and refuses: the table from which routes and document are both made.

Each group of handlers has its `OPERATIONS` beside it; `add_routes` puts them on the application.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from quart import Quart, Response

from robot.rest.queries import Query

PREFIX = "/api/v1"
JSON = "application/json"
BYTES = "application/octet-stream"
ANY_TYPE = "*/*"


class Access(enum.Enum):
    """Who may; `access.may` decides, but for the two that it does not know."""

    ANYONE = "Needs no token."
    READER = "Needs a token that may read, unless the wiki is public or unlisted."
    TOKEN = "Needs a token that may read, also where the wiki is public."  # noqa: S105  (no secret)
    WRITER = "Needs a token that may write."


@dataclass(frozen=True, slots=True)
class Header:
    """A header of a request or an answer; `schema` is JSON Schema."""

    name: str
    meaning: str
    schema: Mapping[str, Any]
    example: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer. `shape` is the TypedDict of its JSON; `kinds` are its media types, none of them for no body."""

    status: int
    meaning: str
    shape: Any = None
    kinds: Sequence[str] = (JSON,)
    headers: Sequence[Header] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One route. `path` is below `PREFIX`; `problems` are codes of `problems.PROBLEMS` beyond those of every route.

    `body` is a model of JSON, or the media type of bytes.
    """

    id: str
    group: str
    method: str
    path: str
    summary: str
    access: Access
    answers: Sequence[Answer]
    description: str = ""
    problems: Sequence[str] = ()
    query: type[Query] | None = None
    headers: Sequence[Header] = ()
    body: type[BaseModel] | str | None = None
    body_required: bool = True

    @property
    def rule(self) -> str:
        """The address as Quart's router takes it: a page's name may go over slashes."""
        return PREFIX + re.sub(r"\{(\w+)\}", r"<\1>", self.path.replace("{name}", "<path:name>"))


def add_routes(app: Quart, operations: Sequence[Operation], handlers: object) -> None:
    """Let the method of `handlers` that is named as an operation answer it."""
    for operation in operations:
        handler: Callable[..., Awaitable[Response]] = getattr(handlers, operation.id)
        app.add_url_rule(operation.rule, operation.id, handler, methods=[operation.method])


_HEX = "[0-9a-f]{40}"
KEY = "[!-~]([ -~]{0,253}[!-~])?"  # of `Idempotency-Key`
_SOME_ETAG = '"3f2a9c0d1e4b5a69788796a5b4c3d2e1f0a9b8c7"'

ETAG = Header("ETag", "The revision, in quotes.", {"type": "string", "pattern": f'^"{_HEX}"$'})
PAGE_ETAG = Header(
    "ETag",
    "The revision, in quotes; with the page's name behind it where an old name led there, which no write takes.",
    {"type": "string", "pattern": f'^"{_HEX}(/[!#-~]+)?"$'},
)
LOCATION = Header("Location", "Where to ask how far it is.", {"type": "string"})
REPLAYED = Header(
    "Idempotent-Replayed",
    "`true` when this is the kept answer to an earlier request with the same key.",
    {"type": "string", "enum": ["true"]},
)
IF_NONE_MATCH = Header(
    "If-None-Match", "The `ETag` of what you have; 304 when it is still the same.", {"type": "string"}, _SOME_ETAG
)
IF_MATCH = Header(
    "If-Match",
    "The `ETag` of what you read; means the same as `revision`.",
    {"type": "string", "pattern": f'^"{_HEX}"$', "minLength": 42, "maxLength": 42},
    _SOME_ETAG,
)
IDEMPOTENCY_KEY = Header(
    "Idempotency-Key",
    "Of your own making. The same request with the same key is done once in a day, and answered the same.",
    {"type": "string", "pattern": f"^{KEY}$"},
    "nightly-report-2026-11-20",
)
RANGE = Header("Range", "With `raw=1`: a part of the file.", {"type": "string"}, "bytes=0-1023")

NOT_MODIFIED = Answer(304, "You have it already.", kinds=(), headers=(ETAG,))
WRITING = (IF_MATCH, IDEMPOTENCY_KEY)
WRITTEN = (ETAG, REPLAYED)
