"""Making and deleting hosted wikis: a row and a directory, so that a crash in between leaves nothing half-visible.

A wiki is seen only in state `ready`. Making reserves the row first (`creating`), then builds the directory, then turns
the row to `ready`. Deleting for good turns the row to `deleting`, which hides it at once, then removes directory and
row. `finish_interrupted` clears what a crash left of either. Deleting so that it can be had back is `deletion`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence

import trio

from robot import visit_files
from robot.access import put_role
from robot.audit import AuditAction, Doer, Entry, doer_of, record
from robot.authorship import author_of
from robot.clock import Clock, moment, wall_clock
from robot.db import Database, Param, Row
from robot.model import Person, Role, User, Visibility, Wiki
from robot.ownership import refuse_another_wiki
from robot.secret import new_id
from robot.wikis import check_description, check_name, check_slug, refuse_taken_slug
from wikihost.layout import DataDir
from wikihost.lifecycle import create_wiki, delete_wiki, sweep_leftovers
from wikihost.quota import Quota

# Older rows in state `creating` have no maker any more: building a wiki takes well under a second.
ABANDONED_AFTER_S = 600
# What does not end in time is left to `finish_interrupted`.
BUILD_DEADLINE_S = 60
REMOVE_DEADLINE_S = 60


async def create_hosted_wiki(
    db: Database,
    data: DataDir,
    owner: User,
    *,
    slug: str,
    name: str,
    description: str,
    visibility: Visibility,
    domain: str,
    quota: Quota,
    pages: Mapping[str, str] | None = None,
    limit: int | None = None,
    by: Doer | None = None,
    clock: Clock = wall_clock,
) -> Wiki:
    """Make a wiki that `owner` owns, filled with `pages` (page name to text; the default pages when None).

    `quota` is the host's default for what a wiki may hold, `limit` how many wikis the owner may have, `by` who makes it
    when that is not the owner. Raises
    `InvalidWiki`, `TooManyWikis`, `QuotaExceeded`, `DatabaseError`, and the `ContentError`s of a full or broken disk;
    then nothing remains.
    """
    wiki = Wiki(
        id=new_id("w"),
        slug=check_slug(slug),
        name=check_name(name),
        description=check_description(description),
        visibility=visibility,
        created=moment(int(clock())),
    )
    author = author_of(Person(owner, Role.OWNER), domain, "web")

    def build() -> None:
        home = data.wiki(wiki.id)
        create_wiki(home, name=wiki.name, description=wiki.description, author=author, pages=pages, quota=quota)

    def settle(connection: sqlite3.Connection) -> None:
        record(connection, Entry(AuditAction.WIKI_CREATED, by or doer_of(owner), wiki.id, wiki.name), clock=clock)

    await make_hosted(db, data, wiki, owner, build, settle, limit=limit)
    return wiki


async def make_hosted(
    db: Database,
    data: DataDir,
    wiki: Wiki,
    owner: User,
    build: Callable[[], None],
    settle: Callable[[sqlite3.Connection], None],
    *,
    limit: int | None = None,
    build_s: float = BUILD_DEADLINE_S,
) -> None:
    """Host a wiki whose directory `build` makes, in a thread; `settle` writes what else is to be seen with it at once.

    `wiki.created` is now: older ones in the making are taken for abandoned, so `build_s` is less. Raises as
    `create_hosted_wiki`, and what both raise; then nothing remains.
    """
    await db.write(lambda connection: _reserve(connection, wiki, owner, limit))

    try:
        # Not left before the row is `ready` or gone, whatever becomes of the caller.
        with trio.fail_after(build_s, shield=True):
            await trio.to_thread.run_sync(build)
            await db.write(lambda connection: _set_ready(connection, wiki, settle))
    except BaseException:
        await remove_hidden(db, data, wiki.id)
        raise


async def remove_hidden(db: Database, data: DataDir, wiki_id: str) -> None:
    """Remove directory and row of a wiki that `hide_for_good` hid; what does not end in time is left to the start."""
    with trio.move_on_after(REMOVE_DEADLINE_S, shield=True):
        await _remove(db, data, wiki_id)


async def finish_interrupted(db: Database, data: DataDir, *, clock: Clock = wall_clock) -> list[str]:
    """Remove what a crash left of wikis half made or half deleted; returns their ids. Call it at start."""
    rows = await db.scan(
        "SELECT id FROM wikis WHERE (state = 'deleting' AND purge_at IS NULL)"
        " OR (state = 'creating' AND created_at < ?)",
        (int(clock()) - ABANDONED_AFTER_S,),
    )
    for row in rows:
        await _remove(db, data, row["id"])
    await trio.to_thread.run_sync(sweep_leftovers, data)
    return [row["id"] for row in rows]


async def _remove(db: Database, data: DataDir, wiki_id: str) -> None:
    home = data.wiki(wiki_id)

    def delete() -> None:
        # Where nothing was made, a disk that fails cannot keep the row alive.
        if home.root.exists():
            delete_wiki(home)
        visit_files.remove(data.visits_to(wiki_id))

    await trio.to_thread.run_sync(delete)
    await db.write(lambda connection: _forget(connection, wiki_id))


def _reserve(connection: sqlite3.Connection, wiki: Wiki, owner: User, limit: int | None) -> None:
    def one(sql: str, params: Sequence[Param]) -> Row | None:
        row: Row | None = connection.execute(sql, params).fetchone()
        return row

    # An address is not kept from its owner until the next start because a process died while it made the wiki.
    connection.execute(
        "UPDATE wikis SET state = 'deleting', slug = NULL WHERE slug = ? AND state = 'creating' AND created_at < ?",
        (wiki.slug, int(wiki.created.timestamp()) - ABANDONED_AFTER_S),
    )
    refuse_taken_slug(one, wiki.slug, owner, wiki.created.timestamp())
    refuse_another_wiki(connection, owner, limit)
    connection.execute("DELETE FROM freed_slugs WHERE slug = ?", (wiki.slug,))
    connection.execute(
        "INSERT INTO wikis (id, slug, name, description, visibility, state, created_at)"
        " VALUES (?, ?, ?, ?, ?, 'creating', ?)",
        (wiki.id, wiki.slug, wiki.name, wiki.description, wiki.visibility.value, int(wiki.created.timestamp())),
    )
    put_role(connection, owner.id, wiki.id, Role.OWNER, wiki.created.timestamp())


def _set_ready(connection: sqlite3.Connection, wiki: Wiki, settle: Callable[[sqlite3.Connection], None]) -> None:
    connection.execute("UPDATE wikis SET state = 'ready' WHERE id = ?", (wiki.id,))
    settle(connection)


def hide_for_good(connection: sqlite3.Connection, wiki: Wiki, now: float) -> None:
    """Take a wiki out of everybody's sight and its credentials away, inside a transaction; nothing brings it back."""
    owner = connection.execute(
        "SELECT user_id FROM grants WHERE wiki_id = ? AND role = 'owner' ORDER BY rowid", (wiki.id,)
    ).fetchone()
    connection.execute(
        "INSERT INTO freed_slugs (slug, user_id, freed_at) VALUES (?, ?, ?)"
        " ON CONFLICT (slug) DO UPDATE SET user_id = excluded.user_id, freed_at = excluded.freed_at",
        (wiki.slug, owner and owner["user_id"], int(now)),
    )
    connection.execute("DELETE FROM tokens WHERE wiki_id = ?", (wiki.id,))
    connection.execute("DELETE FROM wiki_sessions WHERE wiki_id = ?", (wiki.id,))
    connection.execute("UPDATE wikis SET state = 'deleting', slug = NULL, purge_at = NULL WHERE id = ?", (wiki.id,))


def _forget(connection: sqlite3.Connection, wiki_id: str) -> None:
    connection.execute("DELETE FROM wikis WHERE id = ?", (wiki_id,))
