"""What is found by meaning, by words, and by both: bounded choices, best first. Called in threads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from robot.search.chunk import place
from robot.search.finding import fusion
from robot.search.finding.fusion import Fused
from robot.search.finding.showing import Looks, Meaning, Spot, show
from robot.search.values import FindAnswer, Finding, FindMode, Freshness, Passage, SemanticAnswer
from wikihost import keywords, passage_places, passages
from wikihost.content import Content
from wikihost.keyword_syntax import KeywordQuery
from wikihost.passage_places import Standing
from wikihost.passages import FoundPassage
from wikihost.values import SearchHit

if TYPE_CHECKING:
    from robot.search.finding.index import Part, Snapshot

SNIPPET_CHARS = 150
# The first look takes this many times what is needed; a page that fills it alone is met by looking further.
OVERFETCH = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to one wiki.

    `weight` is what words count for, of 1, and `candidates` how many pages of each list have a say. Sections of a page
    are shown up to `per_page`. `model_id` names the vectors, `problem` says why none can be asked for, `is_confined`
    that only a part of them is inside, and `doubts` that the index may have changed since the vectors were taken. What
    meaning alone leads to has a cosine of `floor` at least.
    """

    query: KeywordQuery
    mode: FindMode
    weight: float
    limit: int
    model_id: str
    offset: int = 0
    per_page: int = 1
    candidates: int = 100
    floor: float = fusion.NO_FLOOR
    problem: str | None = None
    is_confined: bool = False
    doubts: bool = False


def find(content: Content, asked: Asked, meaning: Meaning | None) -> FindAnswer:
    """Sections by words and by meaning; without `meaning` by words alone."""
    head = content.sync()

    def read(db: sqlite3.Connection) -> FindAnswer:
        fresh = freshness(db, head, asked, meaning.snapshot if meaning else None)
        if meaning is None:
            results, total = _by_words(db, asked)
            return FindAnswer(results, total, "keyword", 1.0, fresh)
        results, total = _by_both(db, asked, meaning)
        return FindAnswer(results, total, asked.mode, asked.weight, fresh)

    return content.catalog.read(read)


def passages_by_meaning(content: Content, asked: Asked, meaning: Meaning) -> SemanticAnswer:
    """The nearest passages of `limit` different pages where the wiki has them, then more of the same pages."""
    head = content.sync()

    def read(db: sqlite3.Connection) -> SemanticAnswer:
        fresh = freshness(db, head, asked, meaning.snapshot)
        found = _look_up(db, asked, meaning)
        chosen = choose(found, limit=asked.limit, per_page=asked.per_page)
        return SemanticAnswer([_passage(each, score) for each, score in chosen], "semantic", fresh)

    return content.catalog.read(read)


def passages_by_words(content: Content, asked: Asked) -> SemanticAnswer:
    """What keyword search finds, in the shape of `passages_by_meaning`."""
    head = content.sync()

    def read(db: sqlite3.Connection) -> SemanticAnswer:
        fresh = freshness(db, head, asked, None)
        hits = keywords.search(db, asked.query, asked.limit).hits
        words = passages.page_words(db, [hit.path for hit in hits])
        return SemanticAnswer([_from_hit(hit, words.get(hit.path, 0)) for hit in hits], "lexical", fresh)

    return content.catalog.read(read)


def freshness(db: sqlite3.Connection, head: str, asked: Asked, snapshot: Snapshot | None) -> Freshness:
    """What of the pages as they are now is in the index, and in the `snapshot` of it that is searched, if any is."""
    waiting = passages.pages_waiting(db, asked.model_id)
    if not waiting and snapshot is not None and asked.doubts:
        waiting = passage_places.pages_with(db, snapshot.lacking(passages.all_hashes(db)))
    indexed_head = None if waiting else head
    if asked.mode == "keyword":
        return Freshness(head, indexed_head)
    return Freshness(head, indexed_head, waiting, asked.problem if snapshot is None else None)


def candidates(
    db: sqlite3.Connection, asked: Asked, meaning: Meaning | None
) -> tuple[dict[str, float], dict[str, list[tuple[int, float]]]]:
    """Pages by words with their scores, and by meaning with their nearest passages (ordinal, cosine), nearest first."""
    by_words = keywords.scores(db, asked.query, asked.candidates) if asked.weight and asked.query.wanted else {}
    near: dict[str, list[tuple[int, float]]] = {}
    if meaning is not None and asked.weight < 1:
        near = nearest_pages(db, asked, meaning)
    return by_words, near


def nearest_pages(db: sqlite3.Connection, asked: Asked, meaning: Meaning) -> dict[str, list[tuple[int, float]]]:
    """The nearest `candidates` pages, half as many at least, each with its passages that were met on the way."""
    vectors, allowed = _within(db, asked, meaning.snapshot)
    places: dict[bytes, list[Standing]] = {}
    count = asked.candidates * OVERFETCH
    while True:
        nearest = vectors.nearest(meaning.vector, count)
        for each in passage_places.standing(db, [digest for digest, _ in nearest if digest not in places]):
            places.setdefault(each.hash, []).append(each)
        near: dict[str, list[tuple[int, float]]] = {}
        for digest, cosine in nearest:
            for each in places.get(digest, ()):
                if allowed is None or each.path in allowed:
                    near.setdefault(each.path, []).append((each.ordinal, cosine))
        if count >= len(vectors) or len(near) * 2 >= asked.candidates:
            return dict(islice(near.items(), asked.candidates))
        count *= OVERFETCH


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


def spots(fused: Sequence[Fused[str]], near: Mapping[str, Sequence[tuple[int, float]]], asked: Asked) -> list[Spot]:
    """All places in the list: each page's best section before any page's second, that before any third."""
    scale = fusion.scale_of_meaning({path: found[0][1] for path, found in near.items()})
    listed = []
    for page in fused:
        found = near.get(page.key, ())
        ordinals = frozenset(ordinal for ordinal, _ in found)
        listed.append(Spot(page, 0, ordinals))
        for nth, (_, cosine) in enumerate(found[1 : asked.per_page], 1):
            if page.lexical is None and cosine < asked.floor:
                break
            by_meaning = scale.of(cosine)
            score = asked.weight * page.by_words + (1 - asked.weight) * by_meaning
            further = Fused(page.key, score, page.by_words, by_meaning, page.lexical, cosine)
            listed.append(Spot(further, nth, ordinals))
    return sorted(listed, key=lambda spot: (spot.nth, -spot.page.score, spot.page.key))


def snippet(text: str) -> str:
    """The beginning of a passage on one line, cut at a space."""
    flat = " ".join(text.split())
    if len(flat) <= SNIPPET_CHARS:
        return flat
    cut = flat[:SNIPPET_CHARS]
    return (cut.rpartition(" ")[0] or cut) + "..."


def _by_both(db: sqlite3.Connection, asked: Asked, meaning: Meaning) -> tuple[list[Finding], int]:
    by_words, near = candidates(db, asked, meaning)
    semantic = {path: found[0][1] for path, found in near.items()}
    fused = fusion.fuse(by_words, semantic, asked.weight, asked.candidates, asked.floor)
    best = max(by_words.values(), default=1.0)
    listed = spots(fused, near, asked)
    shown = [_relative(spot, best) for spot in listed[asked.offset : asked.offset + asked.limit]]
    looks = Looks(asked.query, meaning, asked.weight, fusion.scale_of_meaning(semantic))
    return show(db, shown, looks), len(listed)


def _by_words(db: sqlite3.Connection, asked: Asked) -> tuple[list[Finding], int]:
    if not asked.query.wanted:
        listed = keywords.search(db, asked.query, asked.limit, asked.offset)
        return [Finding(hit, hit.title, hit.score, None, None) for hit in listed.hits], listed.total
    total, found = keywords.ranked(db, asked.query, asked.limit, asked.offset)
    shown = [Spot(Fused(path, score, score, 0.0, score, None)) for path, score in found]
    return show(db, shown, Looks(asked.query, None, 1.0, fusion.scale_of_meaning({}))), total


def _relative(spot: Spot, best: float) -> Spot:
    """With what words said of the page relative to the best one."""
    page = spot.page
    return spot if page.lexical is None else replace(spot, page=replace(page, lexical=round(page.lexical / best, 4)))


def _within(db: sqlite3.Connection, asked: Asked, snapshot: Snapshot) -> tuple[Snapshot | Part, set[str] | None]:
    """The vectors of the pages that meet the query's conditions, and the names of those; None where all do."""
    allowed = keywords.meeting(db, asked.query)
    if allowed is not None:
        return snapshot.part(passage_places.hashes_on(db, allowed)), allowed
    return snapshot.part(passages.all_hashes(db)) if asked.is_confined else snapshot, None


def _look_up(db: sqlite3.Connection, asked: Asked, meaning: Meaning) -> list[tuple[FoundPassage, float]]:
    """Passages as they are now, best first, looked further until `limit` pages are among them or none is left."""
    vectors, allowed = _within(db, asked, meaning.snapshot)
    count = asked.limit * OVERFETCH
    known: dict[bytes, list[FoundPassage]] = {}
    while True:
        nearest = vectors.nearest(meaning.vector, count)
        for passage in passages.find_passages(db, [digest for digest, _ in nearest if digest not in known]):
            if allowed is None or passage.path in allowed:
                known.setdefault(passage.hash, []).append(passage)
        found = [(passage, score) for digest, score in nearest for passage in known.get(digest, ())]
        if count >= len(vectors) or len({passage.page_id for passage, _ in found}) >= asked.limit:
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
        first_line=found.first_line,
        last_line=found.last_line,
    )


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
