"""Files of pages: images come as images, texts as texts, and what is too large as an address."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from pydantic import Field

from robot.mcp import uris
from robot.mcp.addresses import file_address
from robot.mcp.call import Call
from robot.mcp.failures import ToolFailed, sentence
from robot.mcp.render import DATA_NOTICE, MAX_CONTENT_BYTES, fitting, marked, names, one_line
from robot.mcp.schemas import CommitMessage, Cursor, DryRun, FileName, FromWiki, Guard, OnPage, Result
from robot.mcp.tool import Answer, Block
from wikihost.attachments import MAX_BASE64_CHARS, mime_type, too_large
from wikihost.content import Content
from wikihost.errors import AttachmentNotFound
from wikihost.values import Attachment, Removed

# In base64 they stay under the megabyte that some clients take as a whole; models look at images, and count no letters.
MAX_IMAGE_BYTES = 700 * 1024
# Other files are letters in base64 to many a client.
MAX_BLOB_BYTES = 48 * 1024

_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_TEXTS = frozenset({"application/json", "application/xml", "application/yaml", "image/svg+xml"})


class ListAttachmentsArguments(OnPage):
    cursor: Cursor = ""


class FileSummary(Result):
    filename: str
    size: int
    mime_type: str
    revision: str
    modified: str


class AttachmentsResult(FromWiki):
    path: str
    total: int
    attachments: list[FileSummary]
    cursor: str | None = None


class UploadAttachmentArguments(OnPage):
    filename: Annotated[FileName, Field(description="Such as 'pump.png'; not '.md'.")]
    content: Annotated[str, Field(description="The bytes in base64, without line breaks.")]
    revision: Guard = ""
    commit_message: CommitMessage = ""
    dry_run: DryRun = False


class UploadedResult(Result):
    path: str
    filename: str
    size: int
    mime_type: str
    revision: str | None = None
    created: Annotated[bool, Field(description="False when it replaces a file.")]
    changed: bool
    dry_run: bool


class DownloadAttachmentArguments(OnPage):
    filename: FileName


class DownloadedResult(Result):
    path: str
    filename: str
    size: int
    mime_type: str
    revision: str
    url: Annotated[str, Field(description="The bytes, for a GET with the same token.")]


class DeleteAttachmentArguments(OnPage):
    filename: FileName
    revision: Guard = ""
    commit_message: CommitMessage = ""
    dry_run: DryRun = False


class FileDeletedResult(Result):
    path: str
    filename: str
    revision: Annotated[str | None, Field(description="The commit that did it.")] = None
    dry_run: bool


async def list_attachments(call: Call, asked: ListAttachmentsArguments) -> Answer:
    files = await call.contents.run(call.wiki, lambda content: content.list_attachments(asked.path))
    rest = [_summary(file) for file in files if file.filename > asked.cursor]
    shown = rest[: fitting(file.model_dump_json() for file in rest)]
    result = AttachmentsResult(
        path=files[0].page if files else asked.path,
        total=len(files),
        attachments=shown,
        cursor=shown[-1].filename if len(shown) < len(rest) else None,
    )
    head = [f"Attachments for {result.path} ({result.total}):"]
    if result.cursor is not None:
        head.append(f"(The first {len(shown)} of them here; go on with cursor={result.cursor!r}.)")
    data = [
        f"- {one_line(file.filename)} ({file.size} bytes, {file.mime_type}, revision {file.revision[:8]})"
        for file in shown
    ]
    return Answer(result, marked(head, data))


async def upload_attachment(call: Call, asked: UploadAttachmentArguments) -> Answer:
    author, base, message = call.author, asked.revision or None, asked.commit_message or None

    done = await call.contents.change(
        call.wiki,
        lambda content: content.write_attachment(
            asked.path,
            asked.filename,
            _decoded(asked.content),
            base=base,
            author=author,
            message=message,
            dry_run=asked.dry_run,
        ),
    )
    result = UploadedResult(
        path=done.page,
        filename=done.filename,
        size=done.size,
        mime_type=mime_type(done.filename),
        revision=None if asked.dry_run else done.revision,
        created=done.created,
        changed=done.changed,
        dry_run=asked.dry_run,
    )
    what = f"{done.filename} to {done.page} ({done.size} bytes)"
    if asked.dry_run:
        effect = "a new file" if done.created else "in place of the file of that name"
        return Answer(result, f"Would upload {what}, {effect}. Nothing was written.")
    same = "" if done.changed else "\nThe file was already the same; nothing was committed."
    return Answer(result, f"Uploaded {what}{same}")


async def download_attachment(call: Call, asked: DownloadAttachmentArguments) -> Answer:
    file, data = await call.contents.run(call.wiki, lambda content: _read(content, asked))
    result = DownloadedResult(
        path=file.page,
        filename=file.filename,
        size=file.size,
        mime_type=mime_type(file.filename),
        revision=file.revision,
        url=file_address(call.origin, file.page, file.filename),
    )
    first = f"Downloaded {file.filename} ({file.size} bytes, {result.mime_type})"
    uri = uris.attachment_uri(call.wiki.slug, file.page, file.filename)
    block = None if data is None else _as_block(uri, result.mime_type, data)
    if block is None:
        link = {"type": "resource_link", "uri": result.url, "name": file.filename, "mimeType": result.mime_type}
        lines = [first, f"It is too large to show here. GET it with the token that you use here: {result.url}"]
        return Answer(result, "\n".join(lines), [link | {"size": file.size}])
    return Answer(result, f"{first}\n{DATA_NOTICE}", [block])


async def delete_attachment(call: Call, asked: DeleteAttachmentArguments) -> Answer:
    author, base = call.author, asked.revision or None
    message = asked.commit_message or f"[mcp] Delete attachment: {asked.path}/{asked.filename}"

    def delete(content: Content) -> Removed:
        with _listing_choices(content, asked.path):
            return content.delete_attachment(
                asked.path, asked.filename, base=base, author=author, message=message, dry_run=asked.dry_run
            )

    done = await call.contents.change(call.wiki, delete)
    filename = done.attachments[0]
    result = FileDeletedResult(
        path=done.path,
        filename=filename,
        revision=None if asked.dry_run else done.revision,
        dry_run=asked.dry_run,
    )
    if asked.dry_run:
        return Answer(result, f"Would delete attachment {filename} of {done.path}. Nothing was written.")
    return Answer(result, f"Deleted attachment {filename}")


def _summary(file: Attachment) -> FileSummary:
    return FileSummary(
        filename=file.filename,
        size=file.size,
        mime_type=mime_type(file.filename),
        revision=file.revision,
        modified=file.modified.isoformat(),
    )


def _decoded(content: str) -> bytes:
    """Strict base64 (RFC 4648, section 4). Raises ToolFailed, `InvalidAttachment`."""
    if len(content) > MAX_BASE64_CHARS:
        raise too_large()
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise ToolFailed(
            "content is not valid base64; nothing was stored. Send the bytes in standard base64 with its padding, "
            "without line breaks and without 'data:…;base64,' before it."
        ) from None


@contextmanager
def _listing_choices(content: Content, path: str) -> Iterator[None]:
    """A file that is not there is answered with those that are."""
    try:
        yield
    except AttachmentNotFound as error:
        files = [file.filename for file in content.list_attachments(path)]
        choices = f"The page has these files:\n{DATA_NOTICE}\n{names(files)}" if files else "The page has no files."
        raise ToolFailed(f"{sentence(error)} {choices}") from None


def _read(content: Content, asked: DownloadAttachmentArguments) -> tuple[Attachment, bytes | None]:
    """The file, and its bytes unless it is too large for any client."""
    with _listing_choices(content, asked.path):
        file = content.find_attachment(asked.path, asked.filename)
    return file, content.read_blob(file.blob) if file.size <= MAX_IMAGE_BYTES else None


def _as_block(uri: str, kind: str, data: bytes) -> Block | None:
    """The file as a content block; None when that would be too large."""
    if kind in _IMAGES:
        return {"type": "image", "data": base64.b64encode(data).decode("ascii"), "mimeType": kind}
    text = _as_text(data) if kind.startswith("text/") or kind in _TEXTS else None
    if len(data) > (MAX_BLOB_BYTES if text is None else MAX_CONTENT_BYTES):
        return None
    held = {"blob": base64.b64encode(data).decode("ascii")} if text is None else {"text": text}
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, **held}}


def _as_text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
