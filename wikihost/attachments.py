"""Files of a page: they lie in the folder of its name, beside the pages below it, and change only through commits."""

from __future__ import annotations

import mimetypes
import unicodedata
from sqlite3 import Connection

from wikihost import query, trees
from wikihost.errors import AttachmentNotFound, Conflict, InvalidAttachment
from wikihost.names import MAX_SEGMENT_BYTES, is_safe_path
from wikihost.plans import Plan, Snapshot
from wikihost.repo import check_revision
from wikihost.values import Attached, Attachment, Commit, Removed
from wikihost.writer import Committed

MAX_ATTACHMENT_BYTES = 10 * 1024 * 1024
MAX_BASE64_CHARS = 4 * (MAX_ATTACHMENT_BYTES // 3 + 1)
_TYPES = mimetypes.MimeTypes()  # those of Python, whatever the machine has
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def parse_attachment_name(raw: str) -> str:
    """The file name to store (NFC). Raises `InvalidAttachment`."""
    name = unicodedata.normalize("NFC", raw)
    if name.casefold().endswith(".md"):
        raise InvalidAttachment("A Markdown file (.md) would be a page: write it as a page, or give it another ending.")
    unsafe = (
        not name
        or not is_safe_path(name)
        or any(character in "/\\" or unicodedata.category(character) in _REFUSED_CATEGORIES for character in name)
    )
    if unsafe or name[0] in ".- " or name[-1] in ". ":
        raise InvalidAttachment(
            "An attachment's name cannot be empty, contain slashes or control characters, start with a dot, a dash or"
            " a space, or end in a dot or a space."
        )
    if len(name.encode()) > MAX_SEGMENT_BYTES:
        raise InvalidAttachment(f"An attachment's name can have at most {MAX_SEGMENT_BYTES} bytes.")
    return name


def list_attachments(snapshot: Snapshot, name: str) -> list[Attachment]:
    """The files of a page, by name. Raises `PageNotFound`."""
    path = snapshot.page(name).path
    readable = {filename: entry for filename, entry in snapshot.attachments(path).items() if _is_utf8(filename)}

    def last_commits(connection: Connection) -> dict[str, Commit]:
        found = {filename: query.history(connection, f"{path}/{filename}", 1) for filename in readable}
        return {filename: commits[0] for filename, commits in found.items() if commits}

    commits = snapshot.ask(last_commits)
    return [
        _attachment(snapshot, path, filename, readable[filename], commits[filename]) for filename in sorted(commits)
    ]


def find_attachment(snapshot: Snapshot, name: str, filename: str) -> Attachment:
    """A file. Raises `PageNotFound`, `AttachmentNotFound`."""
    path = snapshot.page(name).path
    filename, entry, commit = _find(snapshot, path, filename)
    return _attachment(snapshot, path, filename, entry, commit)


def plan_upload(
    snapshot: Snapshot, name: str, filename: str, data: bytes, *, base: str | None, message: str | None
) -> Plan[Attached]:
    """Add or replace a file. Raises `PageNotFound`, `Conflict`, `InvalidAttachment`."""
    filename = parse_attachment_name(filename)
    if len(data) > MAX_ATTACHMENT_BYTES:
        raise too_large()
    path = snapshot.page(name).path
    revision = ""
    if filename in snapshot.attachments(path):
        revision = _find(snapshot, path, filename)[2].revision
        _check_base(f"{path}/{filename}", revision, base)

    def finish(done: Committed) -> Attached:
        kept = revision if revision and not done.changed else done.head
        return Attached(path, filename, len(data), kept, created=not revision, changed=done.changed)

    return Plan({f"{path}/{filename}": data}, message or f"[api] Attach: {path}/{filename}", finish)


def plan_removal(
    snapshot: Snapshot, name: str, filename: str, *, base: str | None, message: str | None
) -> Plan[Removed]:
    """Remove a file. Raises `PageNotFound`, `AttachmentNotFound`, `Conflict`."""
    path = snapshot.page(name).path
    filename, _, commit = _find(snapshot, path, filename)
    _check_base(f"{path}/{filename}", commit.revision, base)
    return Plan(
        {f"{path}/{filename}": None},
        message or f"[api] Delete attachment: {path}/{filename}",
        lambda done: Removed(path, done.head, [filename], ""),
    )


def mime_type(filename: str) -> str:
    """What the name says of the bytes."""
    return _TYPES.guess_type(filename)[0] or "application/octet-stream"


def too_large() -> InvalidAttachment:
    return InvalidAttachment("An attachment can have at most 10 MiB; keep larger files elsewhere and link to them.")


def _find(snapshot: Snapshot, path: str, filename: str) -> tuple[str, trees.Entry, Commit]:
    """The file as it is stored, which for files from git need not be NFC."""
    files = snapshot.attachments(path)
    for spelling in (filename, unicodedata.normalize("NFC", filename)):
        entry = files.get(spelling)
        commits = snapshot.ask(lambda connection: query.history(connection, f"{path}/{spelling}", 1)) if entry else []  # noqa: B023
        if entry and commits:
            return spelling, entry, commits[0]
    raise AttachmentNotFound(f"Attachment not found: {filename} of {path}")


def _attachment(snapshot: Snapshot, path: str, filename: str, entry: trees.Entry, commit: Commit) -> Attachment:
    blob = entry[1].hex()
    return Attachment(path, filename, snapshot.repository.size_of(blob), blob, commit.revision, commit.date)


def _check_base(path: str, revision: str, base: str | None) -> None:
    if base is not None and not revision.startswith(check_revision(base)):
        raise Conflict(
            f"{path} was changed since revision {base[:8]}; look at it again.",
            current_revision=revision,
            current_text=None,
        )


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
