"""The sessions of one person, for them to look at and to end."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from robot.audit import AuditAction, Entry, doer_of, record
from robot.clock import Clock, moment, wall_clock
from robot.db import Database
from robot.model import User

_ANY_DEVICE = "a browser"


@dataclass(frozen=True, slots=True)
class OwnSession:
    """A signed-in browser. `provider` is by which way in, `link` for a one-time link; `seen` is the last use."""

    id: str
    provider: str
    device: str
    began: datetime
    seen: datetime
    expires: datetime


def list_sessions(db: Database, user: User, *, clock: Clock = wall_clock) -> list[OwnSession]:
    """The browsers in which `user` is signed in now, the last used one first; in place."""
    rows = db.all(
        "SELECT id, provider, device, created_at, coalesce(last_seen_at, created_at), expires_at FROM sessions"
        " WHERE user_id = ? AND expires_at > ? ORDER BY coalesce(last_seen_at, created_at) DESC, id",
        (user.id, int(clock())),
    )
    return [
        OwnSession(session_id, provider, device or _ANY_DEVICE, moment(began), moment(seen), moment(expires))
        for session_id, provider, device, began, seen, expires in rows
    ]


async def end_session(db: Database, user: User, session_id: str, *, clock: Clock = wall_clock) -> bool:
    """Sign one browser of `user` out, here and on every wiki. False when they have no such session."""
    return await db.write(lambda connection: _end(connection, user, "id = ?", session_id, clock)) > 0


async def end_other_sessions(db: Database, user: User, kept_id: str, *, clock: Clock = wall_clock) -> int:
    """Sign `user` out in every browser but one; returns in how many."""
    return await db.write(lambda connection: _end(connection, user, "id <> ?", kept_id, clock))


def _end(connection: sqlite3.Connection, user: User, which: str, session_id: str, clock: Clock) -> int:
    # The only thing put into SQL text is one of the two conditions above.
    sql = f"DELETE FROM sessions WHERE user_id = ? AND {which} RETURNING device"  # noqa: S608
    ended = connection.execute(sql, (user.id, session_id)).fetchall()
    for row in ended:
        entry = Entry(AuditAction.SESSION_ENDED, doer_of(user), target=row["device"] or _ANY_DEVICE)
        record(connection, entry, clock=clock)
    return len(ended)
