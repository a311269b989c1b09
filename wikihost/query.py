"""Questions to the catalog: plain SQL on its connection, values out."""

# The only things put into SQL text here are constants and conditions of this module.
# ruff: noqa: S608

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from wikihost.derive import NEWEST_FIRST
from wikihost.names import file_of, page_key
from wikihost.repo import CommitRecord
from wikihost.values import Commit, LinkGraph, PageFilter, PageSummary, SearchHit

HOME = "Home"
_IS_ORPHAN = (
    "NOT EXISTS (SELECT 1 FROM link WHERE link.key = page.key AND link.page_id <> page.id) AND path <> ?"
    " AND (frontmatter IS NULL OR json_type(frontmatter, '$.redirect') IS NULL)"
)
_MAX_TERMS = 32
_SNIPPET_TOKENS = 24
# A hit in the title is worth five in the body, one in a heading three.
_RANK = "bm25(5.0, 3.0, 1.0)"
_TERM = re.compile(r'"([^"]*)"|([^\s"]+)')
_STOP_WORDS = frozenset(
    """
    a an and are as at be but by for from how i if in into is it its of on or that the their then there these they this
    to was what when where which who why will with you your
    """.split()  # noqa: SIM905 - a list of words reads best as words
)


@dataclass(frozen=True, slots=True)
class PageRow:
    """What the catalog knows of a page without its text."""

    id: int
    path: str
    title: str
    blob: str
    revision: str
    frontmatter: dict[str, Any] | None

    @property
    def file(self) -> str:
        return file_of(self.path)


def find_page(connection: sqlite3.Connection, name: str) -> PageRow | None:
    """The page that a name means: the one so written, else one whose name has the same key."""
    row = connection.execute(
        "SELECT id, path, title, blob, revision, frontmatter FROM page WHERE key = ? ORDER BY path <> ?, path LIMIT 1",
        (page_key(name), name),
    ).fetchone()
    if row is None:
        return None
    page_id, path, title, blob, revision, frontmatter = row
    parsed = json.loads(frontmatter) if frontmatter is not None else None
    return PageRow(page_id, path, title, blob, revision, parsed)


def list_pages(connection: sqlite3.Connection, wanted: PageFilter) -> list[PageSummary]:
    """The pages that meet all conditions, by path."""
    conditions: list[str] = []
    values: list[object] = []
    if wanted.prefix:
        conditions.append("substr(path, 1, ?) = ?")
        values += [len(wanted.prefix), wanted.prefix]
    if wanted.category is not None:
        conditions.append("casefold(category) = ?")
        values.append(wanted.category.casefold())
    if wanted.tag is not None:
        conditions.append("id IN (SELECT page_id FROM tag WHERE key = ?)")
        values.append(wanted.tag.casefold())
    if wanted.updated_since is not None:
        conditions.append("updated >= ?")
        values.append(wanted.updated_since.timestamp())
    if wanted.orphans:
        conditions.append(_IS_ORPHAN)
        values.append(HOME)
    where = "WHERE " + " AND ".join(conditions) if conditions else ""
    rows = connection.execute(
        f"SELECT path, title, category, tags, words, revision, updated FROM page {where} ORDER BY path",
        values,
    )
    return [
        PageSummary(path, title, category, json.loads(tags), words, revision, _utc(updated))
        for path, title, category, tags, words, revision, updated in rows
    ]


def links_of(connection: sqlite3.Connection, page_id: int) -> list[str]:
    """Names that a page links to, as the linked pages are written where they exist."""
    rows = connection.execute("SELECT target FROM link WHERE page_id = ? ORDER BY ordinal", (page_id,)).fetchall()
    return resolve_links(connection, [target for (target,) in rows])


def resolve_links(connection: sqlite3.Connection, targets: Sequence[str]) -> list[str]:
    """The names that link targets mean, each once; a target without a page stays as it is written."""
    pages = (find_page(connection, target) for target in targets)
    names = (page.path if page else target for page, target in zip(pages, targets, strict=True))
    return list(dict.fromkeys(names))


def links_to(connection: sqlite3.Connection, name: str) -> list[str]:
    """The pages that link to a name, by path."""
    rows = connection.execute(
        "SELECT DISTINCT path FROM link JOIN page ON page.id = page_id WHERE link.key = ? ORDER BY path",
        (page_key(name),),
    )
    return [path for (path,) in rows]


def history(connection: sqlite3.Connection, file: str, limit: int, *, up_to: str | None = None) -> list[Commit]:
    """The commits that touched a file, newest first; `up_to` leaves out those after that commit."""
    rows = connection.execute(
        "SELECT c.oid, c.author, c.email, c.time, c.zone, c.message, c.agent"
        " FROM page_commit JOIN commits AS c ON c.id = commit_id"
        " WHERE file = ? AND (?2 IS NULL OR c.generation <= (SELECT generation FROM commits WHERE oid = ?2))"
        f" ORDER BY {NEWEST_FIRST} LIMIT ?3",
        (file, up_to, limit),
    )
    return [as_commit(row) for row in rows]


def as_commit(row: tuple[str, str, str, int, int, str, str | None]) -> Commit:
    """From the columns oid, author, email, time, zone, message and agent."""
    oid, author, email, time, zone, message, agent = row
    return Commit(oid, author, email, datetime.fromtimestamp(time, _zone(zone)), message, agent)


def commit_of(record: CommitRecord) -> Commit:
    """What git says of a commit, as history shows it."""
    return as_commit(
        (record.oid, record.author, record.email, record.time, record.offset, record.message, record.agent)
    )


def link_graph(connection: sqlite3.Connection) -> LinkGraph:
    """All links between pages, self-links and links to missing pages included; by page, and in their order there."""
    spelled: dict[str, dict[str, str]] = {}
    pages = connection.execute("SELECT id, path, key FROM page ORDER BY path").fetchall()
    for _, path, key in pages:
        spelled.setdefault(key, {})[path] = path
    meant: dict[str, str] = {}
    targets: dict[int, list[str]] = {}
    # In the order of the table, and put together here: SQLite would look each page up, and sort, for every link.
    for page_id, target, key in connection.execute("SELECT page_id, target, key FROM link ORDER BY page_id, ordinal"):
        if target not in meant:
            same_key = spelled.get(key, {})
            meant[target] = same_key.get(target) or next(iter(same_key), target)
        targets.setdefault(page_id, []).append(meant[target])
    edges = [(path, target) for page_id, path, _ in pages for target in dict.fromkeys(targets.get(page_id, ()))]
    nodes = dict.fromkeys([*(path for _, path, _ in pages), *(target for _, target in edges)])
    return LinkGraph(list(nodes), edges)


def links_around(connection: sqlite3.Connection, name: str) -> tuple[str, list[str], list[str]]:
    """A page's name as it is written, the names that it links to, and the pages that link to it; it need not exist."""
    row = find_page(connection, name)
    path = row.path if row else name
    return path, links_of(connection, row.id) if row else [], links_to(connection, path)


def last_commit(connection: sqlite3.Connection, file: str) -> str | None:
    """The commit that `git rev-list -1 HEAD -- file` names, for a file that is there at the head.

    None where a later merge makes that a matter of git's history simplification, which follows the first parent that
    agrees on the file; below the last merge history is a line, and the newest commit that touched the file is it.
    """
    row = connection.execute(
        "SELECT c.oid, EXISTS (SELECT 1 FROM commits AS m WHERE m.parents > 1 AND m.generation > c.generation)"
        f" FROM page_commit JOIN commits AS c ON c.id = commit_id WHERE file = ? ORDER BY {NEWEST_FIRST} LIMIT 1",
        (file,),
    ).fetchone()
    return None if row is None or row[1] else str(row[0])


def search(connection: sqlite3.Connection, query: str, limit: int) -> list[SearchHit]:
    """Pages by words, best first; pages with more of the words come first, no word is required.

    Words in double quotes are a phrase. The score is relative to the best hit, which has 1.
    """
    expression = match_expression(query)
    if not expression:
        return []
    # FTS5 sorts by its own rank before it makes any snippet: of a thousand hits only the shown ones are read.
    rows = connection.execute(
        f"""
        SELECT path, title, snippet, rank FROM page JOIN (
          SELECT rowid AS hit, snippet(page_text, 2, '', '', '…', {_SNIPPET_TOKENS}) AS snippet, rank
          FROM page_text WHERE page_text MATCH ? AND rank MATCH '{_RANK}' ORDER BY rank LIMIT ?
        ) ON hit = page.id ORDER BY rank, path
        """,
        (expression, limit),
    ).fetchall()
    # bm25 of FTS5 is negative, lower is better.
    best = min((rank for *_, rank in rows), default=0.0)
    return [
        SearchHit(path, title, " ".join(snippet.split()), round(rank / best, 4) if best else 1.0)
        for path, title, snippet, rank in rows
    ]


def match_expression(query: str) -> str:
    """The query as an FTS5 expression of quoted strings: no text of a user's is ever syntax."""
    terms = [(phrase or word).replace("\0", " ") for phrase, word in _TERM.findall(query)]
    terms = [term for term in terms if any(character.isalnum() for character in term)]
    telling = [term for term in terms if term.casefold() not in _STOP_WORDS] or terms
    return " OR ".join(f'"{term}"' for term in telling[:_MAX_TERMS])


def count_pages(connection: sqlite3.Connection) -> tuple[int, datetime | None]:
    """The number of pages, and when the last of them changed."""
    count, updated = connection.execute("SELECT count(*), max(updated) FROM page").fetchone()
    return count, None if updated is None else _utc(updated)


def count_by_category(connection: sqlite3.Connection) -> dict[str, int]:
    rows = connection.execute("SELECT category, count(*) FROM page WHERE category IS NOT NULL GROUP BY 1 ORDER BY 1")
    return dict(rows.fetchall())


def count_by_tag(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT tag, count(*) FROM tag GROUP BY 1 ORDER BY 1").fetchall())


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _zone(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes))
