"""Questions to the catalog: plain SQL on its connection, values out."""

# The only things put into SQL text here are constants and conditions of this module.
# ruff: noqa: S608

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from wikihost.derive import NEWEST_FIRST
from wikihost.names import file_of, page_key
from wikihost.redirects import follow
from wikihost.repo import CommitRecord
from wikihost.values import Commit, LinkGraph, PageFilter, PageSummary

HOME = "Home"
COMMIT_COLUMNS = "c.oid, c.author, c.email, c.time, c.zone, c.message, c.agent, c.via, c.pushed_by"
# Of a page that stands for no other.
NO_REDIRECT = (
    "NOT (page.redirect_key IS NOT NULL AND EXISTS"
    " (SELECT 1 FROM page AS meant WHERE meant.key = page.redirect_key AND meant.id <> page.id))"
)
# Of a page in a search: one that stands for another is no answer, that other page is. What a rename left behind is none
# either where the page that it leads to is gone: nobody wrote it, and the old name would come back.
FINDABLE = f"(NOT page.is_stub AND {NO_REDIRECT})"

_SUMMARY = "path, title, category, tags, words, revision, updated"

# The pages that link to a key, or to one that redirects to it; redirects themselves do not count.
_LINKING = """
    WITH RECURSIVE alias (key) AS (
      SELECT {key} UNION SELECT stub.key FROM page AS stub JOIN alias ON stub.redirect_key = alias.key
    )
    SELECT DISTINCT source.path FROM link JOIN page AS source ON source.id = link.page_id
    WHERE link.key IN (SELECT key FROM alias)
      AND (source.redirect_key IS NULL OR source.redirect_key NOT IN (SELECT key FROM alias))
"""
_LINKED_FROM = _LINKING.format(key="?") + "ORDER BY source.path"
_IS_ORPHAN = f"path <> ? AND {NO_REDIRECT} AND NOT EXISTS ({_LINKING.format(key='page.key')} AND source.id <> page.id)"


@dataclass(frozen=True, slots=True)
class PageRow:
    """What the catalog knows of a page without its text."""

    id: int
    path: str
    title: str
    blob: str
    revision: str
    frontmatter: dict[str, Any] | None
    redirect: str | None

    @property
    def file(self) -> str:
        return file_of(self.path)


def find_page(connection: sqlite3.Connection, name: str) -> PageRow | None:
    """The page that a name means: the one so written, else one whose name has the same key."""
    row = connection.execute(
        "SELECT id, path, title, blob, revision, frontmatter, redirect FROM page"
        " WHERE key = ? ORDER BY path <> ?, path LIMIT 1",
        (page_key(name), name),
    ).fetchone()
    if row is None:
        return None
    page_id, path, title, blob, revision, frontmatter, redirect = row
    parsed = json.loads(frontmatter) if frontmatter is not None else None
    return PageRow(page_id, path, title, blob, revision, parsed, redirect)


def page_meant(connection: sqlite3.Connection, row: PageRow) -> PageRow:
    """The page that a page stands for, which is itself unless it is a redirect that leads somewhere."""

    def look_up(name: str) -> tuple[str, str | None] | None:
        found = find_page(connection, name)
        return None if found is None else (found.path, found.redirect)

    return row if row.redirect is None else find_page(connection, follow(row.path, look_up)) or row


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
    return [_summary(row) for row in connection.execute(f"SELECT {_SUMMARY} FROM page {where} ORDER BY path", values)]


def pages_after(connection: sqlite3.Connection, name: str, limit: int) -> list[tuple[PageSummary, str]]:
    """The next pages after a name, by path, with the blobs of their texts."""
    rows = connection.execute(f"SELECT {_SUMMARY}, blob FROM page WHERE path > ? ORDER BY path LIMIT ?", (name, limit))
    return [(_summary(row[:-1]), row[-1]) for row in rows]


def summaries(connection: sqlite3.Connection, names: Sequence[str]) -> dict[str, PageSummary]:
    """Pages by name, as they are written."""
    rows = connection.execute(
        f"SELECT {_SUMMARY} FROM page WHERE path IN (SELECT value FROM json_each(?))", (json.dumps(names),)
    )
    return {row[0]: _summary(row) for row in rows}


def page_names(connection: sqlite3.Connection) -> list[str]:
    """The names of all pages, in order."""
    return [path for (path,) in connection.execute("SELECT path FROM page ORDER BY path")]


def _summary(row: tuple[str, str, str | None, str, int, str, int]) -> PageSummary:
    """From the columns `_SUMMARY`."""
    path, title, category, tags, words, revision, updated = row
    return PageSummary(path, title, category, json.loads(tags), words, revision, _utc(updated))


def links_of(connection: sqlite3.Connection, page_id: int) -> list[str]:
    """Names that a page links to, as the linked pages are written where they exist."""
    rows = connection.execute("SELECT target FROM link WHERE page_id = ? ORDER BY ordinal", (page_id,)).fetchall()
    return resolve_links(connection, [target for (target,) in rows])


def resolve_links(connection: sqlite3.Connection, targets: Sequence[str]) -> list[str]:
    """The names that link targets mean, each once; a target without a page stays as it is written."""
    pages = (find_page(connection, target) for target in targets)
    names = (page.path if page else target for page, target in zip(pages, targets, strict=True))
    return list(dict.fromkeys(names))


def linked_from(connection: sqlite3.Connection, name: str) -> list[str]:
    """The pages that link to a name, or to one that redirects to it, by path; redirects themselves do not count."""
    rows = connection.execute(_LINKED_FROM, (page_key(name),))
    return [path for (path,) in rows]


def links_to(connection: sqlite3.Connection, name: str) -> list[str]:
    """The pages in whose text a link to a name stands, by path."""
    rows = connection.execute(
        "SELECT DISTINCT path FROM link JOIN page ON page.id = page_id WHERE link.key = ? ORDER BY path",
        (page_key(name),),
    )
    return [path for (path,) in rows]


def mentioning(connection: sqlite3.Connection, name: str) -> list[str]:
    """The pages that link to a name in any spelling, or redirect to it, by path."""
    rows = connection.execute(
        "SELECT path FROM link JOIN page ON page.id = page_id WHERE link.key = ?1"
        " UNION SELECT path FROM page WHERE redirect_key = ?1 ORDER BY path",
        (page_key(name),),
    )
    return [path for (path,) in rows]


def spellings(connection: sqlite3.Connection, name: str) -> list[str]:
    """The pages that a name may mean, as they are written."""
    return [
        path for (path,) in connection.execute("SELECT path FROM page WHERE key = ? ORDER BY path", (page_key(name),))
    ]


def newest_first(connection: sqlite3.Connection, revisions: Sequence[str]) -> list[str]:
    """Commits, given by full id, in the order of the changelog."""
    rows = connection.execute(
        f"SELECT oid FROM json_each(?) JOIN commits AS c ON oid = value ORDER BY {NEWEST_FIRST}",
        (json.dumps(revisions),),
    )
    return [oid for (oid,) in rows]


def history(connection: sqlite3.Connection, file: str, limit: int, *, up_to: str | None = None) -> list[Commit]:
    """The commits that touched a file, newest first; `up_to` leaves out those after that commit."""
    rows = connection.execute(
        f"SELECT {COMMIT_COLUMNS}"
        " FROM page_commit JOIN commits AS c ON c.id = commit_id"
        # Of all commits: whoever reaches one folder may still name one that changed nothing there.
        " WHERE file = ? AND (?2 IS NULL OR c.generation <= (SELECT generation FROM main.commits WHERE oid = ?2))"
        f" ORDER BY {NEWEST_FIRST} LIMIT ?3",
        (file, up_to, limit),
    )
    return [as_commit(row) for row in rows]


def touching_other_pages(connection: sqlite3.Connection, revisions: Sequence[str], file: str) -> set[str]:
    """Of some commits, given by full id, those that touched another page than the one in `file`, as a rename does."""
    rows = connection.execute(
        "SELECT c.oid FROM json_each(?) JOIN commits AS c ON c.oid = value WHERE EXISTS"
        " (SELECT 1 FROM page_commit WHERE commit_id = c.id AND file <> ? AND file LIKE '%.md')",
        (json.dumps(revisions), file),
    )
    return {oid for (oid,) in rows}


def as_commit(row: tuple[Any, ...]) -> Commit:
    """From `COMMIT_COLUMNS`."""
    oid, author, email, time, zone, message, *more = row
    return Commit(oid, author, email, datetime.fromtimestamp(time, _zone(zone)), message, *more)


def commit_of(record: CommitRecord) -> Commit:
    """What a commit says of itself."""
    who = (record.oid, record.author, record.email, record.time, record.offset)
    return as_commit((*who, record.message, record.agent, record.via, None))


def find_commits(connection: sqlite3.Connection, revisions: Sequence[str]) -> dict[str, Commit]:
    """Commits by full id."""
    rows = connection.execute(
        f"SELECT {COMMIT_COLUMNS} FROM json_each(?) JOIN commits AS c ON oid = value", (json.dumps(revisions),)
    )
    return {row[0]: as_commit(row) for row in rows}


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


def broken_links(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """The names that pages link to and that no page has, with the pages that link there; both by path."""
    found: dict[str, set[str]] = {}
    spelled: dict[str, str] = {}
    rows = connection.execute(
        "SELECT link.key, link.target, source.path FROM link JOIN page AS source ON source.id = link.page_id"
        " WHERE NOT EXISTS (SELECT 1 FROM page WHERE page.key = link.key) ORDER BY link.target, source.path"
    )
    for key, target, path in rows:
        found.setdefault(spelled.setdefault(key, target), set()).add(path)
    return {target: sorted(sources) for target, sources in found.items()}


def links_around(connection: sqlite3.Connection, name: str) -> tuple[str, list[str], list[str]]:
    """A page's name as it is written, the names that it links to, and the pages that link to it; it need not exist."""
    row = find_page(connection, name)
    path = row.path if row else name
    return path, links_of(connection, row.id) if row else [], linked_from(connection, path)


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
