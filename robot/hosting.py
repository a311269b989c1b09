"""Making and deleting hosted wikis: a row and a directory, so that a crash in between leaves nothing half-visible.

A wiki is seen only in state `ready`. Making reserves the row first (`creating`), then builds the directory, then turns
the row to `ready`. Deleting turns the row to `deleting`, which hides it at once, then removes directory and row.
`finish_interrupted` clears what a crash left of either.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import trio

from robot.authorship import author_of
from robot.clock import Clock, moment, wall_clock
from robot.db import Database, Param, Row
from robot.model import Person, Role, User, Visibility, Wiki
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


class TooManyWikis(Exception):
    """The person owns as many wikis as this host allows; the message says how many."""


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
    clock: Clock = wall_clock,
) -> Wiki:
    """Make a wiki that `owner` owns, filled with `pages` (page name to text; the default pages when None).

    `quota` is the host's default for what a wiki may hold, `limit` how many wikis the owner may have. Raises
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

    await db.write(lambda connection: _reserve(connection, wiki, owner, limit))
    try:
        # Not left before the row is `ready` or gone, whatever becomes of the caller.
        with trio.fail_after(BUILD_DEADLINE_S, shield=True):
            await trio.to_thread.run_sync(build)
            await db.write(lambda connection: _set_ready(connection, wiki.id))
    except BaseException:
        with trio.move_on_after(REMOVE_DEADLINE_S, shield=True):
            await _remove(db, data, wiki.id)
        raise
    return wiki


async def delete_hosted_wiki(db: Database, data: DataDir, wiki: Wiki, *, clock: Clock = wall_clock) -> None:
    """Delete the wiki for good: hidden, its tokens and sessions dead, at once; its directory soon after.

    The caller stops the wiki's worker and closes its content first. The address rests for 30 days.
    """
    await db.write(lambda connection: _hide(connection, wiki, int(clock())))
    with trio.move_on_after(REMOVE_DEADLINE_S, shield=True):
        await _remove(db, data, wiki.id)


async def finish_interrupted(db: Database, data: DataDir, *, clock: Clock = wall_clock) -> list[str]:
    """Remove what a crash left of wikis half made or half deleted; returns their ids. Call it at start."""
    rows = await db.scan(
        "SELECT id FROM wikis WHERE state = 'deleting' OR (state = 'creating' AND created_at < ?)",
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
    owned = connection.execute(
        "SELECT count(*) FROM grants JOIN wikis ON wikis.id = grants.wiki_id"
        " WHERE grants.user_id = ? AND grants.role = 'owner' AND wikis.state <> 'deleting'",
        (owner.id,),
    ).fetchone()[0]
    if limit is not None and owned >= limit:
        raise TooManyWikis(f"You own {owned} wikis, and this host allows {limit} a person. Delete one to make room.")
    connection.execute("DELETE FROM freed_slugs WHERE slug = ?", (wiki.slug,))
    connection.execute(
        "INSERT INTO wikis (id, slug, name, description, visibility, state, created_at)"
        " VALUES (?, ?, ?, ?, ?, 'creating', ?)",
        (wiki.id, wiki.slug, wiki.name, wiki.description, wiki.visibility.value, int(wiki.created.timestamp())),
    )
    connection.execute(
        "INSERT INTO grants (wiki_id, user_id, role) VALUES (?, ?, ?)", (wiki.id, owner.id, Role.OWNER.value)
    )


def _set_ready(connection: sqlite3.Connection, wiki_id: str) -> None:
    connection.execute("UPDATE wikis SET state = 'ready' WHERE id = ?", (wiki_id,))


def _hide(connection: sqlite3.Connection, wiki: Wiki, now: int) -> None:
    owner = connection.execute(
        "SELECT user_id FROM grants WHERE wiki_id = ? AND role = 'owner' ORDER BY user_id", (wiki.id,)
    ).fetchone()
    connection.execute(
        "INSERT INTO freed_slugs (slug, user_id, freed_at) VALUES (?, ?, ?)"
        " ON CONFLICT (slug) DO UPDATE SET user_id = excluded.user_id, freed_at = excluded.freed_at",
        (wiki.slug, owner and owner["user_id"], now),
    )
    connection.execute("DELETE FROM tokens WHERE wiki_id = ?", (wiki.id,))
    connection.execute("DELETE FROM wiki_sessions WHERE wiki_id = ?", (wiki.id,))
    connection.execute("UPDATE wikis SET state = 'deleting', slug = NULL WHERE id = ?", (wiki.id,))


def _forget(connection: sqlite3.Connection, wiki_id: str) -> None:
    connection.execute("DELETE FROM wikis WHERE id = ?", (wiki_id,))
