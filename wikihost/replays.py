"""Answers that are kept for a day, so that a request that is sent twice is done once.

They are in the catalog, which belongs to one wiki, and they outlive its rebuilding.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from wikihost.catalog import Catalog
from wikihost.errors import StorageFailed, StorageFull

_log = logging.getLogger(__name__)

KEPT_S = 24 * 3600.0
MAX_KEPT = 1_000
# Whoever began longer ago died at it: the lock is waited for 20 seconds, and a write takes less.
_GIVEN_UP_S = 60.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A request by its key. `fingerprint` differs for another request with the same key; `now` in epoch seconds."""

    key: str
    fingerprint: str
    now: float


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was answered; `body` is JSON."""

    status: int
    body: str
    revision: str | None


class Replays:
    """The kept answers of one wiki."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def begin(self, claim: Claim) -> KeptAnswer | Literal["other", "running"] | None:
        """None: the caller is the first and does it. Else what was answered, or why there is no answer."""
        return self._catalog.write(lambda connection: _begin(connection, claim))

    def keep(self, claim: Claim, kept: KeptAnswer) -> None:
        """Keep the answer. The write is done: a failure here is logged."""
        values = (kept.status, kept.body, kept.revision, claim.key)
        self._try(lambda connection: _set(connection, values))

    def forget(self, claim: Claim) -> None:
        """Nothing was done; the key may be used again."""
        self._try(lambda connection: _forget(connection, claim.key))

    def _try(self, work: Callable[[sqlite3.Connection], None]) -> None:
        try:
            self._catalog.write(work)
        except (StorageFailed, StorageFull) as error:
            _log.warning("an answer is not kept: %s", error)


def _begin(connection: sqlite3.Connection, claim: Claim) -> KeptAnswer | Literal["other", "running"] | None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS kept_answer (key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, began REAL NOT NULL,"
        " status INTEGER, body TEXT, revision TEXT)"
    )
    # The clock was set back: what seems to be yet to come would stay that much longer, and push out what comes now.
    connection.execute("UPDATE kept_answer SET began = ?1 WHERE began > ?1", (claim.now,))
    connection.execute("DELETE FROM kept_answer WHERE began < ?", (claim.now - KEPT_S,))
    connection.execute("DELETE FROM kept_answer WHERE status IS NULL AND began < ?", (claim.now - _GIVEN_UP_S,))
    row = connection.execute(
        "SELECT fingerprint, status, body, revision FROM kept_answer WHERE key = ?", (claim.key,)
    ).fetchone()
    if row is not None:
        fingerprint, status, body, revision = row
        if fingerprint != claim.fingerprint:
            return "other"
        return "running" if status is None else KeptAnswer(status, body, revision)
    connection.execute(
        "DELETE FROM kept_answer WHERE key IN"
        " (SELECT key FROM kept_answer ORDER BY began DESC, rowid DESC LIMIT -1 OFFSET ?)",
        (MAX_KEPT - 1,),
    )
    connection.execute(
        "INSERT INTO kept_answer (key, fingerprint, began) VALUES (?, ?, ?)",
        (claim.key, claim.fingerprint, claim.now),
    )
    return None


def _set(connection: sqlite3.Connection, values: tuple[int, str, str | None, str]) -> None:
    connection.execute("UPDATE kept_answer SET status = ?, body = ?, revision = ? WHERE key = ?", values)


def _forget(connection: sqlite3.Connection, key: str) -> None:
    connection.execute("DELETE FROM kept_answer WHERE key = ?", (key,))
