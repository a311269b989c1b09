"""Search by keywords in the catalog's full text (FTS5), ranked by BM25."""

# The only things put into SQL text here are constants and conditions of this module.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from wikihost.excerpts import excerpt
from wikihost.keyword_syntax import Filter, KeywordQuery, Term, all_of, any_of
from wikihost.markdown import MAX_OUTLINED_CHARACTERS
from wikihost.marking import beginning, mark
from wikihost.names import page_key
from wikihost.parameters import marks
from wikihost.query import FINDABLE
from wikihost.values import SearchHit, SearchHits

# A hit in the title is worth five in the body, one in a heading or a tag three.
_RANK = "bm25(page_text, 5.0, 2.0, 3.0, 3.0, 1.0, 1.0)"
# What is typed as a page is called means that page.
_IS_CALLED = "(page.title = ? COLLATE NOCASE OR page.key = ? COLLATE NOCASE)"
_CALLED_COUNTS = 2
_BEGINNING_CHARS = 400
_MATCHES = "page.id {} (SELECT rowid FROM page_text WHERE page_text MATCH ?)"
_FIELDS: dict[str, str] = {
    "tag": r"page.id IN (SELECT page_id FROM tag WHERE tag.key LIKE ? ESCAPE '\')",
    "category": r"(page.category IS NOT NULL AND casefold(page.category) LIKE ? ESCAPE '\')",
    "path": r"casefold(page.key) LIKE ? ESCAPE '\'",
    "after": "page.updated >= ?",
    "before": "page.updated < ?",
}

_Conditions = tuple[list[str], list[object]]
_Row = tuple[int, str, str, float]  # id, path, title, score


def search(connection: sqlite3.Connection, query: KeywordQuery, limit: int, offset: int = 0) -> SearchHits:
    """The pages that a query means, best first; those after the first `offset`, at most `limit`.

    A page that has all of the words counts double. The score is relative to the best hit, which has 1. A query without
    words lists the pages that meet its conditions, by path.
    """
    if query.wanted:
        return _ranked(connection, query, limit, offset)
    if query.excluded or query.filters:
        return _listed(connection, query, limit, offset)
    return SearchHits(0, [])


def scores(connection: sqlite3.Connection, query: KeywordQuery, limit: int) -> dict[str, float]:
    """For a query that has words the names of the pages, best first, and their scores, without an upper bound."""
    return {path: value for _, path, _, value in _rank(connection, query, limit, 0)[2]}


def ranked(
    connection: sqlite3.Connection, query: KeywordQuery, limit: int, offset: int
) -> tuple[int, list[tuple[str, float]]]:
    """As `search` for a query that has words: the number of all pages, and the names of some and their scores."""
    total, best, rows = _rank(connection, query, limit, offset)
    return total, [(path, round(value / best, 4)) for _, path, _, value in rows]


@dataclass(frozen=True, slots=True)
class TermCount:
    """How many pages have a word, and which of some."""

    pages: int
    found: frozenset[str]


def term_counts(
    connection: sqlite3.Connection, query: KeywordQuery, paths: Collection[str]
) -> tuple[int, list[TermCount]]:
    """The number of all pages; and for each wanted term how many have it, and which of `paths`."""
    ((total,),) = connection.execute("SELECT count(*) FROM page").fetchall()
    known = dict(
        connection.execute(f"SELECT id, path FROM page WHERE path IN ({marks(paths)})", tuple(paths)).fetchall()
    )
    counts = []
    for term in query.wanted:
        rows = connection.execute("SELECT rowid FROM page_text WHERE page_text MATCH ?", (term.expression,)).fetchall()
        counts.append(TermCount(len(rows), frozenset(known[row] for (row,) in rows if row in known)))
    return total, counts


def show(connection: sqlite3.Connection, query: KeywordQuery, paths: Collection[str]) -> dict[str, SearchHit]:
    """Some of the pages that `scores` found, by name, as `search` shows them; with a score of 0."""
    rows = connection.execute(f"SELECT id, path, title, 0.0 FROM page WHERE path IN ({marks(paths)})", tuple(paths))
    return {hit.path: hit for hit in _shown(connection, rows.fetchall(), query.wanted)}


def meeting(connection: sqlite3.Connection, query: KeywordQuery) -> set[str] | None:
    """The names of the pages that meet a query's conditions, whatever its other words; None where it has none."""
    if not query.has_conditions:
        return None
    conditions, values = _conditions(query)
    return {path for (path,) in connection.execute(f"SELECT path FROM page WHERE {' AND '.join(conditions)}", values)}


def body_length(connection: sqlite3.Connection, page_id: int) -> int:
    """Characters of a page's text without its frontmatter."""
    row = connection.execute("SELECT length(body) FROM page_text WHERE rowid = ?", (page_id,)).fetchone()
    return 0 if row is None else int(row[0])


def section_at(connection: sqlite3.Connection, page_id: int, start: int) -> tuple[str, str]:
    """Title and id of the heading above a place in a page's body; empty ones where there is none."""
    row = connection.execute(
        "SELECT title, anchor FROM heading WHERE page_id = ? AND start <= ? ORDER BY start DESC LIMIT 1",
        (page_id, start),
    ).fetchone()
    return ("", "") if row is None or start >= MAX_OUTLINED_CHARACTERS else (row[0], row[1])


def _ranked(connection: sqlite3.Connection, query: KeywordQuery, limit: int, offset: int) -> SearchHits:
    total, best, rows = _rank(connection, query, limit, offset)
    relative = [(page_id, path, title, value / best) for page_id, path, title, value in rows]
    return SearchHits(total, _shown(connection, relative, query.wanted))


def _rank(
    connection: sqlite3.Connection, query: KeywordQuery, limit: int, offset: int
) -> tuple[int, float, list[_Row]]:
    """How many pages have any of the words, the best score of them, and those after the first `offset`."""
    conditions, values = _conditions(query)
    called = (query.question, page_key(query.question))
    rows = connection.execute(
        f"""
        WITH hit AS MATERIALIZED (
          SELECT page.id AS id, path, page.title AS title,
                 -{_RANK} * (1 + ({_MATCHES.format("IN")})) * (CASE WHEN {_IS_CALLED} THEN {_CALLED_COUNTS} ELSE 1 END)
                   AS value
          FROM page_text JOIN page ON page.id = page_text.rowid
          WHERE page_text MATCH ? AND {" AND ".join(conditions)}
        )
        SELECT id, path, title, value, (SELECT count(*) FROM hit), (SELECT max(value) FROM hit)
        FROM hit ORDER BY value DESC, path LIMIT ? OFFSET ?
        """,
        (all_of(query.wanted), *called, any_of(query.wanted), *values, limit, offset),
    ).fetchall()
    if not rows and offset:
        total, best, _ = _rank(connection, query, 1, 0)
        return total, best, []
    total, best = rows[0][4:] if rows else (0, 0.0)
    return total, best, [row[:4] for row in rows]


def _listed(connection: sqlite3.Connection, query: KeywordQuery, limit: int, offset: int) -> SearchHits:
    conditions, values = _conditions(query)
    where = " AND ".join(conditions)
    ((total,),) = connection.execute(f"SELECT count(*) FROM page WHERE {where}", values).fetchall()
    rows = connection.execute(
        f"""
        SELECT path, page.title, substr(body, 1, {_BEGINNING_CHARS})
        FROM page JOIN page_text ON page_text.rowid = page.id WHERE {where} ORDER BY path LIMIT ? OFFSET ?
        """,
        (*values, limit, offset),
    )
    return SearchHits(total, [SearchHit(path, title, excerpt(body).text, 1.0) for path, title, body in rows])


def _conditions(query: KeywordQuery) -> _Conditions:
    """What a page must meet whatever its words are, as SQL with its parameters."""
    conditions, values = [FINDABLE], list[object]()
    if query.required:
        conditions.append(_MATCHES.format("IN"))
        values.append(all_of(query.required))
    if query.excluded:
        conditions.append(_MATCHES.format("NOT IN"))
        values.append(any_of(query.excluded))
    for each in query.filters:
        conditions.append(_condition(each))
        values.append(each.value)
    return conditions, values


def _condition(wanted: Filter) -> str:
    return f"NOT {_FIELDS[wanted.field]}" if wanted.excluded else _FIELDS[wanted.field]


def _shown(connection: sqlite3.Connection, rows: Sequence[_Row], wanted: Sequence[Term]) -> list[SearchHit]:
    """The rows as hits; what a very long page has further down is found, but not shown."""
    bodies = _bodies(connection, [page_id for page_id, *_ in rows])
    matching = _matching_in_body(connection, list(bodies), wanted)
    marked = mark({page_id: bodies[page_id] for page_id in matching}, wanted)
    hits = []
    for page_id, path, title, score in rows:
        part = marked.get(page_id) or beginning(bodies[page_id])
        shown = excerpt(part.text, part.start, is_cut=part.is_cut)
        section, anchor = ("", "") if shown.start is None else section_at(connection, page_id, shown.start)
        hits.append(SearchHit(path, title, shown.text, round(score, 4), shown.highlights, section, anchor))
    return hits


def _matching_in_body(connection: sqlite3.Connection, pages: Sequence[int], wanted: Sequence[Term]) -> list[int]:
    """Those of the pages that match in their text, not only in title, tags or folder."""
    # `+`: all that match are looked through once, where FTS5 would read the lists of all words anew for each page.
    rows = connection.execute(
        f"SELECT rowid FROM page_text WHERE page_text MATCH ? AND +rowid IN ({marks(pages)})",
        (f"{{body pairs}} : ({any_of(wanted)})", *pages),
    )
    return [page_id for (page_id,) in rows]


def _bodies(connection: sqlite3.Connection, pages: Sequence[int]) -> dict[int, str]:
    rows = connection.execute(
        f"SELECT rowid, substr(body, 1, {MAX_OUTLINED_CHARACTERS}) FROM page_text WHERE rowid IN ({marks(pages)})",
        pages,
    )
    return dict(rows.fetchall())
