"""JSON shapes of pages, searches and the index, as existing scripts know them (pure)."""

from __future__ import annotations

import base64
import json
import math
import mimetypes
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from quart import Response, request

from robot.search.values import FindAnswer, Passage, ReindexStatus, SemanticAnswer
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
    Written,
)

Json = dict[str, Any]

_TYPES = mimetypes.MimeTypes()  # those of Python, whatever the machine has


def answer(status: int, body: Json, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response; `no-cache` unless `headers` say otherwise, since the next write may change it."""
    return answer_text(status, as_json(body), headers)


def as_json(body: Json) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def answer_text(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """As `answer`, with the JSON written already: large ones are, in a thread."""
    return Response(text, status, {"Cache-Control": "no-cache", **(headers or {})}, content_type="application/json")


def etag(revision: str) -> dict[str, str]:
    return {"ETag": f'"{revision}"'}


def not_modified(revision: str) -> Response | None:
    """304 when the client says that it has this revision already."""
    known = request.headers.get("If-None-Match", "")
    if f'"{revision}"' not in known:
        return None
    return Response(b"", 304, {**etag(revision), "Cache-Control": "no-cache"})


def page(found: Page) -> Json:
    return {
        "name": found.title,
        "path": found.path,
        "content": found.text,
        "frontmatter": found.frontmatter,
        "links_to": list(found.links_to),
        "linked_from": list(found.linked_from),
        "revision": found.revision,
        "last_commit": commit(found.last_commit),
        **({"redirected_from": found.redirected_from} if found.redirected_from else {}),
    }


def page_list(pages: Sequence[PageSummary], cursor: str, limit: int, sort: str) -> Json:
    """Pages after `cursor`, at most `limit`. `total` counts all matches; `cursor` is there if more follow.

    By path, or the last updated first.
    """
    place = _place_by_update if sort == "updated" else _place_by_path
    after = _place_of(cursor, sort) if cursor else None
    rest = [summary for summary in sorted(pages, key=place) if after is None or place(summary) > after]
    shown = rest[:limit]
    more = {"cursor": _cursor(shown[-1], sort)} if len(shown) < len(rest) else {}
    return {"pages": [_summary(summary) for summary in shown], "total": len(pages), **more}


def _summary(summary: PageSummary) -> Json:
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


def put(written: Written, *, dry_run: bool = False) -> Json:
    return {**patch(written, dry_run=dry_run), "created": written.created}


def patch(written: Written, *, dry_run: bool = False) -> Json:
    revision = None if dry_run and written.created else written.revision
    return {"name": written.title, "path": written.path, "revision": revision, "diff": written.diff} | _trial(dry_run)


def removed(done: Removed, *, dry_run: bool) -> Json:
    body = {"deleted": not dry_run, "path": done.path, "attachments": list(done.attachments)}
    return body | _committed(done.revision, dry_run) | ({"diff": done.diff} if dry_run else {})


def renamed(done: Renamed, *, dry_run: bool) -> Json:
    return {
        "old_path": done.old_path,
        "new_path": done.new_path,
        "updated_pages": list(done.updated_pages),
        "redirect": done.redirect,
        **_committed(done.revision, dry_run),
        **({"diff": done.diff} if dry_run else {}),
    }


def attachment_list(path: str, files: Sequence[Attachment], cursor: str, limit: int) -> Json:
    rest = [file for file in files if file.filename > cursor]
    more = {"cursor": rest[limit - 1].filename} if len(rest) > limit else {}
    return {"attachments": [_attachment(file) for file in rest[:limit]], "total": len(files), "path": path, **more}


def attachment(file: Attachment, data: bytes) -> Json:
    return {**_attachment(file), "path": file.page, "content": base64.b64encode(data).decode("ascii")}


def _attachment(file: Attachment) -> Json:
    return {
        "filename": file.filename,
        "size": file.size,
        "mime_type": mime_type(file.filename),
        "last_modified": file.modified.isoformat(),
        "revision": file.revision,
    }


def attached(done: Attached, *, dry_run: bool) -> Json:
    return {
        "filename": done.filename,
        "path": done.page,
        "size": done.size,
        "mime_type": mime_type(done.filename),
        "created": done.created,
        **_committed(done.revision, dry_run),
    }


def attachment_removed(done: Removed, *, dry_run: bool) -> Json:
    body = {"deleted": not dry_run, "filename": done.attachments[0], "path": done.path}
    return body | _committed(done.revision, dry_run)


def mime_type(filename: str) -> str:
    return _TYPES.guess_type(filename)[0] or "application/octet-stream"


def history(path: str, commits: Sequence[Commit], limit: int) -> Json:
    """`commits` is one longer than `limit` where there are more."""
    more = {"cursor": commits[limit - 1].revision} if len(commits) > limit else {}
    return {"path": path, "history": [commit(entry) for entry in commits[:limit]], **more}


def changelog(entries: Sequence[LoggedCommit], total: int, limit: int) -> Json:
    """`entries` is one longer than `limit` where there are more."""
    more = {"cursor": entries[limit - 1].commit.revision} if len(entries) > limit else {}
    shown = [{**commit(entry.commit), "pages_affected": list(entry.pages)} for entry in entries[:limit]]
    return {"entries": shown, "total": total, **more}


def changes(found: Changes) -> Json:
    told = [
        {
            "path": change.path,
            "change": change.kind,
            **({"from": change.source} if change.source else {}),
            "revision": change.commit.revision,
            "author": change.commit.author,
            **({"agent": change.commit.agent} if change.commit.agent else {}),
            "date": change.commit.date.isoformat(),
        }
        for change in found.changes
    ]
    return {"head": found.head, "changes": told, "cursor": found.last, "more": found.more}


def links(graph: LinkGraph) -> Json:
    return {
        "nodes": list(graph.nodes),
        "edges": [{"source": source, "target": target} for source, target in graph.edges],
    }


def commit(entry: Commit) -> Json:
    return {
        "revision": entry.revision,
        "author": entry.author,
        "date": entry.date.isoformat(),
        "message": entry.message,
        **({"agent": entry.agent} if entry.agent else {}),
    }


def _committed(revision: str, dry_run: bool) -> Json:
    return {"revision": None, "dry_run": True} if dry_run else {"revision": revision}


def _trial(dry_run: bool) -> Json:
    return {"dry_run": True} if dry_run else {}


def search(query: str, found: SearchHits, offset: int) -> Json:
    """`highlights` are ranges of the snippet in characters (Unicode code points); `cursor` is there if more follow."""
    results = [_hit(hit, hit.score) for hit in found.hits]
    return {"query": query, "results": results, "total": found.total, **_more(offset, len(results), found.total)}


def find(query: str, found: FindAnswer, offset: int, *, explain: bool) -> Json:
    """As `search`, with how it was found; with `explain` each result says what it was joined of."""
    results = [
        _hit(each.page, each.score)
        | ({"explain": {"keyword": each.lexical, "semantic": _rounded(each.semantic)}} if explain else {})
        for each in found.results
    ]
    weights = {"keyword": found.lexical_weight, "semantic": round(1 - found.lexical_weight, 2)}
    return {
        "query": query,
        "results": results,
        "total": found.total,
        "mode": found.mode,
        "head": found.head,
        "indexed_head": found.indexed_head,
        **({"weights": weights} if explain else {}),
        **_more(offset, len(results), found.total),
    }


def _hit(hit: SearchHit, score: float) -> Json:
    return {
        "name": hit.title,
        "path": hit.path,
        "snippet": hit.snippet,
        "score": round(score, 2),
        "section": hit.section,
        "anchor": hit.anchor,
        "highlights": [list(part) for part in hit.highlights],
    }


def _more(offset: int, shown: int, total: int) -> Json:
    """The cursor, if more follow."""
    end = offset + shown
    return {"cursor": str(end)} if shown and end < total else {}


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)


def semantic_search(query: str, found: SemanticAnswer) -> Json:
    return {
        "query": query,
        "results": [_passage(passage) for passage in found.results],
        "total": len(found.results),
        "mode": found.mode,
        "head": found.head,
        "indexed_head": found.indexed_head,
    }


def _passage(passage: Passage) -> Json:
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


def reindex_status(status: ReindexStatus) -> Json:
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


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
