"""Otter Wiki's search page over the catalog: the same keyword search as at every other door.

Its search through the text of all pages, for a regular expression or with attention to case, stays; it reads every page
for that, so it has a time limit (`scanning`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from flask import abort, redirect, render_template, request, url_for
from flask_login import current_user
from otterwiki.auth import has_permission

from wikihost import keywords, query
from wikihost.child.scanning import Found, Pattern, scan
from wikihost.content import Content
from wikihost.excerpts import Excerpt, fragments
from wikihost.keyword_syntax import MAX_QUERY_CHARS
from wikihost.values import SearchHit

ENDPOINT: Final = "search"
HITS_PER_PAGE: Final = 20
_MAX_OFFSET: Final = 10_000
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
class Asked:
    """What the form says."""

    query: str
    is_regex: bool
    is_case_sensitive: bool
    offset: int

    @property
    def is_scan(self) -> bool:
        return self.is_regex or self.is_case_sensitive


@dataclass(frozen=True, slots=True)
class Row:
    """A page on the list. `address` leads to the section that the first excerpt is of."""

    address: str
    title: str
    name: str
    section: str
    note: str
    excerpts: Sequence[Sequence[Piece]]


@dataclass(frozen=True, slots=True)
class Results:
    """What the page shows. `problem` is a sentence on what went wrong or was left out, `more` the rest's address."""

    rows: Sequence[Row]
    total: int
    problem: str = ""
    more: str = ""


def install(app: Any, storage: Any) -> None:
    """Answer in the place of Otter Wiki's own search; before the first request."""
    page = app.jinja_env.from_string((files("wikihost.child") / "search.html").read_text("utf-8"))

    def search(query: str | None = None) -> Any:  # the argument's name is the route's
        if not has_permission("READ"):
            if not current_user.is_authenticated:
                return redirect(url_for("login"))
            abort(403)
        asked = _asked(query)
        results = None
        if asked.query:
            results = _scanned(storage, asked) if asked.is_scan else _found(storage.content, asked)
        title = f"Search: {asked.query}" if results else "Search"
        return render_template(page, asked=asked, results=results, title=title)

    app.view_functions[ENDPOINT] = search


def _asked(in_path: str | None) -> Asked:
    values = request.values
    offset = values.get("offset", 0, int)
    return Asked(
        query=(in_path or values.get("query", "")).strip()[:MAX_QUERY_CHARS],
        is_regex=values.get("is_regexp") == "y",
        is_case_sensitive=values.get("is_casesensitive") == "y",
        offset=min(max(offset, 0), _MAX_OFFSET),
    )


def _found(content: Content, asked: Asked) -> Results:
    result = content.search(asked.query, HITS_PER_PAGE, asked.offset)
    end = asked.offset + len(result.hits)
    more = ""
    if result.hits and end < min(result.total, _MAX_OFFSET):
        more = f"{url_for(ENDPOINT)}?{urlencode({'query': asked.query, 'offset': end})}"
    return Results([_row_of_hit(hit) for hit in result.hits], result.total, more=more)


def _row_of_hit(hit: SearchHit) -> Row:
    pieces = fragments(Excerpt(hit.snippet, tuple(hit.highlights), None))
    return Row(_address(hit.path, hit.anchor), hit.title, hit.path, hit.section, "", [pieces] if pieces else [])


def _scanned(storage: Any, asked: Asked) -> Results:
    content: Content = storage.content
    names = [page.path for page in content.list_pages()]
    pattern = Pattern(asked.query, asked.is_regex, asked.is_case_sensitive)
    result = scan(Path(storage.path), names, pattern)
    if result.end == "invalid":
        return Results([], 0, f"This is no regular expression: {result.why}.")
    rows = content.catalog.read(lambda connection: [_row_of_page(connection, page) for page in result.found])
    return Results(rows, len(rows), _ENDS.get(result.end, ""))


def _row_of_page(connection: sqlite3.Connection, page: Found) -> Row:
    row, section, anchor = query.find_page(connection, page.name), "", ""
    if row is not None and page.shown and page.shown[0].start is not None:
        before_body = page.length - keywords.body_length(connection, row.id)
        section, anchor = keywords.section_at(connection, row.id, page.shown[0].start - before_body)
    return Row(
        _address(page.name, anchor),
        row.title if row else page.name,
        page.name,
        section,
        _count(page),
        [fragments(shown) for shown in page.shown],
    )


def _count(page: Found) -> str:
    in_text = f"{page.count} match{'' if page.count == 1 else 'es'}" if page.count else ""
    return ", ".join(note for note in ("name matches" if page.is_named else "", in_text) if note)


def _address(name: str, anchor: str) -> str:
    return f"/{quote(name)}{f'#{quote(anchor)}' if anchor else ''}"
