"""One question to several wikis: what each brings, and one list of all. What takes a content is called in threads."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robot.search.finding import fusion, ranking
from robot.search.finding.fusion import Fused, Scale
from robot.search.finding.ranking import Asked
from robot.search.finding.showing import Looks, Meaning, Spot, show
from robot.search.values import Finding
from wikihost import keywords
from wikihost.content import Content
from wikihost.keywords import TermCount

# What the order within a wiki adds to the words that a page has.
_ORDER_COUNTS = 0.5


@dataclass(frozen=True, slots=True)
class Brought:
    """What a wiki has for a question. `relative` are scores by words, of which its best page has 1.

    FTS5's scores of different wikis say nothing of each other: in a wiki of three pages no word is rare. So for each
    word there is how many of all `pages` have it, and which of those that were found.
    """

    pages: int
    relative: Mapping[str, float]
    terms: Sequence[TermCount]
    near: Mapping[str, Sequence[tuple[int, float]]]
    is_behind: bool
    meaning: Meaning | None


def bring(content: Content, asked: Asked, meaning: Meaning | None) -> Brought:
    """The best pages of one wiki."""
    head = content.sync()

    def read(db: sqlite3.Connection) -> Brought:
        fresh = ranking.freshness(db, head, asked, meaning.snapshot if meaning else None)
        scores, near = ranking.candidates(db, asked, meaning)
        best = max(scores.values(), default=1.0)
        relative = {path: score / best for path, score in scores.items()}
        pages, terms = keywords.term_counts(db, asked.query, relative)
        return Brought(pages, relative, terms, near, fresh.indexed_head is None, meaning)

    return content.catalog.read(read)


def join(brought: Mapping[int, Brought], asked: Asked) -> tuple[list[Fused[tuple[int, str]]], Scale]:
    """The best pages of all wikis, by the number of the wiki and the name; and the scale of the cosines."""
    words = _by_words(brought)
    meaning = {
        (number, path): found[0][1] for number, each in brought.items() for path, found in each.near.items() if found
    }
    # The lists of the wikis were cut, but the list of all has what is best of each: it is as good as whole.
    fused = fusion.fuse(words, meaning, asked.weight, len(words) + 1, asked.floor)
    return fused[: asked.limit], fusion.scale_of_meaning(meaning)


def within(page: Fused[tuple[int, str]]) -> Fused[str]:
    """The same page, by its name in its wiki."""
    return Fused(page.key[1], page.score, page.by_words, page.by_meaning, page.lexical, page.semantic)


def show_part(
    content: Content, pages: Sequence[Fused[str]], brought: Brought, asked: Asked, scale: Scale
) -> list[Finding]:
    """The sections of one wiki's pages, in their order; a page that is gone since is left out."""
    spots = [Spot(page, 0, frozenset(ordinal for ordinal, _ in brought.near.get(page.key, ()))) for page in pages]
    looks = Looks(asked.query, brought.meaning, asked.weight, scale)
    content.sync()
    return content.catalog.read(lambda db: show(db, spots, looks))


def _by_words(brought: Mapping[int, Brought]) -> dict[tuple[int, str], float]:
    """How much each page has of what is asked, 0 to 1: a word tells more the fewer pages of all wikis have it."""
    pages = sum(each.pages for each in brought.values())
    counts = [
        sum(counted)
        for counted in zip(*([term.pages for term in each.terms] for each in brought.values()), strict=True)
    ]
    tells = [math.log(1 + pages / count) if count else 0.0 for count in counts]
    most = sum(tells) * (1 + _ORDER_COUNTS)
    return {
        (number, path): (1 + _ORDER_COUNTS * relative)
        * sum(tell for tell, term in zip(tells, each.terms, strict=True) if path in term.found)
        / most
        for number, each in brought.items()
        for path, relative in each.relative.items()
        if most
    }
