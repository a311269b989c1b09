"""Request bodies: taken in without filling the memory, and checked before anything is done with them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, TypeVar, cast

import trio
from pydantic import BaseModel, Field, ValidationError
from quart import request
from werkzeug.exceptions import RequestEntityTooLarge

from robot.model import Agent, Anonymous, Person, WikiRequest
from robot.rest.inflow import inflow
from robot.rest.queries import Message, RemovePage, Revision
from robot.rest.refusals import Refused
from robot.shares import Shares
from wikihost.texts import MAX_PAGE_CHARACTERS
from wikihost.writer import storage_errors

# A page of a million characters, written as JSON escapes at worst.
MAX_PAGE_BODY_BYTES = 8 * 1024 * 1024
# Larger bodies wait in files, and are parsed in a thread: a megabyte takes the loop some milliseconds.
IN_MEMORY_BYTES = 256 * 1024
# Of large bodies, so many are in memory at once, and fewer of one wiki, whose writes wait for each other. Each has
# arrived whole by then, so no slow client is waited for.
_LARGE_AT_ONCE, _LARGE_OF_A_WIKI = 2, 1

_TEXTS = frozenset({"content", "old_string", "new_string"})

_BASE = Field(description="What you read, 7 to 40 digits; also in `If-Match`.", examples=["3f2a9c0d"])
_NewText = Annotated[
    str,
    Field(max_length=MAX_PAGE_CHARACTERS, description="The whole text.", examples=["# Restore\n\nStop the service.\n"]),
]


class PutPage(BaseModel):
    """Members that are not known are ignored, as they always were: scripts send more than they need."""

    content: _NewText
    revision: Annotated[
        Revision | None, Field(description="What you read, 7 to 40 digits; also in `If-Match`. A new page needs none.")
    ] = None
    commit_message: Message | None = None


class PatchPage(BaseModel):
    """The revision may also be in `If-Match`."""

    revision: Annotated[Revision | None, _BASE] = None
    old_string: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_PAGE_CHARACTERS,
            description="Must occur exactly once, frontmatter included.",
            examples=["Then copy."],
        ),
    ]
    new_string: Annotated[
        str,
        Field(
            max_length=MAX_PAGE_CHARACTERS,
            description="Comes in its place; empty deletes.",
            examples=["Then copy the directory."],
        ),
    ]
    commit_message: Message | None = None


class RenamePage(BaseModel):
    new_path: Annotated[
        str,
        Field(
            min_length=1,
            description="The new name.",
            examples=["Runbooks/Restore a backup"],
            json_schema_extra={"format": "page-name"},
        ),
    ]
    revision: Annotated[Revision | None, _BASE] = None
    redirect: Annotated[bool, Field(description="Leave a small page that says where it went.")] = True
    commit_message: Message | None = None


class Removal(BaseModel):
    """What may be said of a removal; all of it may also stand in the address, as many clients send no body."""

    revision: Annotated[Revision | None, _BASE] = None
    commit_message: Message | None = None


class PostAttachment(BaseModel):
    filename: Annotated[
        str,
        Field(description="Cannot end in `.md`.", examples=["setup.png"], json_schema_extra={"format": "file-name"}),
    ]
    content: Annotated[
        str,
        Field(
            description="The bytes, at most 10 MiB, in base64 without line breaks.",
            examples=["iVBORw0KGgo="],
            json_schema_extra={"contentEncoding": "base64", "format": "byte"},
        ),
    ]
    revision: Annotated[Revision | None, Field(description="Overwrite only this revision; also in `If-Match`.")] = None
    commit_message: Message | None = None


Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Received:
    """A body that has arrived whole. `digest` is its SHA-256."""

    size: int
    digest: bytes
    _file: SpooledTemporaryFile[bytes]

    def read(self) -> bytes:
        """All of it; in a thread when it is large."""
        self._file.seek(0)
        return self._file.read()


class Bodies:
    """Takes bodies in; large ones go through nameless files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._large = trio.CapacityLimiter(_LARGE_AT_ONCE)
        self._shares = Shares(_LARGE_OF_A_WIKI)

    async def read_removal(self, asked: RemovePage) -> Removal:
        """The body of a DELETE, if any; the address says what it leaves out. Raises as `read_json`."""
        async with self.receive(most_bytes=MAX_PAGE_BODY_BYTES) as received:
            said = await read_json(Removal, received) if received.size else Removal()
        return Removal(
            revision=said.revision or asked.revision, commit_message=said.commit_message or asked.commit_message
        )

    @asynccontextmanager
    async def receive(self, *, most_bytes: int) -> AsyncIterator[Received]:
        """The body of the request at hand, for use within the block. Raises RequestEntityTooLarge, `StorageFull`."""
        if (request.content_length or 0) > most_bytes:
            raise RequestEntityTooLarge
        with SpooledTemporaryFile(max_size=IN_MEMORY_BYTES, dir=os.fspath(self._folder)) as file:
            received = await _fill(file, most_bytes)
            if received.size <= IN_MEMORY_BYTES:
                yield received
                return
            async with self._shares.turn(wiki_request().wiki.id), self._large:
                yield received


async def _fill(file: SpooledTemporaryFile[bytes], most_bytes: int) -> Received:
    size, digest = 0, hashlib.sha256()

    def write(piece: bytes) -> None:
        digest.update(piece)
        with storage_errors():
            file.write(piece)

    async for piece in request.body:
        size += len(piece)
        if size > most_bytes:
            raise RequestEntityTooLarge
        if size <= IN_MEMORY_BYTES:
            write(piece)
        else:
            await trio.to_thread.run_sync(write, piece)
        inflow().took(len(piece))
    return Received(size, digest.digest(), file)


async def read_json(model: type[Body], received: Received) -> Body:
    """The body as `model`. Raises Refused: 415 other types, 400 no JSON, 413 a text too long, 422 another shape."""
    if request.mimetype != "application/json":
        raise Refused(415, "unsupported_media_type", "Send the body as application/json.")
    if received.size > IN_MEMORY_BYTES:
        return await trio.to_thread.run_sync(lambda: _parse(model, received.read()))
    return _parse(model, received.read())


def _parse(model: type[Body], data: bytes) -> Body:
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        raise Refused(400, "malformed_json", "The body is not valid JSON.")
    place = ".".join(str(part) for part in first["loc"]) or "body"
    sentence = f"{place}: {first['msg']}."
    if first["type"] == "string_too_long" and first["loc"][0] in _TEXTS:
        raise Refused(413, "page_too_large", sentence)
    raise Refused(422, "invalid_body", sentence)


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
