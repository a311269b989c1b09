"""`/api/v1/pages/{page}/attachments`: the files of a page, as JSON with base64 or as they are."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import unquote

from quart import Response
from werkzeug.exceptions import RequestEntityTooLarge

from robot.contents import WikiContents
from robot.rest import answers, downloads, shapes
from robot.rest.answers import answer
from robot.rest.bodies import Bodies, PostAttachment, Removal, read_json, wiki_request
from robot.rest.changing import Changing, Reply
from robot.rest.conditions import base_revision, not_modified
from robot.rest.downloads import Downloads
from robot.rest.operations import (
    ANY_TYPE,
    BYTES,
    ETAG,
    IF_NONE_MATCH,
    JSON,
    NOT_MODIFIED,
    RANGE,
    REPLAYED,
    WRITING,
    WRITTEN,
    Access,
    Answer,
    Operation,
)
from robot.rest.problems import BODY, CHANGING, GUARDED, LISTING, READING
from robot.rest.queries import Change, Listed, PutAttachment, ReadAttachment, RemovePage, read_query
from robot.rest.refusals import Refused
from wikihost.attachments import MAX_ATTACHMENT_BYTES, MAX_BASE64_CHARS, too_large
from wikihost.content import Content
from wikihost.values import Author

# The largest attachment in base64, and what is around it.
MAX_JSON_BYTES = 15 * 1024 * 1024

_FILES = "/pages/{name}/attachments"
_FILE = f"{_FILES}/{{filename}}"
_OF_PAGE = ("page_not_found", "invalid_page_name")

LIST = Operation(
    "list_attachments",
    "Attachments",
    "GET",
    _FILES,
    "List the files of a page",
    Access.READER,
    (Answer(200, "The files.", shapes.AttachmentList),),
    "",
    (*READING, *LISTING, *_OF_PAGE),
    query=Listed,
)
POST = Operation(
    "post_attachment",
    "Attachments",
    "POST",
    _FILES,
    "Store a file that comes in JSON",
    Access.WRITER,
    (
        Answer(201, "It is stored.", shapes.AttachmentStored, headers=WRITTEN),
        Answer(200, "It would be, after a dry run.", shapes.AttachmentStored, headers=(REPLAYED,)),
    ),
    "A file can have at most 10 MiB.",
    (
        *READING,
        *BODY,
        *CHANGING,
        *GUARDED,
        *_OF_PAGE,
        "page_exists",
        "invalid_attachment",
        "invalid_base64",
        "quota_exceeded",
    ),
    query=Change,
    headers=WRITING,
    body=PostAttachment,
)
READ = Operation(
    "read_attachment",
    "Attachments",
    "GET",
    _FILE,
    "Read a file",
    Access.READER,
    (
        Answer(
            200,
            "The file: JSON, or its bytes with their own type.",
            shapes.AttachmentAnswer,
            kinds=(JSON, ANY_TYPE),
            headers=(ETAG,),
        ),
        Answer(206, "A part of the bytes.", kinds=(ANY_TYPE,), headers=(ETAG,)),
        NOT_MODIFIED,
    ),
    "Bytes are sent so that no browser runs them. JSON is for files of at most 10 MiB.",
    (*READING, *LISTING, *_OF_PAGE, "attachment_not_found", "range_not_satisfiable"),
    query=ReadAttachment,
    headers=(IF_NONE_MATCH, RANGE),
)
PUT = Operation(
    "put_attachment",
    "Attachments",
    "PUT",
    _FILE,
    "Store a file that comes as it is",
    Access.WRITER,
    POST.answers,
    "The body is the file, of any type, at most 10 MiB.",
    (
        *READING,
        *CHANGING,
        *GUARDED,
        *_OF_PAGE,
        "request_timeout",
        "body_too_large",
        "page_exists",
        "invalid_attachment",
        "quota_exceeded",
    ),
    query=PutAttachment,
    headers=WRITING,
    body=BYTES,
)
DELETE = Operation(
    "delete_attachment",
    "Attachments",
    "DELETE",
    _FILE,
    "Remove a file",
    Access.WRITER,
    (Answer(200, "It is gone.", shapes.AttachmentRemoved, headers=(REPLAYED,)),),
    "The body is optional; what it says may also stand in the address.",
    (*READING, *BODY, *CHANGING, *GUARDED, "page_not_found", "attachment_not_found"),
    query=RemovePage,
    headers=WRITING,
    body=Removal,
    body_required=False,
)

OPERATIONS = (LIST, POST, READ, PUT, DELETE)


class AttachmentRoutes:
    def __init__(self, contents: WikiContents, changing: Changing, bodies: Bodies, downloads: Downloads) -> None:
        self._contents = contents
        self._changing = changing
        self._bodies = bodies
        self._downloads = downloads

    async def list_attachments(self, name: str) -> Response:
        asked = read_query(Listed)
        files = await self._contents.run(wiki_request().wiki, lambda content: content.list_attachments(unquote(name)))
        path = files[0].page if files else unquote(name)
        return answer(200, answers.attachment_list(path, files, asked.cursor, asked.limit))

    async def post_attachment(self, name: str) -> Response:
        dry_run = read_query(Change).dry_run
        try:
            async with self._bodies.receive(most_bytes=MAX_JSON_BYTES) as received:
                body = await read_json(PostAttachment, received)
                base = base_revision(body.revision)
                upload = _Upload(unquote(name), body.filename, base, body.commit_message, dry_run)
                return await self._changing.run(
                    lambda content, author: upload.store(content, author, _decode(body.content)), received.digest
                )
        except RequestEntityTooLarge:
            raise too_large() from None

    async def put_attachment(self, name: str, filename: str) -> Response:
        asked = read_query(PutAttachment)
        base = base_revision(asked.revision)
        upload = _Upload(unquote(name), unquote(filename), base, asked.commit_message, asked.dry_run)
        try:
            async with self._bodies.receive(most_bytes=MAX_ATTACHMENT_BYTES) as received:
                return await self._changing.run(
                    lambda content, author: upload.store(content, author, received.read()), received.digest
                )
        except RequestEntityTooLarge:
            raise too_large() from None

    async def read_attachment(self, name: str, filename: str) -> Response:
        raw = read_query(ReadAttachment).raw
        wiki = wiki_request().wiki
        file = await self._contents.run(wiki, lambda content: content.find_attachment(unquote(name), unquote(filename)))
        if (same := not_modified(file.revision)) is not None:
            return same
        body = await self._contents.run(wiki, lambda content: self._downloads.read(content, file, raw=raw))
        return downloads.as_it_is(file, body) if raw else downloads.as_json(file, body)

    async def delete_attachment(self, name: str, filename: str) -> Response:
        asked = read_query(RemovePage)
        body = await self._bodies.read_removal(asked)
        base = base_revision(body.revision)

        def delete(content: Content, author: Author) -> Reply:
            done = content.delete_attachment(
                unquote(name),
                unquote(filename),
                base=base,
                author=author,
                message=body.commit_message or None,
                dry_run=asked.dry_run,
            )
            return Reply(200, answers.attachment_removed(done, dry_run=asked.dry_run))

        return await self._changing.run(delete, body.model_dump_json().encode())


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
    if len(text) > MAX_BASE64_CHARS:
        raise too_large()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(422, "invalid_base64", "content is not valid base64; nothing was stored.") from None
