"""Wikis that their owner deleted and can have back for 30 days.

Deleting turns the row to `deleting` and says when it ends for good (`purge_at`). Whatever asks for a wiki asks for one
that is `ready`, so it is gone at every door in that moment. Directory, roles, tokens, connections and browser sessions
stay as they are, and the address stays with the row: having the wiki back turns the row and nothing else, so it cannot
fail half way, and nobody can have taken the address meanwhile.
"""

# The only things put into SQL text here are column lists of this package.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from robot.audit import AuditAction, Doer, Entry, record
from robot.clock import Clock, moment, wall_clock
from robot.db import Database, Row
from robot.hosting import hide_for_good, remove_hidden
from robot.model import User, Wiki
from robot.wikis import WIKI_COLUMNS, wiki_of_row
from wikihost.layout import DataDir

UNDELETE_S = 30 * 24 * 3600
"""How long a deleted wiki can be had back."""

_OWNERS = "SELECT 1 FROM grants WHERE wiki_id = ? AND role = 'owner'"
# What was taken down is the operator's to decide about.
_OWNS = f"{_OWNERS} AND user_id = ? AND EXISTS (SELECT 1 FROM wikis WHERE id = wiki_id AND taken_down_at IS NULL)"
_DELETED = f"SELECT {WIKI_COLUMNS}, wikis.purge_at FROM wikis WHERE wikis.purge_at IS NOT NULL"


LetGo = Callable[[str], Awaitable[None]]
"""Has whatever holds the wiki of that id open in this process, its worker too, let go of it."""


@dataclass(frozen=True, slots=True)
class DeletedWiki:
    """A wiki that is gone for everybody; until `purge` its owner can have it back."""

    wiki: Wiki
    purge: datetime


async def delete_wiki_for_now(
    db: Database, wiki: Wiki, by: Doer, *, owner: User | None = None, clock: Clock = wall_clock
) -> bool:
    """Delete the wiki so that it can be had back for 30 days. False when it is gone already, or `owner` is none."""
    now = int(clock())

    def delete(connection: sqlite3.Connection) -> bool:
        if owner is not None and not _owns(connection, owner, wiki.id):
            return False
        changed = connection.execute(
            "UPDATE wikis SET state = 'deleting', purge_at = ? WHERE id = ? AND state = 'ready'",
            (now + UNDELETE_S, wiki.id),
        )
        if changed.rowcount:
            record(connection, Entry(AuditAction.WIKI_DELETED, by, wiki.id, wiki.name), clock=clock)
        return changed.rowcount > 0

    return await db.write(delete)


async def undelete_wiki(
    db: Database, wiki_id: str, by: Doer, *, owner: User | None = None, clock: Clock = wall_clock
) -> Wiki | None:
    """Have a deleted wiki back as it was.

    None when it is gone for good, when `owner` is none of its owners, or when nobody owns it any more.
    """

    def undelete(connection: sqlite3.Connection) -> Wiki | None:
        found = _deleted(connection, wiki_id)
        if found is None or (owner is not None and not _owns(connection, owner, wiki_id)):
            return None
        if connection.execute(_OWNERS, (wiki_id,)).fetchone() is None:
            return None
        connection.execute("UPDATE wikis SET state = 'ready', purge_at = NULL WHERE id = ?", (wiki_id,))
        record(connection, Entry(AuditAction.WIKI_UNDELETED, by, wiki_id, found.wiki.name), clock=clock)
        return found.wiki

    return await db.write(undelete)


async def purge_wiki(
    db: Database,
    data: DataDir,
    wiki_id: str,
    by: Doer,
    *,
    owner: User | None = None,
    due: float | None = None,
    clock: Clock = wall_clock,
) -> Wiki | None:
    """Delete for good a wiki that was deleted before; whoever has it open lets go of it first.

    None, and nothing happens, when it is no deleted wiki (any more), `owner` is none of its owners, or it is not `due`
    at that moment: it can be had back still, or was taken down, so that it goes only when the operator says so.
    """

    def hide(connection: sqlite3.Connection) -> Wiki | None:
        found = _deleted(connection, wiki_id)
        if found is None or (owner is not None and not _owns(connection, owner, wiki_id)):
            return None
        if due is not None and (found.purge.timestamp() > due or found.wiki.taken_down is not None):
            return None
        hide_for_good(connection, found.wiki, clock())
        record(connection, Entry(AuditAction.WIKI_PURGED, by, wiki_id, found.wiki.name), clock=clock)
        return found.wiki

    wiki = await db.write(hide)
    if wiki is not None:
        await remove_hidden(db, data, wiki_id)
    return wiki


def deleted_wikis_of(db: Database, owner: User) -> list[DeletedWiki]:
    """The deleted wikis that `owner` can have back, those that go first first."""
    rows = db.all(
        f"{_DELETED} AND wikis.taken_down_at IS NULL"
        " AND wikis.id IN (SELECT wiki_id FROM grants WHERE user_id = ? AND role = 'owner')"
        " ORDER BY wikis.purge_at, wikis.slug",
        (owner.id,),
    )
    return [_of_row(row) for row in rows]


def find_deleted_wiki(db: Database, wiki_id: str, owner: User) -> DeletedWiki | None:
    """The deleted wiki of that id, when `owner` can have it back."""
    return next((each for each in deleted_wikis_of(db, owner) if each.wiki.id == wiki_id), None)


def find_deleted_wiki_at(db: Database, slug: str) -> DeletedWiki | None:
    """The deleted wiki that keeps the address `slug`."""
    row = db.one(f"{_DELETED} AND wikis.slug = ?", (slug,))
    return None if row is None else _of_row(row)


async def list_deleted_wikis(db: Database, *, due: float | None = None) -> list[DeletedWiki]:
    """All deleted wikis, or those that are `due` at that moment (`purge_wiki`); those that go first first."""
    is_due = "(wikis.purge_at <= ?1 AND wikis.taken_down_at IS NULL)"
    rows = await db.scan(f"{_DELETED} AND (?1 IS NULL OR {is_due}) ORDER BY wikis.purge_at", (due,))
    return [_of_row(row) for row in rows]


def _deleted(connection: sqlite3.Connection, wiki_id: str) -> DeletedWiki | None:
    row = connection.execute(f"{_DELETED} AND wikis.id = ?", (wiki_id,)).fetchone()
    return None if row is None else _of_row(row)


def _owns(connection: sqlite3.Connection, user: User, wiki_id: str) -> bool:
    return connection.execute(_OWNS, (wiki_id, user.id)).fetchone() is not None


def _of_row(row: Row) -> DeletedWiki:
    return DeletedWiki(wiki_of_row(row), moment(row["purge_at"]))
