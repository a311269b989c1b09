"""From what search finds, and how far its index is, to the JSON of `search_shapes` (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from robot.rest.search_shapes import (
    FoundPages,
    Hit,
    IndexHealth,
    IndexStatus,
    PassageEntry,
    SearchAnswer,
    SemanticSearchAnswer,
)
from robot.search.values import FindAnswer, Passage, ReindexStatus, SemanticAnswer
from wikihost.values import SearchHit, SearchHits


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
