"""Wikis that may only be read: the operator's decision, and telling the writers.

The platform database says what was decided, and each request is answered by it; a file beside the wiki stops whoever
writes, in any process, also what had begun. It is put right at start (`in_force`).
"""

from __future__ import annotations

import sqlite3

import trio

from robot.audit import OPERATOR, AuditAction, Doer, Entry, record
from robot.clock import Clock, wall_clock
from robot.db import Database
from robot.model import Wiki
from wikihost.layout import DataDir, WikiHome
from wikihost.writer import storage_errors


async def freeze(db: Database, data: DataDir, wiki: Wiki, *, by: Doer = OPERATOR, clock: Clock = wall_clock) -> None:
    """Let a wiki be read only from now on. Raises `DatabaseError`, `StorageFull`, `StorageFailed`."""
    await _decide(db, wiki, int(clock()), Entry(AuditAction.FROZEN, by, wiki.id))
    await trio.to_thread.run_sync(put_in_force, data.wiki(wiki.id), True)


async def unfreeze(db: Database, data: DataDir, wiki: Wiki, *, by: Doer = OPERATOR) -> None:
    """Let a wiki be written again. Raises as `freeze`."""
    await trio.to_thread.run_sync(put_in_force, data.wiki(wiki.id), False)
    await _decide(db, wiki, None, Entry(AuditAction.UNFROZEN, by, wiki.id))


def put_in_force(home: WikiHome, is_frozen: bool) -> None:
    """Have the wiki's writers obey it. Raises `StorageFull`, `StorageFailed`."""
    with storage_errors():
        if is_frozen:
            home.frozen.touch()
        else:
            home.frozen.unlink(missing_ok=True)


async def _decide(db: Database, wiki: Wiki, frozen_at: int | None, entry: Entry) -> None:
    def update(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE wikis SET frozen_at = ? WHERE id = ?", (frozen_at, wiki.id))
        record(connection, entry)

    await db.write(update)
