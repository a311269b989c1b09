"""What the search page lists: sections that core found, pages that keyword search found, lines that match."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from wikihost import keywords, query
from wikihost.child.scanning import Found, Scan
from wikihost.excerpts import Excerpt, fragments
from wikihost.questions import Section
from wikihost.readable import readable
from wikihost.values import SearchHit

_TAGS_SHOWN: Final = 6
# What to tell of a search that did not look through everything.
_ENDS: Final = {
    "many": "There are more pages than are shown here. Say more precisely what you look for.",
    "late": "The search took too long and was stopped, so there may be more. A simpler expression is faster.",
    "large": "The search took too much memory and was stopped. Try a simpler expression.",
    "busy": "Somebody else is searching this wiki in this way. Try again in a few seconds.",
    "broken": "The search broke off. Try a simpler expression.",
}

Piece = tuple[str, bool]  # text, and whether it is what was looked for


@dataclass(frozen=True, slots=True)
class Row:
    """A result. `address` leads to the section that it is of; `trail` are the headings above that, outermost first.

    `updated` is a date, `tags` some of the page's.
    """

    address: str
    title: str
    name: str
    trail: Sequence[str]
    excerpts: Sequence[Sequence[Piece]]
    note: str = ""
    updated: str = ""
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Results:
    """What the page shows. `problem` says what went wrong, `note` what is not in it; `more` is the rest's address."""

    rows: Sequence[Row]
    total: int
    problem: str = ""
    note: str = ""
    more: str = ""


def row_of_section(section: Section) -> Row:
    trail = _trail(section.section_path, section.title)
    excerpts = _excerpts(section.snippet, section.highlights)
    return Row(_address(section.page, section.anchor), section.title, section.page, trail, excerpts)


def row_of_hit(hit: SearchHit) -> Row:
    trail = _trail([hit.section], hit.title)
    return Row(_address(hit.path, hit.anchor), hit.title, hit.path, trail, _excerpts(hit.snippet, hit.highlights))


def results_of_scan(connection: sqlite3.Connection, scanned: Scan) -> Results:
    """The pages in which an expression matched, or why that was no expression."""
    if scanned.end == "invalid":
        return Results([], 0, problem=f"This is no regular expression: {scanned.why}.")
    rows = [_row_of_page(connection, page) for page in scanned.found]
    return Results(rows, len(rows), problem=_ENDS.get(scanned.end, ""))


def with_pages(connection: sqlite3.Connection, rows: Iterable[Row]) -> list[Row]:
    """The rows with what the catalog knows of their pages."""
    rows = list(rows)
    pages = query.summaries(connection, [row.name for row in rows])
    return [
        replace(row, updated=f"{page.updated:%Y-%m-%d}", tags=page.tags[:_TAGS_SHOWN])
        if (page := pages.get(row.name))
        else row
        for row in rows
    ]


def _row_of_page(connection: sqlite3.Connection, page: Found) -> Row:
    row, section, anchor = query.find_page(connection, page.name), "", ""
    if row is not None and page.shown and page.shown[0].start is not None:
        before_body = page.length - keywords.body_length(connection, row.id)
        section, anchor = keywords.section_at(connection, row.id, page.shown[0].start - before_body)
    title = row.title if row else page.name
    excerpts = [fragments(shown) for shown in page.shown]
    return Row(_address(page.name, anchor), title, page.name, _trail([section], title), excerpts, note=_count(page))


def _excerpts(snippet: str, highlights: Sequence[Sequence[int]]) -> list[Sequence[Piece]]:
    pieces = fragments(readable(Excerpt(snippet, tuple((begin, end) for begin, end in highlights), None)))
    return [pieces] if pieces else []


def _count(page: Found) -> str:
    in_text = f"{page.count} match{'' if page.count == 1 else 'es'}" if page.count else ""
    return ", ".join(note for note in ("name matches" if page.is_named else "", in_text) if note)


def _trail(sections: Sequence[str], title: str) -> list[str]:
    """The headings that say more than the page's title, with which most pages begin."""
    return [section for number, section in enumerate(sections) if section and (number or section != title)]


def _address(name: str, anchor: str) -> str:
    return f"/{quote(name)}{f'#{quote(anchor)}' if anchor else ''}"
