"""Pages like a page, by its stored vectors: no model is needed. Import this module in a worker thread only."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from robot.search.finding import ranking
from robot.search.finding.fusion import Fused, scale_of_meaning
from robot.search.finding.index import Snapshot
from robot.search.finding.ranking import Asked
from robot.search.finding.showing import Looks, Meaning, Spot, show
from robot.search.soundness import decode
from robot.search.values import Finding, SimilarAnswer
from wikihost import keyword_syntax, keywords, passage_places, passages
from wikihost.content import Content
from wikihost.names import parse_page_name
from wikihost.plans import page_not_found
from wikihost.query import find_page, page_meant

# Copies of one page may stand before the next different one.
_LOOKED_AT = 4


def pages_like(content: Content, name: str, asked: Asked, snapshot: Snapshot) -> SimilarAnswer:
    """Other pages, the nearest to this one first; by the words of its title where it is not indexed yet.

    A redirect stands for its page. Of pages with the same text only the first is shown. Raises `PageNotFound`.
    """
    name = parse_page_name(name)
    head = content.sync()

    def read(db: sqlite3.Connection) -> SimilarAnswer:
        row = find_page(db, name)
        if row is None:
            raise page_not_found(name)
        path = page_meant(db, row).path
        vector = _middle(db, path, asked.model_id) if len(snapshot) else None
        fresh = ranking.freshness(db, head, asked, None if vector is None else snapshot)
        if vector is None:
            return SimilarAnswer(_by_title(db, path, asked), fresh)
        return SimilarAnswer(_nearest(db, path, asked, Meaning(snapshot, vector)), fresh)

    return content.catalog.read(read)


def _middle(
    db: sqlite3.Connection, path: str, model_id: str
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None:
    """The mean of a page's vectors, float32[1, dimension] of length 1; None where it has none."""
    rows = passages.vectors_of(db, passage_places.hashes_on(db, [path]), model_id)
    if not rows:
        return None
    matrix = decode(rows, len(rows[0][1]) // 2).matrix
    middle = matrix.sum(axis=0, keepdims=True)
    length = float(np.linalg.norm(middle))
    return (middle / length).astype(np.float32) if length else None


def _nearest(db: sqlite3.Connection, path: str, asked: Asked, meaning: Meaning) -> list[Finding]:
    near = ranking.nearest_pages(db, replace(asked, candidates=asked.limit * _LOOKED_AT + 1), meaning)
    near.pop(path, None)
    cosines = {other: min(max(found[0][1], 0.0), 1.0) for other, found in near.items()}
    ranked = sorted(cosines, key=lambda other: (-cosines[other], other))
    chosen = _different(db, ranked)[: asked.limit]
    spots = [Spot(Fused(other, cosines[other], 0.0, cosines[other], None, near[other][0][1])) for other in chosen]
    return show(db, spots, Looks(asked.query, meaning, 0.0, scale_of_meaning(cosines)))


def _by_title(db: sqlite3.Connection, path: str, asked: Asked) -> list[Finding]:
    """By the words of its title and tags; letters only, so that nothing of them is taken for syntax."""
    text = " ".join(re.findall(r"[^\W_]+", passage_places.named(db, path)))
    query = keyword_syntax.parse(text)
    if not query.wanted:
        return []
    _, found = keywords.ranked(db, query, asked.limit * _LOOKED_AT + 1, 0)
    scores = {other: score for other, score in found if other != path}
    spots = [
        Spot(Fused(other, scores[other], scores[other], 0.0, scores[other], None))
        for other in _different(db, list(scores))
    ]
    return show(db, spots[: asked.limit], Looks(query, None, 1.0, scale_of_meaning({})))


def _different(db: sqlite3.Connection, ranked: Sequence[str]) -> list[str]:
    """Without pages that have the text of one before them."""
    texts = passage_places.blobs_of(db, ranked)
    first = {texts[path]: path for path in reversed(ranked)}
    return [path for path in ranked if first[texts[path]] == path]
