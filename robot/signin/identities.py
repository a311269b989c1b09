"""Which identities are whose: a person may have several, an identity has one person."""

# The only things put into SQL text here are column lists of this package.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from robot.accounts import USER_COLUMNS, user_of_row
from robot.audit import AuditAction, Entry, doer_of, record
from robot.clock import Clock, moment, wall_clock
from robot.db import Database
from robot.model import User
from robot.signin.providers import Identity

_COLUMNS = "provider, subject, handle, handle_checked_at, created_at, last_used_at"


class IdentityTaken(Exception):
    """The identity belongs to another person; the message says what to do."""


class LastWayIn(Exception):
    """Without this identity the person could not sign in any more; the message says what to do."""


@dataclass(frozen=True, slots=True)
class LinkedIdentity:
    """An identity that somebody signs in with. `handle` is as it was at `handle_checked`; None if it did not prove."""

    provider: str
    subject: str
    handle: str | None
    handle_checked: datetime
    created: datetime
    last_used: datetime


def find_user(db: Database, provider: str, subject: str) -> User | None:
    """Whose identity this is; one point read."""
    row = db.one(
        f"SELECT {USER_COLUMNS} FROM identities JOIN users ON users.id = identities.user_id"
        " WHERE identities.provider = ? AND identities.subject = ?",
        (provider, subject),
    )
    return None if row is None else user_of_row(row)


def identities_of(db: Database, user: User) -> list[LinkedIdentity]:
    """The identities that `user` signs in with, the oldest first."""
    rows = db.all(
        f"SELECT {_COLUMNS} FROM identities WHERE user_id = ? ORDER BY created_at, provider, subject", (user.id,)
    )
    return [
        LinkedIdentity(provider, subject, handle, moment(checked), moment(created), moment(used))
        for provider, subject, handle, checked, created, used in rows
    ]


async def link_identity(db: Database, user: User, identity: Identity, *, clock: Clock = wall_clock) -> None:
    """Let `user` sign in with `identity` too; nothing changes when they do already. Raises `IdentityTaken`."""

    def link(connection: sqlite3.Connection) -> None:
        insert_identity(connection, user, identity, clock())
        entry = Entry(AuditAction.IDENTITY_LINKED, doer_of(user), target=identity.handle or identity.subject)
        record(connection, entry, clock=clock)

    await db.write(link)


async def unlink_identity(db: Database, user: User, provider: str, subject: str, *, clock: Clock = wall_clock) -> bool:
    """Take an identity off `user`; whether they had it. Raises `LastWayIn`."""

    def remove(connection: sqlite3.Connection) -> bool:
        rows = connection.execute("SELECT provider, subject, handle FROM identities WHERE user_id = ?", (user.id,))
        handles = {(row["provider"], row["subject"]): row["handle"] for row in rows}
        if (provider, subject) not in handles:
            return False
        if len(handles) == 1:
            raise LastWayIn("This is the only way into your account. Connect another one first.")
        connection.execute("DELETE FROM identities WHERE provider = ? AND subject = ?", (provider, subject))
        target = handles[provider, subject] or subject
        record(connection, Entry(AuditAction.IDENTITY_REMOVED, doer_of(user), target=target), clock=clock)
        return True

    return await db.write(remove)


async def note_use(db: Database, identity: Identity, *, clock: Clock = wall_clock) -> None:
    """The identity was proved just now: its handle is what was proved with it."""
    now = int(clock())

    def note(connection: sqlite3.Connection) -> None:
        take_handle_over(connection, identity.provider, identity.subject, identity.handle)
        connection.execute(
            "UPDATE identities SET handle = ?, handle_checked_at = ?, last_used_at = ?"
            " WHERE provider = ? AND subject = ?",
            (identity.handle, now, now, identity.provider, identity.subject),
        )

    await db.write(note)


def take_handle_over(connection: sqlite3.Connection, provider: str, subject: str, handle: str | None) -> None:
    """A handle was proved to be of `subject`: whoever had it before is shown by it no more, from now on."""
    connection.execute(
        # The other moment has whoever is asking about it just now find that something newer is known.
        "UPDATE identities SET handle = NULL, handle_checked_at = handle_checked_at - 1"
        " WHERE provider = ? AND handle = ? AND subject <> ?",
        (provider, handle, subject),
    )


def insert_identity(connection: sqlite3.Connection, user: User, identity: Identity, now: float) -> None:
    """Link inside a transaction. Raises `IdentityTaken`."""
    owner = connection.execute(
        "SELECT user_id FROM identities WHERE provider = ? AND subject = ?", (identity.provider, identity.subject)
    ).fetchone()
    if owner is not None and owner["user_id"] != user.id:
        raise IdentityTaken(
            "This identity belongs to another account of this host. Sign in with it, and remove it there first."
        )
    at = int(now)
    take_handle_over(connection, identity.provider, identity.subject, identity.handle)
    connection.execute(
        "INSERT INTO identities (provider, subject, user_id, handle, handle_checked_at, created_at, last_used_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (provider, subject) DO UPDATE"
        " SET handle = excluded.handle, handle_checked_at = excluded.handle_checked_at,"
        " last_used_at = excluded.last_used_at",
        (identity.provider, identity.subject, user.id, identity.handle, at, at, at),
    )
