"""What people and agents type to search by keywords. Pure; every text is a query.

    harbour crane        pages with any of the words; those with all of them count twice
    "harbour crane"      pages with this phrase, which must be there; `"crane"` is a word that must be there
    cran*                words that begin so
    -word  -"a phrase"   pages without it
    title:crane          the word must be in the title or the name
    tag:draft            pages with this tag; `-tag:draft` those without
    category:guides      pages of this category
    path:Guides/         pages whose name begins so; with a `*` in it, pages whose whole name looks so

Values of fields may be in quotes, `*` stands for anything in those of `tag:`, `category:` and `path:`, and case never
matters. Whatever is none of this is taken for words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from wikihost.names import page_key

MAX_QUERY_CHARS = 2_000
MAX_TERMS = 32  # of each kind; what is typed after them does not count

_TERM = re.compile(
    r'(?P<minus>(?<!\S)-(?!-))?(?:(?P<field>title|tag|category|path):)?(?:"(?P<phrase>[^"]*)"(?P<star>\*)?|(?P<word>[^\s"]+))',
    re.IGNORECASE,
)
_WILDCARDS = re.compile(r"\*+")
_MAX_WILDCARDS = 8
_STOP_WORDS = frozenset(
    """
    a an and are as at be but by for from how i if in into is it its of on or that the their then there these they this
    to was what when where which who why will with you your
    """.split()  # noqa: SIM905 - a list of words reads best as words
)


@dataclass(frozen=True, slots=True)
class Term:
    """A word or a phrase; with `is_prefix` its last word is only the beginning of one."""

    text: str
    is_prefix: bool = False
    in_title: bool = False

    @property
    def expression(self) -> str:
        """In the syntax of FTS5, where no text in quotes is ever syntax."""
        return f'{"title : " if self.in_title else ""}"{self.text}"{" *" if self.is_prefix else ""}'


@dataclass(frozen=True, slots=True)
class Filter:
    """A field (tag, category, path) that must look like `pattern`, or must not: for LIKE, `\\` escapes, case folded."""

    field: str
    pattern: str
    excluded: bool


@dataclass(frozen=True, slots=True)
class KeywordQuery:
    """A query, taken apart: `words` are welcome, `required` must be there, `excluded` must not."""

    words: tuple[Term, ...] = ()
    required: tuple[Term, ...] = ()
    excluded: tuple[Term, ...] = ()
    filters: tuple[Filter, ...] = ()

    @property
    def wanted(self) -> tuple[Term, ...]:
        return self.required + self.words


def parse(text: str) -> KeywordQuery:
    """Take a query apart. Never raises; common words count only where there is no other."""
    readable = text[:MAX_QUERY_CHARS].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    words: list[Term] = []
    required: list[Term] = []
    excluded: list[Term] = []
    filters: list[Filter] = []
    for match in _TERM.finditer(readable):
        field, minus = (match["field"] or "").lower(), match["minus"] is not None
        value = match["phrase"] if match["word"] is None else match["word"]
        if field in ("tag", "category", "path"):
            if value.strip():
                filters.append(Filter(field, _pattern(field, value), minus))
            continue
        term = Term(value.rstrip("*"), match["star"] is not None or value.endswith("*"), field == "title")
        if not any(character.isalnum() for character in term.text):
            continue
        if minus:
            excluded.append(term)
        elif field or match["word"] is None:
            required.append(term)
        else:
            words.append(term)
    telling = [word for word in words if word.is_prefix or word.text.casefold() not in _STOP_WORDS]
    if not telling and not required:
        telling = words
    return KeywordQuery(_some(telling), _some(required), _some(excluded), tuple(filters[:MAX_TERMS]))


def any_of(terms: Iterable[Term]) -> str:
    """An expression of FTS5 for rows with at least one of the terms."""
    return " OR ".join(term.expression for term in terms)


def all_of(terms: Iterable[Term]) -> str:
    """An expression of FTS5 for rows with every one of the terms."""
    return " AND ".join(f"({term.expression})" for term in terms)


def _some(terms: list[Term]) -> tuple[Term, ...]:
    return tuple(dict.fromkeys(terms))[:MAX_TERMS]


def _pattern(field: str, value: str) -> str:
    plain = page_key(value).casefold().strip() if field == "path" else value.casefold().strip()
    parts = [re.sub(r"([\\%_])", r"\\\1", part) for part in _WILDCARDS.split(plain, maxsplit=_MAX_WILDCARDS)]
    begins = field == "path" and len(parts) == 1
    return "%".join(parts) + ("%" if begins else "")
