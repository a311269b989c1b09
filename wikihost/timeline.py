"""What happened in a wiki, and to a page: the catalog's commits, told in order."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Literal

from wikihost import query
from wikihost.derive import NEWEST_FIRST
from wikihost.errors import RevisionNotFound
from wikihost.moving import MAX_RENAMES, redirect_of, source_of
from wikihost.names import name_of_file
from wikihost.plans import Snapshot
from wikihost.reach import Reach
from wikihost.repo import CommitRecord
from wikihost.trees import FileChange
from wikihost.values import Changes, Commit, LoggedCommit, PageChange

# Commits that are asked about in one question to the catalog.
_LOOKED_UP_AT_ONCE = 500


def page_history(snapshot: Snapshot, row: query.PageRow, limit: int) -> list[Commit]:
    """The commits of a page, newest first, also under the names that it had before."""
    found: list[Commit] = []
    file, up_to = row.file, None
    for _ in range(MAX_RENAMES):
        part = snapshot.ask(lambda connection: query.history(connection, file, limit - len(found), up_to=up_to))  # noqa: B023
        came = _where_it_came(snapshot, file, part)
        if came is None:
            found += part
            break
        number, source, up_to = came
        found += part[:number]
        file = source
    return found


def _where_it_came(snapshot: Snapshot, file: str, commits: Sequence[Commit]) -> tuple[int, str, str] | None:
    """How many of the commits are no older than the one that moved the page to `file`, from where, and its parent."""
    revisions = [commit.revision for commit in commits]
    mixed = snapshot.ask(lambda connection: query.touching_other_pages(connection, revisions, file))
    for number, commit in enumerate(commits, start=1):
        if commit.revision not in mixed:
            continue
        record = snapshot.repository.commit(commit.revision)
        if not record.parents or not _was_free(snapshot, record.parents[0], file):
            continue
        source = source_of(snapshot.repository, _touched(snapshot, record), file)
        if source is not None:
            return number, source, record.parents[0]
    return None


def _was_free(snapshot: Snapshot, commit: str, file: str) -> bool:
    """Whether nothing was at `file` then, or a redirect."""
    blob = snapshot.repository.blob_of(commit, file)
    return blob is None or redirect_of(snapshot.repository.read_blob(blob)) is not None


def changelog(
    connection: sqlite3.Connection, limit: int, after: str | None, email: str | None = None
) -> tuple[list[LoggedCommit], int]:
    """The commits of the wiki after `after` (None: from the newest) on, newest first; and how many there are.

    `email` leaves only those of one author, but counts all.
    Raises `RevisionNotFound` when `after` is none of them.
    """
    if after and connection.execute("SELECT 1 FROM commits WHERE oid = ?", (after,)).fetchone() is None:
        raise RevisionNotFound(f"This wiki has no revision {after}.")
    rows = connection.execute(
        f"SELECT c.id, {query.COMMIT_COLUMNS} FROM commits AS c"  # noqa: S608  (constants)
        " WHERE (?1 IS NULL OR (c.generation, c.time, c.oid) <"
        " (SELECT generation, time, oid FROM commits WHERE oid = ?1)) AND (?3 IS NULL OR c.email = ?3)"
        f" ORDER BY {NEWEST_FIRST} LIMIT ?2",
        (after, limit, email),
    ).fetchall()
    (total,) = connection.execute("SELECT count(*) FROM commits").fetchone()
    return [LoggedCommit(query.as_commit(row[1:]), _pages_of(connection, row[0])) for row in rows], total


def last_changes(connection: sqlite3.Connection) -> dict[str, datetime]:
    """When the authors of commits made their last one, by address; of pushed ones the author is anybody's claim."""
    rows = connection.execute("SELECT email, max(time) FROM commits WHERE pushed_by IS NULL GROUP BY email")
    return {email: datetime.fromtimestamp(when, UTC) for email, when in rows}


def changes_by(connection: sqlite3.Connection, credential: str, since: datetime, limit: int) -> list[LoggedCommit]:
    """The commits of a credential at or after `since` by their own clock, newest first."""
    rows = connection.execute(
        f"SELECT c.id, {query.COMMIT_COLUMNS} FROM commits AS c WHERE c.credential = ? AND c.time >= ?"  # noqa: S608
        f" ORDER BY {NEWEST_FIRST} LIMIT ?",
        (credential, int(since.timestamp()), limit),
    ).fetchall()
    return [LoggedCommit(query.as_commit(row[1:]), _pages_of(connection, row[0])) for row in rows]


def find_commit(snapshot: Snapshot, revision: str) -> LoggedCommit:
    """A commit that the branch has, with the pages that it touched. Raises `RevisionNotFound`."""
    oid = snapshot.repository.resolve(revision)

    def look_up(connection: sqlite3.Connection) -> LoggedCommit:
        row = connection.execute(
            f"SELECT c.id, {query.COMMIT_COLUMNS} FROM commits AS c WHERE oid = ?",  # noqa: S608
            (oid,),
        ).fetchone()
        if row is None:
            raise RevisionNotFound(f"This wiki has no revision {revision}.")
        return LoggedCommit(query.as_commit(row[1:]), _pages_of(connection, row[0]))

    return snapshot.ask(look_up)


def _pages_of(connection: sqlite3.Connection, commit_id: int) -> list[str]:
    files = connection.execute("SELECT file FROM page_commit WHERE commit_id = ? ORDER BY file", (commit_id,))
    names = (name_of_file(file) or file.rpartition("/")[0] for (file,) in files)
    return list(dict.fromkeys(name for name in names if name))


def changes_since(snapshot: Snapshot, since: str, limit: int) -> Changes:
    """What at most `limit` commits did to pages after the commit `since`, oldest first.

    To go on, ask again since `last`. Around merges a commit may be told twice, and none is left out.
    Raises `RevisionNotFound`.
    """
    base = snapshot.repository.resolve(since)
    records = list(islice(snapshot.repository.commits(base, snapshot.head), limit + 1))
    told = records[:limit]
    commits = snapshot.ask(lambda connection: query.find_commits(connection, [record.oid for record in told]))
    found = [
        change
        for record in told
        # On a full disk the catalog stays behind.
        for change in _changes_of(snapshot, record, commits.get(record.oid) or query.commit_of(record))
    ]
    return Changes(snapshot.head, found, told[-1].oid if told else base, more=len(records) > limit)


def changes_within(snapshot: Snapshot, since: str, limit: int, reach: Reach) -> Changes:
    """As `changes_since`, of the commits and pages inside a folder alone; `snapshot` is of a confined catalog.

    What moved in from outside was created, what moved out was deleted.
    """
    base = snapshot.repository.resolve(since)

    def look_up(connection: sqlite3.Connection) -> list[tuple[CommitRecord, Commit]]:
        records = snapshot.repository.commits(base, snapshot.head)
        found: list[tuple[CommitRecord, Commit]] = []
        while len(found) <= limit and (some := list(islice(records, _LOOKED_UP_AT_ONCE))):
            known = query.find_commits(connection, [record.oid for record in some])
            found += [(record, known[record.oid]) for record in some if record.oid in known]
        return found

    found = snapshot.ask(look_up)
    told: list[PageChange] = []
    for record, commit in found[:limit]:
        touched = _touched(snapshot, record)
        inside = {path: change for path, change in touched.items() if reach.covers_file(path)}
        told += _changes_in(snapshot, commit, inside)
    more = len(found) > limit
    return Changes(snapshot.head, told, found[limit - 1][1].revision if more else snapshot.head, more=more)


def _changes_of(snapshot: Snapshot, record: CommitRecord, commit: Commit) -> list[PageChange]:
    return _changes_in(snapshot, commit, _touched(snapshot, record))


def _changes_in(snapshot: Snapshot, commit: Commit, touched: Mapping[str, FileChange]) -> list[PageChange]:
    pages = {name: change for path, change in touched.items() if (name := name_of_file(path)) is not None}
    found: dict[str, PageChange] = {}
    moved: set[str] = set()
    for name, change in pages.items():
        source = source_of(snapshot.repository, touched, change.path)
        old_name = name_of_file(source) if source else None
        if old_name is not None:
            found[name] = PageChange(name, "renamed", commit, old_name)
            moved.add(old_name)
        else:
            found[name] = PageChange(name, _kind(change), commit)
    return [change for change in found.values() if change.kind != "deleted" or change.path not in moved]


def _touched(snapshot: Snapshot, record: CommitRecord) -> dict[str, FileChange]:
    return {change.path: change for change in snapshot.repository.touched(record)}


def _kind(change: FileChange) -> Literal["created", "updated", "deleted"]:
    return "created" if change.old is None else "deleted" if change.new is None else "updated"
