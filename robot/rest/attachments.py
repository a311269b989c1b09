"""`/api/v1/pages/{page}/attachments`: the files of a page, as JSON with base64 or as they are."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote, unquote

from quart import Quart, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from robot.contents import Contents
from robot.rest import answers
from robot.rest.answers import answer, answer_text, etag, not_modified
from robot.rest.bodies import (
    PostAttachment,
    body_bytes,
    if_match,
    query_flag,
    query_number,
    query_revision,
    read_body,
    read_removal,
    wiki_request,
)
from robot.rest.changing import Changing, Reply
from robot.rest.refusals import Refused
from wikihost.attachments import MAX_ATTACHMENT_BYTES, too_large
from wikihost.content import Content
from wikihost.values import Attachment, Author

MAX_LISTED = 1_000
_MAX_JSON_BYTES = 15 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
# What a browser may show in place: it can run no script. Everything else is saved to disk.
_SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


class AttachmentRoutes:
    def __init__(self, contents: Contents, changing: Changing) -> None:
        self._contents = contents
        self._changing = changing

    def add_to(self, app: Quart) -> None:
        files = "/api/v1/pages/<path:name>/attachments"
        file = f"{files}/<filename>"
        app.add_url_rule(files, "list_attachments", self.list_attachments, methods=["GET"])
        app.add_url_rule(files, "post_attachment", self.post_attachment, methods=["POST"])
        app.add_url_rule(file, "read_attachment", self.read_attachment, methods=["GET"])
        app.add_url_rule(file, "put_attachment", self.put_attachment, methods=["PUT"])
        app.add_url_rule(file, "delete_attachment", self.delete_attachment, methods=["DELETE"])

    async def list_attachments(self, name: str) -> Response:
        files = await self._contents.run(wiki_request().wiki, lambda content: content.list_attachments(unquote(name)))
        limit = query_number("limit", default=50, most=MAX_LISTED)
        path = files[0].page if files else unquote(name)
        return answer(200, answers.attachment_list(path, files, request.args.get("cursor", ""), limit))

    async def post_attachment(self, name: str) -> Response:
        try:
            body = await read_body(PostAttachment, most_bytes=_MAX_JSON_BYTES)
        except RequestEntityTooLarge:
            raise too_large() from None
        base = body.revision or if_match()
        upload = _Upload(unquote(name), body.filename, base, body.commit_message, query_flag("dry_run"))
        return await self._changing.run(lambda content, author: upload.store(content, author, _decode(body.content)))

    async def put_attachment(self, name: str, filename: str) -> Response:
        try:
            data = await body_bytes()
        except RequestEntityTooLarge:
            raise too_large() from None
        base, message = query_revision() or if_match(), request.args.get("commit_message")
        upload = _Upload(unquote(name), unquote(filename), base, message, query_flag("dry_run"))
        return await self._changing.run(lambda content, author: upload.store(content, author, data))

    async def read_attachment(self, name: str, filename: str) -> Response:
        raw = query_flag("raw")

        def read(content: Content) -> tuple[Attachment, bytes, str]:
            file, data = content.read_attachment(unquote(name), unquote(filename))
            return file, data, "" if raw else answers.as_json(answers.attachment(file, data))

        file, data, text = await self._contents.run(wiki_request().wiki, read)
        if (same := not_modified(file.revision)) is not None:
            return same
        return _whole(file, data) if raw else answer_text(200, text, etag(file.revision))

    async def delete_attachment(self, name: str, filename: str) -> Response:
        body, dry_run = await read_removal(), query_flag("dry_run")
        base = body.revision or if_match()

        def delete(content: Content, author: Author) -> Reply:
            done = content.delete_attachment(
                unquote(name),
                unquote(filename),
                base=base,
                author=author,
                message=body.commit_message or None,
                dry_run=dry_run,
            )
            return Reply(200, answers.attachment_removed(done, dry_run=dry_run))

        return await self._changing.run(delete)


@dataclass(frozen=True, slots=True)
class _Upload:
    """What a request says of a file that it brings."""

    name: str
    filename: str
    base: str | None
    message: str | None
    dry_run: bool

    def store(self, content: Content, author: Author, data: bytes) -> Reply:
        done = content.write_attachment(
            self.name,
            self.filename,
            data,
            base=self.base,
            author=author,
            message=self.message or None,
            dry_run=self.dry_run,
        )
        body = answers.attached(done, dry_run=self.dry_run)
        return Reply(200 if self.dry_run else 201, body, None if self.dry_run else done.revision)


def _decode(text: str) -> bytes:
    """Strict base64 (RFC 4648, section 4). Raises Refused (422)."""
    if len(text) > 4 * (MAX_ATTACHMENT_BYTES // 3 + 1):
        raise too_large()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(422, "invalid_base64", "content is not valid base64; nothing was stored.") from None


def _whole(file: Attachment, data: bytes) -> Response:
    """The bytes in pieces; as a download, unless it is an image that can hold no script."""
    kind = answers.mime_type(file.filename)
    placed = "inline" if kind in _SHOWN else "attachment"

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(data), _CHUNK_BYTES):
            yield data[start : start + _CHUNK_BYTES]

    headers = {
        **etag(file.revision),
        "Cache-Control": "no-cache",
        "Content-Length": str(len(data)),
        "Content-Disposition": f"{placed}; filename*=UTF-8''{quote(file.filename, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(pieces(), 200, headers, content_type=kind)
