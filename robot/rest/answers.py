"""From values of the wiki to the JSON of `shapes`, as existing scripts know it (pure)."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence

from quart import Response

from robot.rest.shapes import (
    AttachmentAnswer,
    AttachmentEntry,
    AttachmentList,
    AttachmentRemoved,
    AttachmentStored,
    ChangeEntry,
    ChangeList,
    Changelog,
    ChangeUndone,
    CommitEntry,
    Edited,
    History,
    LinkGraphAnswer,
    LoggedEntry,
    PageAnswer,
    PageEntry,
    PageList,
    PageRemoved,
    PageRenamed,
    Put,
)
from wikihost.attachments import mime_type
from wikihost.values import (
    Attached,
    Attachment,
    Changes,
    Commit,
    LinkGraph,
    LoggedCommit,
    Page,
    PageSummary,
    Removed,
    Renamed,
    Undone,
    Written,
)

# One of `shapes`: to mypy, each of them is such a mapping.
Json = Mapping[str, object]


def answer(status: int, body: Json, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response; `no-cache` unless `headers` say otherwise, since the next write may change it."""
    return answer_bytes(status, as_json(body), headers)


def as_json(body: Json) -> bytes:
    """JSON; what is no character (YAML can say `"\\ud800"`) as JSON's own escape."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def answer_bytes(status: int, text: bytes, headers: Mapping[str, str] | None = None) -> Response:
    """As `answer`, with the JSON written already: large ones are, in a thread."""
    return Response(text, status, {"Cache-Control": "no-cache", **(headers or {})}, content_type="application/json")


def page(found: Page) -> PageAnswer:
    body: PageAnswer = {
        "name": found.title,
        "path": found.path,
        "content": found.text,
        "frontmatter": None if found.frontmatter is None else dict(found.frontmatter),
        "links_to": list(found.links_to),
        "linked_from": list(found.linked_from),
        "revision": found.revision,
        "last_commit": commit(found.last_commit),
    }
    if found.redirected_from:
        body["redirected_from"] = found.redirected_from
    return body


def page_list(pages: Sequence[PageSummary], cursor: str, limit: int, sort: str) -> PageList:
    """Pages after `cursor`, at most `limit`. `total` counts all matches; `cursor` is there if more follow.

    By path, or the last updated first.
    """
    place = _place_by_update if sort == "updated" else _place_by_path
    after = _place_of(cursor, sort) if cursor else None
    rest = [summary for summary in sorted(pages, key=place) if after is None or place(summary) > after]
    body: PageList = {"pages": [_summary(summary) for summary in rest[:limit]], "total": len(pages)}
    if len(rest) > limit:
        body["cursor"] = _cursor(rest[limit - 1], sort)
    return body


def _summary(summary: PageSummary) -> PageEntry:
    return {
        "name": summary.title,
        "path": summary.path,
        "category": summary.category,
        "tags": list(summary.tags),
        "last_updated": summary.updated.date().isoformat(),
        "content_length": summary.words,
        "revision": summary.revision,
    }


def _place_by_path(summary: PageSummary) -> tuple[float, str]:
    return 0.0, summary.path


def _place_by_update(summary: PageSummary) -> tuple[float, str]:
    return -summary.updated.timestamp(), summary.path


def _cursor(last: PageSummary, sort: str) -> str:
    return f"{last.updated.timestamp():.0f}/{last.path}" if sort == "updated" else last.path


def _place_of(cursor: str, sort: str) -> tuple[float, str]:
    """Where a list goes on; what is no cursor of ours begins it anew."""
    if sort != "updated":
        return 0.0, cursor
    updated, _, path = cursor.partition("/")
    return (-float(updated), path) if updated.isdecimal() else (-math.inf, "")


def put(written: Written, *, dry_run: bool = False) -> Put:
    return {**patch(written, dry_run=dry_run), "created": written.created}


def patch(written: Written, *, dry_run: bool = False) -> Edited:
    body: Edited = {
        "name": written.title,
        "path": written.path,
        "revision": None if dry_run and written.created else written.revision,
        "diff": written.diff,
    }
    if dry_run:
        body["dry_run"] = True
    return body


def removed(done: Removed, *, dry_run: bool) -> PageRemoved:
    body: PageRemoved = {
        "deleted": not dry_run,
        "path": done.path,
        "attachments": list(done.attachments),
        "revision": None if dry_run else done.revision,
    }
    if dry_run:
        body["dry_run"] = True
        body["diff"] = done.diff
    return body


def renamed(done: Renamed, *, dry_run: bool) -> PageRenamed:
    body: PageRenamed = {
        "old_path": done.old_path,
        "new_path": done.new_path,
        "updated_pages": list(done.updated_pages),
        "redirect": done.redirect,
        "revision": None if dry_run else done.revision,
    }
    if done.links_left:
        body["links_left"] = done.links_left
    if dry_run:
        body["dry_run"] = True
        body["diff"] = done.diff
    return body


def undone(done: Undone, *, dry_run: bool) -> ChangeUndone:
    body: ChangeUndone = {
        "undone": done.undoes[0],
        "pages_affected": done.paths,
        "revision": None if dry_run else done.revision,
        "diff": done.diff,
    }
    if dry_run:
        body["dry_run"] = True
    return body


def attachment_list(path: str, files: Sequence[Attachment], cursor: str, limit: int) -> AttachmentList:
    rest = [file for file in files if file.filename > cursor]
    shown = [_attachment(file) for file in rest[:limit]]
    body: AttachmentList = {"attachments": shown, "total": len(files), "path": path}
    if len(rest) > limit:
        body["cursor"] = rest[limit - 1].filename
    return body


def attachment(file: Attachment, data: bytes) -> AttachmentAnswer:
    return {**_attachment(file), "path": file.page, "content": base64.b64encode(data).decode("ascii")}


def _attachment(file: Attachment) -> AttachmentEntry:
    return {
        "filename": file.filename,
        "size": file.size,
        "mime_type": mime_type(file.filename),
        "last_modified": file.modified.isoformat(),
        "revision": file.revision,
    }


def attached(done: Attached, *, dry_run: bool) -> AttachmentStored:
    body: AttachmentStored = {
        "filename": done.filename,
        "path": done.page,
        "size": done.size,
        "mime_type": mime_type(done.filename),
        "created": done.created,
        "revision": None if dry_run else done.revision,
    }
    if dry_run:
        body["dry_run"] = True
    return body


def attachment_removed(done: Removed, *, dry_run: bool) -> AttachmentRemoved:
    body: AttachmentRemoved = {
        "deleted": not dry_run,
        "filename": done.attachments[0],
        "path": done.path,
        "revision": None if dry_run else done.revision,
    }
    if dry_run:
        body["dry_run"] = True
    return body


def history(path: str, commits: Sequence[Commit], limit: int) -> History:
    """`commits` is one longer than `limit` where there are more."""
    body: History = {"path": path, "history": [commit(entry) for entry in commits[:limit]]}
    if len(commits) > limit:
        body["cursor"] = commits[limit - 1].revision
    return body


def changelog(entries: Sequence[LoggedCommit], total: int, limit: int) -> Changelog:
    """`entries` is one longer than `limit` where there are more."""
    shown: list[LoggedEntry] = [
        {**commit(entry.commit), "pages_affected": list(entry.pages)} for entry in entries[:limit]
    ]
    body: Changelog = {"entries": shown, "total": total}
    if len(entries) > limit:
        body["cursor"] = entries[limit - 1].commit.revision
    return body


def changes(found: Changes) -> ChangeList:
    told: list[ChangeEntry] = []
    for change in found.changes:
        entry: ChangeEntry = {
            "path": change.path,
            "change": change.kind,
            "revision": change.commit.revision,
            "author": change.commit.author,
            "date": change.commit.date.isoformat(),
        }
        _add_ways(entry, change.commit)
        if change.source:
            entry["from"] = change.source
        told.append(entry)
    return {"head": found.head, "changes": told, "cursor": found.last, "more": found.more}


def links(graph: LinkGraph) -> LinkGraphAnswer:
    return {
        "nodes": list(graph.nodes),
        "edges": [{"source": source, "target": target} for source, target in graph.edges],
    }


def commit(entry: Commit) -> CommitEntry:
    body: CommitEntry = {
        "revision": entry.revision,
        "author": entry.author,
        "date": entry.date.isoformat(),
        "message": entry.message,
    }
    _add_ways(body, entry)
    return body


def _add_ways(body: CommitEntry | ChangeEntry, commit: Commit) -> None:
    """How a commit came to be, as far as that is known."""
    if commit.agent:
        body["agent"] = commit.agent
    if commit.via:
        body["via"] = commit.via
    if commit.pushed_by:
        body["pushed_by"] = commit.pushed_by
