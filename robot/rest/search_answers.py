"""From what search finds, and how far its index is, to the JSON of `search_shapes` (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from robot.address import page_address
from robot.rest.search_shapes import (
    FoundSection,
    FoundSections,
    Fresh,
    Hit,
    IndexHealth,
    IndexStatus,
    PassageEntry,
    SearchAnswer,
    SemanticSearchAnswer,
    Similar,
)
from robot.search.values import (
    FindAnswer,
    Finding,
    Freshness,
    Passage,
    ReindexStatus,
    SemanticAnswer,
    SimilarAnswer,
)
from wikihost.values import SearchHit, SearchHits


def search(query: str, found: SearchHits, offset: int, *, head: str, origin: str) -> SearchAnswer:
    """Words are known as soon as a page is saved, so nothing is ever missing at `head`."""
    results = [_hit(hit, origin) for hit in found.hits]
    body: SearchAnswer = {
        "query": query,
        "results": results,
        "total": found.total,
        "head": head,
        "indexed_head": head,
        "pages_waiting": 0,
        "note": None,
    }
    if _are_more(offset, results, found.total):
        body["cursor"] = str(offset + len(results))
    return body


def find(query: str, found: FindAnswer, offset: int, *, origin: str, explain: bool) -> FoundSections:
    """With `explain` each result says what it was joined of."""
    results = [_section(each, origin) for each in found.results]
    body: FoundSections = {
        "query": query,
        "results": results,
        "total": found.total,
        "mode": found.mode,
        "head": found.freshness.head,
        "indexed_head": found.freshness.indexed_head,
        "pages_waiting": found.freshness.pages_waiting,
        "note": found.freshness.note,
    }
    if explain:
        body["weights"] = {"keyword": found.lexical_weight, "semantic": round(1 - found.lexical_weight, 2)}
        for result, each in zip(results, found.results, strict=True):
            result["explain"] = {
                "keyword": _rounded(each.lexical),
                "semantic": _rounded(each.semantic),
                "by_words": round(each.by_words, 4),
                "by_meaning": round(each.by_meaning, 4),
            }
    if _are_more(offset, results, found.total):
        body["cursor"] = str(offset + len(results))
    return body


def similar(path: str, found: SimilarAnswer, *, origin: str) -> Similar:
    results = [_section(each, origin) for each in found.results]
    return {"path": path, "results": results, "total": len(results), **_fresh(found.freshness)}


def semantic_search(query: str, found: SemanticAnswer, *, origin: str) -> SemanticSearchAnswer:
    return {
        "query": query,
        "results": [_passage(passage, origin) for passage in found.results],
        "total": len(found.results),
        "mode": found.mode,
        **_fresh(found.freshness),
    }


def _fresh(freshness: Freshness) -> Fresh:
    return {
        "head": freshness.head,
        "indexed_head": freshness.indexed_head,
        "pages_waiting": freshness.pages_waiting,
        "note": freshness.note,
    }


def _hit(hit: SearchHit, origin: str) -> Hit:
    return {
        "name": hit.title,
        "path": hit.path,
        "url": page_address(origin, hit.path, hit.anchor),
        "snippet": hit.snippet,
        "score": round(hit.score, 2),
        "section": hit.section,
        "anchor": hit.anchor,
        "highlights": _ranges(hit),
    }


def _ranges(hit: SearchHit) -> list[list[int]]:
    return [[start, end] for start, end in hit.highlights]


def _section(found: Finding, origin: str) -> FoundSection:
    page = found.page
    return {
        "name": page.title,
        "path": page.path,
        "url": page_address(origin, page.path, page.anchor),
        "snippet": page.snippet,
        "score": round(found.score, 2),
        "section": page.section,
        "section_path": found.section_path,
        "anchor": page.anchor,
        "highlights": _ranges(page),
        "first_line": found.first_line or None,
        "last_line": found.last_line or None,
    }


def _passage(passage: Passage, origin: str) -> PassageEntry:
    return {
        "name": passage.path,  # not the title: what existing scripts read pages by
        "path": passage.path,
        "title": passage.title,
        "text": passage.text,
        "snippet": passage.snippet,
        "distance": passage.distance,
        "section": passage.section,
        "section_path": passage.section_path,
        "first_line": passage.first_line or None,
        "last_line": passage.last_line or None,
        "url": page_address(origin, passage.path, passage.anchor),
        "anchor": passage.anchor,
        "chunk_index": passage.chunk_index,
        "total_chunks": passage.total_chunks,
        "page_word_count": passage.page_word_count,
    }


def _are_more(offset: int, shown: Sequence[Hit], total: int) -> bool:
    return bool(shown) and offset + len(shown) < total


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)


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
        "model_problem": status.model_problem,
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
