"""Request bodies and query parameters, checked before anything is done with them."""

from __future__ import annotations

import json
import re
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, cast

import trio
from pydantic import BaseModel, Field, ValidationError
from quart import request
from werkzeug.exceptions import RequestEntityTooLarge

from robot.model import Agent, Anonymous, Person, WikiRequest
from robot.rest.refusals import Refused
from wikihost.texts import MAX_PAGE_CHARACTERS

# A page of a million characters, written as JSON escapes at worst.
MAX_PAGE_BODY_BYTES = 8 * 1024 * 1024
# Larger bodies are parsed in a thread: a megabyte takes the loop some milliseconds.
_PARSED_IN_PLACE_BYTES = 256 * 1024

_ETAG = re.compile(r'"([0-9a-f]{40})"')

Revision = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{7,40}$")]
Message = Annotated[str, Field(max_length=2_000)]


class PutPage(BaseModel):
    """Members that are not known are ignored, as they always were: scripts send more than they need."""

    content: Annotated[str, Field(max_length=MAX_PAGE_CHARACTERS)]
    revision: Revision | None = None
    commit_message: Message | None = None


class PatchPage(BaseModel):
    """The revision may also be in `If-Match`."""

    revision: Revision | None = None
    old_string: Annotated[str, Field(min_length=1, max_length=MAX_PAGE_CHARACTERS)]
    new_string: Annotated[str, Field(max_length=MAX_PAGE_CHARACTERS)]
    commit_message: Message | None = None


class RenamePage(BaseModel):
    new_path: Annotated[str, Field(min_length=1)]
    revision: Revision | None = None
    redirect: bool = True
    commit_message: Message | None = None


class Removal(BaseModel):
    """What may be said of a removal; all of it may also stand in the address, as many clients send no body."""

    revision: Revision | None = None
    commit_message: Message | None = None


class PostAttachment(BaseModel):
    """`content` is base64."""

    filename: str
    content: str
    revision: Revision | None = None
    commit_message: Message | None = None


Body = TypeVar("Body", bound=BaseModel)


def wiki_request() -> WikiRequest:
    """What the front decided about the request at hand."""
    scope: MutableMapping[str, Any] = cast("MutableMapping[str, Any]", request.scope)
    asked: WikiRequest = scope["robot.request"]
    return asked


def acting() -> Person | Agent:
    """Who makes a change, in whose name it will be. Raises Refused (401) when it is nobody."""
    actor = wiki_request().actor
    if isinstance(actor, Anonymous):
        raise Refused(401, "unauthorized", "Sign in first.")
    return actor


async def read_body(model: type[Body], *, most_bytes: int = MAX_PAGE_BODY_BYTES) -> Body:
    """The body as `model`. Raises Refused: 415 other types, 400 no JSON, 413 a text too long, 422 another shape."""
    if request.mimetype != "application/json":
        raise Refused(415, "unsupported_media_type", "Send the body as application/json.")
    if (request.content_length or 0) > most_bytes:
        raise RequestEntityTooLarge
    data = await body_bytes()
    if len(data) > most_bytes:
        raise RequestEntityTooLarge
    if len(data) > _PARSED_IN_PLACE_BYTES:
        return await trio.to_thread.run_sync(lambda: parse(model, data))
    return parse(model, data)


async def body_bytes() -> bytes:
    return cast("bytes", await request.get_data())


async def read_removal() -> Removal:
    """The body of a DELETE, or what the address says in its place. Raises as `read_body`."""
    if await body_bytes():
        return await read_body(Removal)
    said = {name: value for name in Removal.model_fields if (value := request.args.get(name))}
    return parse(Removal, json.dumps(said).encode())


def parse(model: type[Body], data: bytes) -> Body:
    """JSON as `model`. Raises Refused (400, 413, 422)."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
    if first["type"] == "json_invalid":
        raise Refused(400, "malformed_json", "The body is not valid JSON.")
    if first["type"] == "string_too_long":
        raise Refused(413, "page_too_large", f"{_place(first['loc'])}: {first['msg']}.")
    raise Refused(422, "invalid_body", f"{_place(first['loc'])}: {first['msg']}.")


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "body"


def query_text(name: str) -> str:
    """A parameter that must be there. Raises Refused (422)."""
    value = request.args.get(name, "")
    if not value.strip():
        raise Refused(422, "missing_parameter", f"The parameter {name} is missing.")
    return value


def query_flag(name: str, *, default: bool = False) -> bool:
    said = request.args.get(name, "").lower()
    return said in ("1", "true", "yes") or (default and said not in ("0", "false", "no"))


def query_revision(name: str = "revision") -> str | None:
    return request.args.get(name) or None


def if_match() -> str | None:
    """The revision in `If-Match`, which means the same as `revision` in the body (RFC 9110, section 13.1.1).

    Raises Refused (422) for what is no ETag of ours, such as `*`: it would overwrite what nobody has read.
    """
    header = request.headers.get("If-Match")
    if header is None:
        return None
    if (match := _ETAG.fullmatch(header.strip())) is None:
        raise Refused(422, "invalid_if_match", "If-Match must be the ETag of what you read.")
    return match[1]


def query_number(name: str, *, default: int, most: int, least: int = 1) -> int:
    """A parameter from `least` to `most`; what is no number counts as the default, as it always did."""
    try:
        value = int(request.args.get(name, default))
    except ValueError:
        return default
    return min(max(value, least), most)


def query_instant(name: str) -> datetime | None:
    """A parameter that is an ISO date or time, UTC unless it says otherwise. Raises Refused (422)."""
    text = request.args.get(name)
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(422, "invalid_date", f"{name} is not an ISO date: write it as 2026-01-31.") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
