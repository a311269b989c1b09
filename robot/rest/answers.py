"""From values of the wiki to the JSON of `shapes`, as existing scripts know it (pure)."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime

from quart import Response

from robot.rest.search_shapes import (
    FoundPages,
    Hit,
    IndexHealth,
    IndexStatus,
    PassageEntry,
    SearchAnswer,
    SemanticSearchAnswer,
)
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
from robot.search.values import FindAnswer, Passage, ReindexStatus, SemanticAnswer
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
    SearchHit,
    SearchHits,
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


def search(query: str, found: SearchHits, offset: int) -> SearchAnswer:
    results = [_hit(hit, hit.score) for hit in found.hits]
    body: SearchAnswer = {"query": query, "results": results, "total": found.total}
    if _are_more(offset, results, found.total):
        body["cursor"] = str(offset + len(results))
    return body


def find(query: str, found: FindAnswer, offset: int, *, explain: bool) -> FoundPages:
    """As `search`, with how it was found; with `explain` each result says what it was joined of."""
    results = [_hit(each.page, each.score) for each in found.results]
    body: FoundPages = {
        "query": query,
        "results": results,
        "total": found.total,
        "mode": found.mode,
        "head": found.head,
        "indexed_head": found.indexed_head,
    }
    if explain:
        body["weights"] = {"keyword": found.lexical_weight, "semantic": round(1 - found.lexical_weight, 2)}
        for result, each in zip(results, found.results, strict=True):
            result["explain"] = {"keyword": each.lexical, "semantic": _rounded(each.semantic)}
    if _are_more(offset, results, found.total):
        body["cursor"] = str(offset + len(results))
    return body


def _hit(hit: SearchHit, score: float) -> Hit:
    return {
        "name": hit.title,
        "path": hit.path,
        "snippet": hit.snippet,
        "score": round(score, 2),
        "section": hit.section,
        "anchor": hit.anchor,
        "highlights": [[start, end] for start, end in hit.highlights],
    }


def _are_more(offset: int, shown: Sequence[Hit], total: int) -> bool:
    return bool(shown) and offset + len(shown) < total


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)


def semantic_search(query: str, found: SemanticAnswer) -> SemanticSearchAnswer:
    return {
        "query": query,
        "results": [_passage(passage) for passage in found.results],
        "total": len(found.results),
        "mode": found.mode,
        "head": found.head,
        "indexed_head": found.indexed_head,
    }


def _passage(passage: Passage) -> PassageEntry:
    return {
        "name": passage.path,  # not the title: what existing scripts read pages by
        "path": passage.path,
        "title": passage.title,
        "text": passage.text,
        "snippet": passage.snippet,
        "distance": passage.distance,
        "section": passage.section,
        "section_path": passage.section_path,
        "anchor": passage.anchor,
        "chunk_index": passage.chunk_index,
        "total_chunks": passage.total_chunks,
        "page_word_count": passage.page_word_count,
    }


def reindex_status(status: ReindexStatus) -> IndexStatus:
    return {
        "status": status.state,
        "started_at": _iso(status.started_at),
        "completed_at": _iso(status.completed_at),
        "error_message": status.error_message,
        "pages_total": status.pages_total,
        "pages_indexed": status.pages_indexed,
        "chunks_total": status.chunks_total,
        "chunks_indexed": status.chunks_indexed,
        "chunks_created": status.chunks_indexed,  # its older name
        "head": status.head,
        "indexed_head": status.indexed_head,
        "eta_s": status.eta_s,
        "model": status.model,
    }


def index_health(wiki: str, status: ReindexStatus) -> IndexHealth:
    return {
        "status": "ok" if status.model else "unavailable",
        "backend_type": "faiss",
        "collection": wiki,
        "document_count": status.chunks_indexed,
    }


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
