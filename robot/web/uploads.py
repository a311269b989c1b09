"""Files that come with a form: written to disk while they arrive, before the platform sees the form.

An ASGI application in front of the platform's, for the one form that brings a file. Once the file is on disk the form
goes on as if it had been a small one, with the `Upload` in its scope. What comes from somebody who may not import is
passed on as it came: the platform's pages say no, and nothing is written.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import trio
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from proxy.asgi import App, Headers, Message, Receive, Scope, Send, values_of
from robot.access import may, role_of
from robot.answers import answer_html, request_id_of
from robot.db import Database
from robot.git.body import Body, BodyUnreadable, ClientLeft
from robot.imports.jobs import Imports
from robot.model import Action, Person
from robot.signin.sessions import Sessions
from robot.web.errors import render_error
from robot.wikis import find_wiki_by_slug
from wikihost.errors import StorageFailed, StorageFull
from wikihost.writer import storage_errors

UPLOAD = "robot.upload"
"""The key of a request's `Upload` in its scope."""

_MAX_FIELDS = 10
_MAX_FIELD_BYTES = 4096
_PIECE_BYTES = 256 * 1024
_REMOVE_S = 10.0


@dataclass(slots=True)
class Upload:
    """A file that came with a form, `path` in the directory `root` of its own; whoever keeps it sets `kept`."""

    root: Path
    name: str
    kept: bool = False

    @property
    def path(self) -> Path:
        return self.root / "upload"


class Uploads:
    """The platform's application, and what comes before it for `POST /app/wiki/{slug}/import`."""

    def __init__(self, platform: App, *, db: Database, sessions: Sessions, imports: Imports, max_bytes: int) -> None:
        self._platform = platform
        self._db = db
        self._sessions = sessions
        self._imports = imports
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        boundary = self._boundary(scope)
        if boundary is None:
            await self._platform(scope, receive, send)
            return
        root = self._imports.new_root()
        upload = Upload(root, "")
        try:
            with storage_errors():
                body = Body(receive, scope["headers"], max_bytes=self._max_bytes)
                form = await _read_form(boundary, body, upload)
            await self._platform(*_as_small_form(scope, receive, form), send)
        except ClientLeft:
            pass
        except StorageFull:
            await _failed(scope, send, 507, "The disk is full")
        except StorageFailed:
            await _failed(scope, send, 500, "The disk failed")
        finally:
            if not upload.kept:
                with trio.move_on_after(_REMOVE_S, shield=True):
                    await trio.to_thread.run_sync(lambda: shutil.rmtree(root, ignore_errors=True))

    def _boundary(self, scope: Scope) -> bytes | None:
        """The boundary of a form with a file from somebody who may send one; None for everything else."""
        match scope["method"], scope["path"].split("/"):
            case "POST", ["", "app", "wiki", slug, "import"] if self._may_import(scope["headers"], slug):
                types = values_of(scope["headers"], b"content-type")
                kind, options = parse_options_header(types[0].decode("latin-1") if len(types) == 1 else "")
                boundary = options.get("boundary", "")
                return boundary.encode("latin-1", "replace") if kind == "multipart/form-data" and boundary else None
        return None

    def _may_import(self, headers: Headers, slug: str) -> bool:
        user, wiki = self._sessions.platform_user(headers), find_wiki_by_slug(self._db, slug)
        if user is None or wiki is None:
            return False
        return may(Person(user, role_of(self._db, user.id, wiki.id)), Action.WRITE, wiki)


@dataclass(slots=True)
class _Form:
    """A form in the making. The decoder says which part the data that follows belongs to."""

    upload: Upload
    fields: dict[str, bytes] = field(default_factory=dict)
    into: str | None = None  # the field that data is of; None: the file

    def take(self, data: bytes) -> bytes:
        """Keep what belongs to a field; what belongs to the file is given back."""
        if self.into is None:
            return data
        self.fields[self.into] += data
        if len(self.fields[self.into]) > _MAX_FIELD_BYTES:
            raise BodyUnreadable("a field of the form is too long")
        return b""


async def _read_form(boundary: bytes, body: Body, upload: Upload) -> _Form:
    """Read a multipart form (RFC 7578): small fields, and one file, which goes to disk.

    Raises `BodyRefused` and its kinds, `ClientLeft`, OSError.
    """
    decoder = MultipartDecoder(boundary, max_form_memory_size=4 * _PIECE_BYTES, max_parts=_MAX_FIELDS)
    form = _Form(upload)
    await trio.Path(upload.root).mkdir(mode=0o700, parents=True)
    async with await trio.open_file(upload.path, "xb") as file:
        while piece := await body.read():
            for start in range(0, len(piece), _PIECE_BYTES):
                await file.write(_decode(decoder, form, piece[start : start + _PIECE_BYTES]))
        await file.write(_decode(decoder, form, None))
    return form


def _decode(decoder: MultipartDecoder, form: _Form, piece: bytes | None) -> bytes:
    """The bytes of the file in this piece of the body; None is its end, which must be the form's too."""
    found: list[bytes] = []
    try:
        decoder.receive_data(piece)
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            match event:
                case File(filename=filename):
                    form.into = None
                    form.upload.name = form.upload.name or filename or ""
                case Field(name=name):
                    form.into = name
                    form.fields[name] = b""
                case Data(data=data):
                    found.append(form.take(data))
    except (ValueError, RequestEntityTooLarge) as error:
        raise BodyUnreadable("the form cannot be read") from error
    return b"".join(found)


def _as_small_form(scope: Scope, receive: Receive, form: _Form) -> tuple[Scope, Receive]:
    """The request as one without a file, and how the platform reads it."""
    texts: Mapping[str, str] = {name: value.decode("utf-8", "replace") for name, value in form.fields.items()}
    body = urlencode(texts).encode()
    replaced = (b"content-type", b"content-length", b"transfer-encoding", b"content-encoding")
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in replaced]
    headers += [
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"content-length", str(len(body)).encode()),
    ]
    small: dict[str, Any] = {**scope, "headers": headers}
    if form.upload.name:
        small[UPLOAD] = form.upload
    told = False

    async def receive_again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return small, receive_again


async def _failed(scope: Scope, send: Send, status: int, title: str) -> None:
    page = render_error(status, title, "The file was not taken.", request_id=request_id_of(scope))
    await answer_html(send, status, page)
