"""What is found by meaning, by words in its place, and by both: bounded choices, best first. Called in threads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from robot.search import fusion
from robot.search.chunk import place
from robot.search.values import Finding, Passage, SemanticAnswer
from wikihost import keywords, passages
from wikihost.content import Content
from wikihost.keyword_syntax import KeywordQuery
from wikihost.passages import FoundPassage
from wikihost.values import SearchHit

if TYPE_CHECKING:
    from robot.search.embed import Vectors
    from robot.search.index import Part, Snapshot

SNIPPET_CHARS = 150
FUSED = 100  # of each list; what comes later has no say
# The first look takes this many times what is needed; a page that fills it alone is met by looking further.
OVERFETCH = 4


def answer_by_meaning(
    content: Content,
    snapshot: Snapshot,
    vector: Vectors,
    model_id: str,
    *,
    limit: int,
    per_page: int,
    confined: bool = False,
) -> SemanticAnswer:
    """The nearest passages of `limit` different pages where the wiki has them, then more of the same pages.

    `confined` says that `content` is a part of what `snapshot` was made from: only that part is searched.
    """
    head = content.sync()

    def read(db: sqlite3.Connection) -> SemanticAnswer:
        vectors = snapshot.part(passages.all_hashes(db)) if confined else snapshot
        found = _look_up(db, vectors, vector, limit)
        chosen = choose(found, limit=limit, per_page=per_page)
        indexed_head = head if passages.is_complete(db, model_id) else None
        return SemanticAnswer([_passage(each, score) for each, score in chosen], "semantic", head, indexed_head)

    return content.catalog.read(read)


def join_both(
    content: Content, query: KeywordQuery, nearest: Sequence[Passage], weight: float, *, limit: int, offset: int
) -> tuple[list[Finding], int]:
    """Pages by words, which count for `weight` of 1, and by meaning (`nearest`, nearest first); and how many in all.

    At most `limit` after the first `offset`. A page found by words is shown with those.
    """
    content.sync()

    def read(db: sqlite3.Connection) -> tuple[list[Finding], int]:
        allowed = keywords.meeting(db, query)
        best: dict[str, Passage] = {}
        for passage in nearest:
            if allowed is None or passage.path in allowed:
                best.setdefault(passage.path, passage)
        by_words = keywords.scores(db, query, FUSED) if weight else {}
        fused = fusion.fuse(by_words, {path: 1.0 - passage.distance for path, passage in best.items()}, weight)
        part = fused[offset : offset + limit]
        shown = keywords.show(db, query, [page.path for page in part if page.lexical is not None])
        found = []
        for page in part:
            hit = shown[page.path] if page.lexical is not None else _as_hit(best[page.path])
            found.append(Finding(hit, round(page.score, 4), page.lexical, page.semantic))
        return found, len(fused)

    return content.catalog.read(read)


def answer_by_keywords(content: Content, text: str, *, limit: int) -> SemanticAnswer:
    """What keyword search finds, in the same shape."""
    head = content.sync()
    hits = content.search(text, limit).hits
    words = content.catalog.read(lambda db: passages.page_words(db, [hit.path for hit in hits]))
    return SemanticAnswer([_from_hit(hit, words.get(hit.path, 0)) for hit in hits], "lexical", head, None)


def choose(
    found: Iterable[tuple[FoundPassage, float]], *, limit: int, per_page: int
) -> list[tuple[FoundPassage, float]]:
    """Pick from passages sorted best first: each page's best before any page's second, best first again."""
    taken: dict[int, int] = {}
    ranked = []
    for order, (passage, score) in enumerate(found):
        nth = taken[passage.page_id] = taken.get(passage.page_id, -1) + 1
        if nth < per_page:
            ranked.append((nth > 0, order, passage, score))
    ranked.sort(key=lambda entry: entry[:2])
    return [(passage, score) for _, _, passage, score in sorted(ranked[:limit], key=lambda entry: entry[1])]


def snippet(text: str) -> str:
    """The beginning of a passage on one line, cut at a space."""
    flat = " ".join(text.split())
    if len(flat) <= SNIPPET_CHARS:
        return flat
    cut = flat[:SNIPPET_CHARS]
    return (cut.rpartition(" ")[0] or cut) + "..."


def _look_up(
    db: sqlite3.Connection, snapshot: Snapshot | Part, vector: Vectors, limit: int
) -> list[tuple[FoundPassage, float]]:
    """Passages as they are now, best first, looked further until `limit` pages are among them or none is left."""
    count = limit * OVERFETCH
    known: dict[bytes, list[FoundPassage]] = {}
    while True:
        nearest = snapshot.nearest(vector, count)
        for passage in passages.find_passages(db, [digest for digest, _ in nearest if digest not in known]):
            known.setdefault(passage.hash, []).append(passage)
        found = [(passage, score) for digest, score in nearest for passage in known.get(digest, ())]
        if count >= len(snapshot) or len({passage.page_id for passage, _ in found}) >= limit:
            return found
        count *= OVERFETCH


def _passage(found: FoundPassage, score: float) -> Passage:
    where = place(found.title, found.section_path)
    return Passage(
        path=found.path,
        title=found.title,
        text=f"[{where}] {found.text}",
        snippet=snippet(found.text),
        distance=1.0 - score,
        section=found.section,
        section_path=where,
        anchor=found.anchor,
        chunk_index=found.ordinal,
        total_chunks=found.total,
        page_word_count=found.words,
    )


def _as_hit(passage: Passage) -> SearchHit:
    return SearchHit(passage.path, passage.title, passage.snippet, 0.0, section=passage.section, anchor=passage.anchor)


def _from_hit(hit: SearchHit, words: int) -> Passage:
    return Passage(
        path=hit.path,
        title=hit.title,
        text=f"[{hit.title}] {hit.snippet}",
        snippet=snippet(hit.snippet),
        distance=1.0 - hit.score,
        section=hit.section,
        section_path=place(hit.title, hit.section),
        anchor=hit.anchor,
        chunk_index=0,
        total_chunks=1,
        page_word_count=words,
    )
