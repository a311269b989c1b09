"""Marks in texts what an expression of FTS5 matches, with the catalog's own tokenizer; nothing of it is stored.

FTS5's functions for this take the square of the number of hits in a text, that for snippets already in short ones: a
page of 40,000 equal words takes ten seconds. So only the part of a page that most likely shows what was found is given
to it, and where that guess was wrong (words are stemmed) the whole page in short parts.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

from wikihost import unspaced
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
_TRIED_PLACES = 500  # of a word; in a text of one letter each would be one
_SHORTEST_BEGINNING = 3
_LONGEST_WORD = 64  # that FTS5 stems


@dataclass(frozen=True, slots=True)
class Marked:
    """A part of a text, from the character `start` on, with marks around what matches."""

    text: str
    start: int
    is_cut: bool


def mark(bodies: Mapping[int, str], wanted: Sequence[Term]) -> dict[int, Marked]:
    """Of each text the part that shows best what matches in it."""
    guesses = {key: _likely_part(body, wanted) for key, body in bodies.items()}
    with Scratch() as scratch:
        marked = scratch.highlighted({key: guess.text for key, guess in guesses.items()}, wanted)
        found = {key: Marked(text, guesses[key].start, guesses[key].is_cut) for key, text in marked.items()}
        for key, body in bodies.items():
            if key not in found:
                found[key] = Marked(scratch.in_parts(body, wanted), 0, is_cut=False)
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
    if unspaced.RUN.search(word):
        found = re.finditer(unspaced.pattern(word), lowered)
        return [match.start() for match in islice(found, _PLACES_OF_A_WORD)]
    whole = list(islice(_beginnings(lowered, word, is_whole=True), _PLACES_OF_A_WORD))
    if whole:
        return whole
    for length in range(len(word), max(len(word) - 3, _SHORTEST_BEGINNING) - 1, -1):
        begun = list(islice(_beginnings(lowered, word[:length]), _PLACES_OF_A_WORD))
        if begun:
            return begun
    return []


def _words_like(texts: Mapping[int, str], wanted: Sequence[Term]) -> dict[int, str]:
    """Of the texts those words that may be forms of the wanted ones, where there are any: the others need no look."""
    beginnings = {term.text[:_SHORTEST_BEGINNING].lower() for term in wanted}
    found = {}
    for key, text in texts.items():
        # Other letters than these may be told apart by accents alone.
        words = " ".join(_words_beginning(text.lower(), beginnings)) if text.isascii() else text
        if words:
            found[key] = words
    return found


def _words_beginning(lowered: str, beginnings: Collection[str]) -> Iterator[str]:
    for beginning in beginnings:
        for place in _beginnings(lowered, beginning):
            # A word is no longer; of what is, the beginning tells enough.
            yield lowered[place : place + _LONGEST_WORD].split(None, 1)[0]


def _beginnings(lowered: str, beginning: str, *, is_whole: bool = False) -> Iterator[int]:
    """Where words begin so, or are no more than that; of the first places where it stands at all."""
    place = lowered.find(beginning)
    for _ in range(_TRIED_PLACES):
        if place < 0:
            return
        after = place + len(beginning)
        if not lowered[place - 1 : place].isalnum() and not (is_whole and lowered[after : after + 1].isalnum()):
            yield place
        place = lowered.find(beginning, place + 1)


class Scratch:
    """A table in memory as the catalog's, for texts that are asked about and forgotten.

    Tables are used again, since making one takes as long as a small search. One transaction holds all that is put into
    it, and is rolled back: to take a text out, FTS5 would read it once more.
    """

    _idle: ClassVar[list[sqlite3.Connection]] = []

    def __enter__(self) -> Scratch:
        try:
            self._connection = self._idle.pop()
        except IndexError:
            # check_same_thread: it is used by one thread at a time.
            self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            self._connection.execute(_TABLE)
        self._connection.execute("BEGIN")
        return self

    def __exit__(self, *raised: object) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._idle.append(self._connection)

    def in_parts(self, body: str, wanted: Sequence[Term]) -> str:
        parts = dict(enumerate(_PART.findall(body)))
        return "".join({**parts, **self.highlighted(parts, wanted)}.values())

    def highlighted(self, texts: Mapping[int, str], wanted: Sequence[Term]) -> dict[int, str]:
        """Those of the texts in which anything matches, with marks."""
        spaced = [term for term in wanted if term.is_spaced]
        found: dict[int, str] = {}
        if spaced:
            self._fill(texts)
            rows = self._connection.execute(
                "SELECT rowid, highlight(part, 4, ?, ?) FROM part WHERE part MATCH ?", (BEGIN, END, any_of(spaced))
            )
            found = dict(rows.fetchall())
        literal = [term.text for term in wanted if not (term.is_spaced or term.in_title)]
        if literal:
            for key, text in texts.items():
                marked = _marked_literally(found.get(key, text), literal)
                if BEGIN in marked:
                    found[key] = marked
        return found

    def having(self, texts: Mapping[int, str], wanted: Sequence[Term]) -> list[set[int]]:
        """For each term the keys of the texts that have it."""
        are_plain = all(term.text.isascii() and term.text.isalnum() for term in wanted)
        self._fill(_words_like(texts, wanted) if are_plain else texts)
        return [self._having(texts, term) for term in wanted]

    def _having(self, texts: Mapping[int, str], term: Term) -> set[int]:
        if not term.is_spaced:
            sought = re.compile(unspaced.pattern(term.text), re.IGNORECASE)
            return set() if term.in_title else {key for key, text in texts.items() if sought.search(text)}
        rows = self._connection.execute("SELECT rowid FROM part WHERE part MATCH ?", (term.expression,))
        return {key for (key,) in rows}

    def _fill(self, texts: Mapping[int, str]) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT INTO part (rowid, body) VALUES (?, ?)", texts.items())


def _marked_literally(text: str, sought: Sequence[str]) -> str:
    """The text with marks around every place of the sought ones, which may overlap; marks in it stay as they are."""
    pieces = re.split(f"({BEGIN}[^{END}]*{END})", text)
    longest_first = sorted(map(unspaced.pattern, sought), key=len, reverse=True)
    # Looked for at every character, since pairs of letters overlap; what touches is marked as one.
    pattern = re.compile(f"(?=({'|'.join(longest_first)}))", re.IGNORECASE)
    return "".join(piece if piece.startswith(BEGIN) else _mark_places(piece, pattern) for piece in pieces)


def _mark_places(text: str, pattern: re.Pattern[str]) -> str:
    marked, position = "", 0
    begin = end = -1
    for match in pattern.finditer(text):
        if match.start() > end:
            if end >= 0:
                marked += f"{text[position:begin]}{BEGIN}{text[begin:end]}{END}"
                position = end
            begin = match.start()
        end = max(end, match.end(1))
    if end < 0:
        return text
    return f"{marked}{text[position:begin]}{BEGIN}{text[begin:end]}{END}{text[end:]}"
