"""A file of a page on its way out: read whole in a thread, then sent from a nameless file at the client's pace."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType
from urllib.parse import quote

import trio
from quart import Response, request
from quart.wrappers.response import ResponseBody
from werkzeug.http import parse_range_header

from robot.rest import answers
from robot.rest.bodies import IN_MEMORY_BYTES
from robot.rest.conditions import etag
from robot.rest.refusals import Refused
from wikihost.attachments import MAX_ATTACHMENT_BYTES, mime_type
from wikihost.content import Content
from wikihost.values import Attachment
from wikihost.writer import storage_errors

_PIECE_BYTES = 64 * 1024
# What a browser may show in place: it can run no script. Everything else is saved to disk.
_SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


class Downloads:
    """Answers with files; large ones wait in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, content: Content, file: Attachment, *, raw: bool) -> Waiting:
        """The file as it is, or as JSON; in a thread. Raises Refused for JSON that would be very large."""
        if not raw and file.size > MAX_ATTACHMENT_BYTES:
            raise Refused(422, "invalid_parameter", "The file is larger than 10 MiB: read it with raw=1.")
        with storage_errors():
            waiting = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES, dir=os.fspath(self._folder))  # noqa: SIM115
            if raw:
                content.copy_blob(file.blob, waiting.write)
            else:
                waiting.write(answers.as_json(answers.attachment(file, content.read_blob(file.blob))))
            return Waiting(waiting, waiting.tell())


class Waiting(ResponseBody):
    """Bytes to send, from `begin` to before `end`. Closed with the response, or with its last reference."""

    def __init__(self, file: SpooledTemporaryFile[bytes], size: int) -> None:
        self._file = file
        self.size = size
        self.begin, self.end = 0, size

    async def __aenter__(self) -> Waiting:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._file.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._file.seek(self.begin)
        left = self.end - self.begin
        while left > 0:
            piece = await self._read(min(left, _PIECE_BYTES))
            left -= len(piece)
            yield piece

    async def _read(self, count: int) -> bytes:
        if self.size <= IN_MEMORY_BYTES:
            return self._file.read(count)
        return await trio.to_thread.run_sync(self._file.read, count)


def as_it_is(file: Attachment, body: Waiting) -> Response:
    """The bytes or the range that was asked for; as a download, unless it is an image that can hold no script."""
    kind = mime_type(file.filename)
    placed = "inline" if kind in _SHOWN else "attachment"
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"{placed}; filename*=UTF-8''{quote(file.filename, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    span = _range_asked_for(file, body.size)
    if span is None:
        return _answer(200, file, body, headers, kind)
    body.begin, body.end = span
    headers["Content-Range"] = f"bytes {body.begin}-{body.end - 1}/{body.size}"
    return _answer(206, file, body, headers, kind)


def as_json(file: Attachment, body: Waiting) -> Response:
    return _answer(200, file, body, {}, "application/json")


def _answer(status: int, file: Attachment, body: Waiting, headers: Mapping[str, str], kind: str) -> Response:
    length = {"Content-Length": str(body.end - body.begin), "Cache-Control": "no-cache"}
    response = Response(body, status, {**etag(file.revision), **length, **headers}, content_type=kind)
    response.timeout = None  # the connection's own deadlines tell a slow reader from one that stopped
    return response


def _range_asked_for(file: Attachment, size: int) -> tuple[int, int] | None:
    """The one range of bytes to send (RFC 9110, section 14.2), None for all. Raises Refused (416)."""
    asked = parse_range_header(request.headers.get("Range"))
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return None
    unchanged = request.headers.get("If-Range", etag(file.revision)["ETag"])
    if unchanged != etag(file.revision)["ETag"]:
        return None
    span = asked.range_for_length(size)
    if span is None:
        raise Refused(416, "range_not_satisfiable", f"The file has {size} bytes.", {"Content-Range": f"bytes */{size}"})
    return span
