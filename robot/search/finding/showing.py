"""From ranked pages to the sections that are shown of them. Called in threads, with the catalog's connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from robot.search.chunk import place
from robot.search.finding import sections
from robot.search.finding.fusion import Fused, Scale
from robot.search.values import Finding
from wikihost import keywords, passage_places
from wikihost.excerpts import excerpt
from wikihost.keyword_syntax import KeywordQuery
from wikihost.marking import Scratch
from wikihost.passage_places import PagePassage, SectionHeading
from wikihost.values import SearchHit

if TYPE_CHECKING:
    from robot.search.finding.index import Snapshot
    from robot.search.model.embed import Vectors


@dataclass(frozen=True, slots=True)
class Meaning:
    """What search by meaning brings to a question: the wiki's vectors, and the question's own."""

    snapshot: Snapshot
    vector: Vectors

    def cosines(self, hashes: Sequence[bytes]) -> dict[bytes, float]:
        """How near these passages are, as far as they are indexed."""
        part = self.snapshot.part(hashes)
        return dict(part.nearest(self.vector, len(part)))


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the list of what was found: the page's best section (`nth` 0), or a further one.

    `near` are the ordinals of the page's passages that are among the nearest.
    """

    page: Fused[str]
    nth: int = 0
    near: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Looks:
    """By what a page's sections are compared: the words' weight of 1, and the scale of the cosines."""

    query: KeywordQuery
    meaning: Meaning | None
    weight: float
    scale: Scale


def show(db: sqlite3.Connection, spots: Sequence[Spot], looks: Looks) -> list[Finding]:
    """The section for each of the spots; one whose page is gone is left out."""
    pages = {spot.page.key: spot for spot in reversed(spots)}
    names = list(pages)
    passages = passage_places.passages_on(db, names)
    headings = passage_places.headings_on(db, names)
    # A page that was changed since it was cut into passages is shown as it is now, where its words were found.
    whole = [
        name
        for name, spot in pages.items()
        if name not in passages or (spot.page.lexical is not None and not passages[name][0].is_current)
    ]
    hits = keywords.show(db, looks.query, whole) if whole else {}
    titles = passage_places.titles_of(db, names)
    with Scratch() as scratch:
        ordered = _ordered(scratch, {name: passages[name] for name in names if name not in whole}, pages, looks)
        chosen = {
            number: ordered[name][min(spot.nth, len(ordered[name]) - 1)]
            for number, spot in enumerate(spots)
            if (name := spot.page.key) in ordered
        }
        marked = scratch.highlighted({number: each.text for number, each in chosen.items()}, looks.query.wanted)
    found = []
    for number, spot in enumerate(spots):
        name = spot.page.key
        above = headings.get(name, [])
        if number in chosen:
            shown = _as_hit(name, titles[name], chosen[number], above, marked.get(number), looks.query.question)
            found.append(_finding(spot, *shown, chosen[number]))
        elif name in hits:
            found.append(_finding(spot, hits[name], _path_to(hits[name].anchor, above), None))
    return found


def _ordered(
    scratch: Scratch, passages: Mapping[str, Sequence[PagePassage]], pages: Mapping[str, Spot], looks: Looks
) -> dict[str, list[PagePassage]]:
    """The passages of each page, those first that answer best."""
    compared = {
        name: sections.worth_comparing(found, looks.query, pages[name].near) for name, found in passages.items()
    }
    every = [each for found in compared.values() for each in found]
    cosines = looks.meaning.cosines([each.hash for each in every]) if looks.meaning else {}
    in_text, in_heading = _words_in(scratch, every, looks)
    ordered, start = {}, 0
    for name, found in compared.items():
        end = start + len(found)
        worth = sections.worth_by_words(
            [{at - start for at in having if start <= at < end} for having in in_text],
            [{at - start for at in having if start <= at < end} for having in in_heading],
            len(found),
            len(passages[name]),
        )
        ordered[name] = sections.best_first(found, worth, cosines, looks.weight, looks.scale)
        start = end
    return ordered


def _words_in(scratch: Scratch, passages: Sequence[PagePassage], looks: Looks) -> tuple[list[set[int]], list[set[int]]]:
    """For each word of the query which of the passages have it in their text, and which in their heading."""
    if not looks.weight:
        return [], []
    # Both are looked through at once: texts have the even numbers, headings the odd ones.
    texts = {2 * at: each.text for at, each in enumerate(passages)}
    texts |= {2 * at + 1: each.section for at, each in enumerate(passages) if each.section}
    having = scratch.having(texts, looks.query.wanted)
    return [{at // 2 for at in keys if not at % 2} for keys in having], [
        {at // 2 for at in keys if at % 2} for keys in having
    ]


def _as_hit(
    path: str, title: str, passage: PagePassage, headings: Sequence[SectionHeading], marked: str | None, question: str
) -> tuple[SearchHit, str]:
    """A passage with what it shows best, and the path of the heading above that."""
    if marked is not None:
        shown = excerpt(marked)
        at = shown.start or 0
    else:
        at = sections.fitting_place(passage.text, question)
        shown = excerpt(passage.text[at:], at)
    section, anchor, section_path = sections.heading_at(passage, headings, at)
    return SearchHit(path, title, shown.text, 0.0, shown.highlights, section, anchor), section_path


def _path_to(anchor: str, headings: Sequence[SectionHeading]) -> str:
    at = next((at for at, each in enumerate(headings) if each.anchor == anchor), None)
    return "" if at is None else sections.path_of(headings, at)


def _finding(spot: Spot, hit: SearchHit, section_path: str, passage: PagePassage | None) -> Finding:
    # The lines of a passage that was cut from an older text lead nowhere.
    lines = (passage.first_line, passage.last_line) if passage is not None and passage.is_current else (0, 0)
    page = spot.page
    return Finding(
        page=replace(hit, score=round(page.score, 4)),
        section_path=place(hit.title, section_path),
        score=round(page.score, 4),
        lexical=page.lexical,
        semantic=page.semantic,
        by_words=round(page.by_words, 4),
        by_meaning=round(page.by_meaning, 4),
        first_line=lines[0],
        last_line=lines[1],
    )
