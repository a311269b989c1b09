"""Marks in texts what an expression of FTS5 matches, with the catalog's own tokenizer; nothing of it is stored.

FTS5's functions for this take the square of the number of hits in a text, that for snippets already in short ones: a
page of 40,000 equal words takes ten seconds. So only the part of a page that most likely shows what was found is given
to it, and where that guess was wrong (words are stemmed) the whole page in short parts.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from wikihost.excerpts import BEGIN, END
from wikihost.keyword_syntax import Term, any_of

# As `page_text` in the catalog: an expression may name its columns.
_TABLE = (
    "CREATE VIRTUAL TABLE part USING fts5"
    " (title, folder, tags, headings, body, tokenize = 'porter unicode61 remove_diacritics 2')"
)
_PART = re.compile(r"(?s).{1,4000}(?!\S)|.{1,4000}")  # ends with a word where it can
_CHARS_BEFORE, _CHARS_AFTER = 200, 400
_CHARS_TOGETHER = 160
_PLACES_OF_A_WORD = 5
_SHORTEST_BEGINNING = 3


@dataclass(frozen=True, slots=True)
class Marked:
    """A part of a text, from the character `start` on, with marks around what matches."""

    text: str
    start: int
    is_cut: bool


def mark(bodies: Mapping[int, str], wanted: Sequence[Term]) -> dict[int, Marked]:
    """Of each text the part that shows best what matches in it."""
    expression = any_of(wanted)
    guesses = {key: _likely_part(body, wanted) for key, body in bodies.items()}
    with closing(sqlite3.connect(":memory:")) as scratch:
        scratch.execute(_TABLE)
        marked = _highlighted(scratch, {key: guess.text for key, guess in guesses.items()}, expression)
        found = {key: Marked(text, guesses[key].start, guesses[key].is_cut) for key, text in marked.items()}
        for key, body in bodies.items():
            if key not in found:
                found[key] = Marked(_in_parts(scratch, body, expression), 0, is_cut=False)
    return found


def beginning(body: str) -> Marked:
    """The part of a text that is shown where nothing in it matches."""
    return Marked(body[:_CHARS_AFTER], 0, is_cut=len(body) > _CHARS_AFTER)


def _likely_part(body: str, wanted: Sequence[Term]) -> Marked:
    place = _likely_place(body, [term.text for term in wanted if not term.in_title])
    start = max(place - _CHARS_BEFORE, 0)
    end = place + _CHARS_AFTER
    # Words at the edges are left whole.
    start = body.rfind(" ", 0, start) + 1 if start else 0
    end = end if end >= len(body) else max(body.rfind(" ", place, end), place + _CHARS_AFTER // 2)
    return Marked(body[start:end], start, is_cut=end < len(body))


def _likely_place(body: str, texts: Sequence[str]) -> int:
    """Where the most of the words stand together, as they are written or nearly so; else the beginning."""
    lowered = body.lower()
    if len(lowered) != len(body):
        return 0
    places = sorted((place, text) for text in texts for place in _places(lowered, text.lower()))
    best, most = 0, 0
    for number, (place, _) in enumerate(places):
        together = {text for at, text in places[number : number + len(texts) * 2] if at <= place + _CHARS_TOGETHER}
        if len(together) > most:
            best, most = place, len(together)
        if most == len(texts):
            break
    return best


def _places(lowered: str, word: str) -> list[int]:
    """The first places of a word; else of words that begin with it, or with almost all of it."""
    whole = list(islice(_beginnings(lowered, word, is_whole=True), _PLACES_OF_A_WORD))
    if whole:
        return whole
    for length in range(len(word), max(len(word) - 3, _SHORTEST_BEGINNING) - 1, -1):
        begun = list(islice(_beginnings(lowered, word[:length]), _PLACES_OF_A_WORD))
        if begun:
            return begun
    return []


def _beginnings(lowered: str, beginning: str, *, is_whole: bool = False) -> Iterator[int]:
    """Where words begin so, or are no more than that."""
    place = lowered.find(beginning)
    while place >= 0:
        after = place + len(beginning)
        if not lowered[place - 1 : place].isalnum() and not (is_whole and lowered[after : after + 1].isalnum()):
            yield place
        place = lowered.find(beginning, place + 1)


def _in_parts(scratch: sqlite3.Connection, body: str, expression: str) -> str:
    parts = dict(enumerate(_PART.findall(body)))
    return "".join({**parts, **_highlighted(scratch, parts, expression)}.values())


def _highlighted(scratch: sqlite3.Connection, texts: Mapping[int, str], expression: str) -> dict[int, str]:
    """Those of the texts that match in any place, with marks."""
    scratch.execute("DELETE FROM part")
    scratch.executemany("INSERT INTO part (rowid, body) VALUES (?, ?)", texts.items())
    rows = scratch.execute(
        "SELECT rowid, highlight(part, 4, ?, ?) FROM part WHERE part MATCH ?", (BEGIN, END, expression)
    )
    return dict(rows.fetchall())
