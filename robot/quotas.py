"""How much each wiki may hold: the host's defaults, what the operator granted one wiki, and telling the writers.

The platform database says what was decided; a wiki's own `quota.json` says what is in force, since workers must not
read that database. The file is written after each decision and once more at start (`in_force`), when the defaults may
have changed.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import trio

from robot.audit import OPERATOR, AuditAction, Doer, Entry, record
from robot.db import Database
from robot.model import Wiki
from robot.settings import Settings
from wikihost.layout import DataDir, WikiHome
from wikihost.quota import MIB, Quota, says, write_quota
from wikihost.writer import storage_errors


def default_quota(settings: Settings) -> Quota:
    """What a wiki may hold for which nothing else was decided."""
    return Quota(settings.quota_pages, settings.quota_mebibytes * MIB)


def quota_of(wiki: Wiki, default: Quota) -> Quota:
    """What the wiki may hold."""
    return Quota(
        default.pages if wiki.quota_pages is None else wiki.quota_pages,
        default.size_bytes if wiki.quota_bytes is None else wiki.quota_bytes,
    )


async def set_quota(
    db: Database,
    data: DataDir,
    wiki: Wiki,
    default: Quota,
    *,
    pages: int | None,
    size_bytes: int | None,
    by: Doer = OPERATOR,
) -> Wiki:
    """Grant a wiki so much (None: the host's default), from its next write on.

    Raises `DatabaseError`, `StorageFull`, `StorageFailed`.
    """
    changed = replace(wiki, quota_pages=pages, quota_bytes=size_bytes)
    granted = quota_of(changed, default)
    shown = f"{granted.pages:,} pages, {granted.size_bytes / MIB:,.10g} MiB"

    def update(connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE wikis SET quota_pages = ?, quota_bytes = ? WHERE id = ?", (pages, size_bytes, wiki.id)
        )
        record(connection, Entry(AuditAction.QUOTA_CHANGED, by, wiki.id, shown))

    await db.write(update)
    await trio.to_thread.run_sync(put_in_force, data.wiki(wiki.id), granted)
    return changed


def put_in_force(home: WikiHome, quota: Quota) -> None:
    """Have the wiki's writers obey it. Raises `StorageFull`, `StorageFailed`."""
    if not says(home.quota, quota):
        with storage_errors():
            write_quota(home.quota, quota)
