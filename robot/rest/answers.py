"""JSON shapes of pages, searches and the index, as existing scripts know them (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from quart import Response

from robot.search.values import Passage, ReindexStatus, SemanticAnswer
from wikihost.values import Page, PageSummary, SearchHit, Written

Json = dict[str, Any]


def answer(status: int, body: Json, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response; `no-cache` unless `headers` say otherwise, since the next write may change it."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, {"Cache-Control": "no-cache", **(headers or {})}, content_type="application/json")


def page(found: Page) -> Json:
    last = found.last_commit
    return {
        "name": found.title,
        "path": found.path,
        "content": found.text,
        "frontmatter": found.frontmatter,
        "links_to": list(found.links_to),
        "linked_from": list(found.linked_from),
        "revision": found.revision,
        "last_commit": {
            "revision": last.revision,
            "author": last.author,
            "date": last.date.isoformat(),
            "message": last.message,
        },
    }


def page_list(pages: Sequence[PageSummary], cursor: str, limit: int) -> Json:
    """Pages after `cursor` by path, at most `limit`. `total` counts all matches; `cursor` is there if more follow."""
    rest = sorted((summary for summary in pages if summary.path > cursor), key=lambda summary: summary.path)
    shown = rest[:limit]
    more = {"cursor": shown[-1].path} if len(shown) < len(rest) else {}
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


def put(written: Written) -> Json:
    return {**patch(written), "created": written.created}


def patch(written: Written) -> Json:
    return {"name": written.title, "path": written.path, "revision": written.revision, "diff": written.diff}


def search(query: str, hits: Sequence[SearchHit]) -> Json:
    results = [
        {"name": hit.title, "path": hit.path, "snippet": hit.snippet, "score": round(hit.score, 2)} for hit in hits
    ]
    return {"query": query, "results": results, "total": len(results)}


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
