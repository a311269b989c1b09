"""What people and agents type to search by keywords. Pure; every text is a query.

    harbour crane        pages with any of the words; those with all of them count twice
    "harbour crane"      pages with this phrase, which must be there; `"crane"` is a word that must be there
    cran*                words that begin so
    -word  -"a phrase"   pages without it
    title:crane          the word must be in the title or the name
    tag:draft            pages with this tag; `-tag:draft` those without
    category:guides      pages of this category
    path:Guides/         pages whose name begins so; with a `*` in it, pages whose whole name looks so
    after:2026-01-31     pages last changed on that day or later, as days are in UTC; `before:` earlier than that day

Values of fields may be in quotes, `*` stands for anything in those of `tag:`, `category:` and `path:`, and case never
matters. Whatever is none of this is taken for words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice

from wikihost import unspaced
from wikihost.names import page_key
from wikihost.values import NO_FILTERS, SearchFilters

MAX_QUERY_CHARS = 2_000
MAX_TERMS = 32  # of each kind; what is typed after them does not count
# The words of all terms of a kind: to look for a phrase takes the longer the more it has, on pages that repeat them.
MAX_WORDS = 32

_TERM = re.compile(
    r'(?P<minus>(?<!\S)-(?!-))?(?:(?P<field>title|tag|category|path|after|before):)?(?:"(?P<phrase>[^"]*)"(?P<star>\*)?|(?P<word>[^\s"]+))',
    re.IGNORECASE,
)
_WORD = re.compile(f"[{unspaced.SCRIPTS}]{{1,2}}|(?:(?![{unspaced.SCRIPTS}])[^\\W_])+")
_WILDCARDS = re.compile(r"\*+")
_MAX_WILDCARDS = 8
_STOP_WORDS = frozenset(
    """
    a an and are as at be but by can could did do does for from had has have how i if in into is it its me my of on
    or our should that the their then there these they this to was we what when where which who why will with
    would you your
    """.split()  # noqa: SIM905 - a list of words reads best as words
)


@dataclass(frozen=True, slots=True)
class Term:
    """A word or a phrase; with `is_prefix` its last word is only the beginning of one."""

    text: str
    is_prefix: bool = False
    in_title: bool = False

    @property
    def is_spaced(self) -> bool:
        """Whether spaces stand between its words, which is what FTS5 goes by."""
        return unspaced.RUN.search(self.text) is None

    @property
    def expression(self) -> str:
        """In the syntax of FTS5, where no text in quotes is ever syntax."""
        if self.is_spaced:
            parts = [f'"{self.text}"{" *" if self.is_prefix else ""}']
        else:
            parts = [*map(unspaced.expression, unspaced.RUN.findall(self.text)), *_quoted_between_runs(self.text)]
        field = "title : " if self.in_title else ""
        found = [field + part for part in parts if part]
        return found[0] if len(found) == 1 else f"({' AND '.join(found)})"


@dataclass(frozen=True, slots=True)
class Filter:
    """What must be so of a page, or must not.

    The fields `tag`, `category` and `path` must look like `value`, a pattern for LIKE, case folded, where `\\` escapes.
    For `after` and `before` it is a moment in epoch seconds.
    """

    field: str
    value: str | float
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class KeywordQuery:
    """A query, taken apart: `words` are welcome, `required` must be there, `excluded` must not.

    `question` is what search by meaning is asked: all that is welcome as it was typed, common words and all.
    """

    words: tuple[Term, ...] = ()
    required: tuple[Term, ...] = ()
    excluded: tuple[Term, ...] = ()
    filters: tuple[Filter, ...] = ()
    question: str = ""

    @property
    def has_conditions(self) -> bool:
        """Whether there are pages that it does not mean, whatever its other words."""
        return bool(self.required or self.excluded or self.filters)

    @property
    def wanted(self) -> tuple[Term, ...]:
        return self.required + self.words


def parse(text: str, filters: SearchFilters = NO_FILTERS) -> KeywordQuery:
    """Take a query apart, and add what else is asked of pages. Never raises.

    Common words count only where there is no other.
    """
    readable = text[:MAX_QUERY_CHARS].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    words: list[Term] = []
    question: list[str] = []
    required: list[Term] = []
    excluded: list[Term] = []
    conditions = _conditions(filters)
    for match in _TERM.finditer(readable):
        field, minus = (match["field"] or "").lower(), match["minus"] is not None
        value = match["phrase"] if match["word"] is None else match["word"]
        if field in ("tag", "category", "path"):
            if value.strip():
                conditions.append(Filter(field, _pattern(field, value), minus))
            continue
        if field in ("after", "before"):
            moment = _moment(value)
            if moment is not None:
                conditions.append(Filter(field, moment, minus))
                continue
            value = f"{field}:{value}"
        term = Term(value.rstrip("*"), match["star"] is not None or value.endswith("*"), field == "title")
        if not any(character.isalnum() for character in term.text):
            continue
        if minus:
            excluded.append(term)
            continue
        question.append(term.text)
        if field == "title" or match["word"] is None:
            required.append(term)
        else:
            words.extend(_apart(term))
    telling = [word for word in words if word.is_prefix or word.text.casefold() not in _STOP_WORDS]
    if not telling and not required:
        telling = words
    asked = " ".join(question)
    return KeywordQuery(_some(telling), _some(required), _some(excluded), tuple(conditions[:MAX_TERMS]), asked)


def any_of(terms: Iterable[Term]) -> str:
    """An expression of FTS5 for rows with at least one of the terms."""
    return " OR ".join(term.expression for term in terms)


def all_of(terms: Iterable[Term]) -> str:
    """An expression of FTS5 for rows with every one of the terms."""
    return " AND ".join(f"({term.expression})" for term in terms)


def _apart(word: Term) -> list[Term]:
    """A word that has no spaces where others would have, as all of its pairs of letters and what is between."""
    if word.is_spaced:
        return [word]
    found = [pair for run in unspaced.RUN.findall(word.text) for pair in unspaced.pairs(run)]
    between = [part for part in unspaced.RUN.split(word.text) if any(map(str.isalnum, part))]
    return [Term(text) for text in between + found if text]


def _quoted_between_runs(text: str) -> list[str]:
    return [f'"{part}"' for part in unspaced.RUN.split(text) if any(map(str.isalnum, part))]


def _some(terms: list[Term]) -> tuple[Term, ...]:
    """The first of them; of one that is too long its first words."""
    found: dict[Term, None] = {}
    left = MAX_WORDS
    for term in terms:
        ends = [word.end() for word in islice(_WORD.finditer(term.text), left + 1)]
        if len(ends) > left:
            term = replace(term, text=term.text[: ends[left - 1]], is_prefix=False)  # noqa: PLW2901
        if term not in found:
            found[term] = None
            left -= min(len(ends), left)
        if not left or len(found) == MAX_TERMS:
            break
    return tuple(found)


def _conditions(filters: SearchFilters) -> list[Filter]:
    """The conditions that do not stand in the query's text, as if they did."""
    named = {"tag": filters.tag, "category": filters.category, "path": filters.prefix}
    found = [Filter(field, _pattern(field, value)) for field, value in named.items() if value.strip()]
    if filters.updated_since is not None:
        found.append(Filter("after", filters.updated_since.timestamp()))
    if filters.updated_before is not None:
        found.append(Filter("before", filters.updated_before.timestamp()))
    return found


def _moment(day: str) -> float | None:
    """When a day (or a moment, in ISO 8601) begins, in epoch seconds; None for what is neither."""
    try:
        moment = datetime.fromisoformat(day.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _pattern(field: str, value: str) -> str:
    plain = page_key(value).casefold().strip() if field == "path" else value.casefold().strip()
    parts = [re.sub(r"([\\%_])", r"\\\1", part) for part in _WILDCARDS.split(plain, maxsplit=_MAX_WILDCARDS)]
    begins = field == "path" and len(parts) == 1
    return "%".join(parts) + ("%" if begins else "")
