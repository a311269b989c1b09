"""Connections: what people consented to, as listed, found and taken back."""

# The only things put into SQL text here are column lists of this package.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from typing import Any

from robot.accounts import USER_COLUMNS, USER_WIDTH, user_of_row
from robot.audit import AuditAction, Doer, Entry, record
from robot.clock import Clock, moment, wall_clock
from robot.db import Database
from robot.model import Connection, Health, Scope, User, Wiki

CONNECTION_COLUMNS = (
    "connections.id, connections.wiki_id, connections.user_id, connections.client_id, connections.client_name,"
    " connections.scopes, connections.created_at, connections.last_used_at, connections.prefix,"
    " connections.expires_at, connections.refused_at, connections.ended_at"
)


def list_connections(
    db: Database, wiki: Wiki, user: User | None = None, *, clock: Clock = wall_clock
) -> list[tuple[Connection, User]]:
    """The wiki's connections with their persons, newest first; only those of `user` when one is given."""
    rows = db.all(
        f"SELECT {USER_COLUMNS}, {CONNECTION_COLUMNS} FROM connections JOIN users ON users.id = connections.user_id"
        " WHERE connections.wiki_id = ? AND (? IS NULL OR users.id = ?)"
        " ORDER BY connections.created_at DESC, connections.id",
        (wiki.id, None if user is None else user.id, None if user is None else user.id),
    )
    return [(connection_of_values(tuple(row)[USER_WIDTH:], clock()), user_of_row(row)) for row in rows]


def list_connections_of(db: Database, user: User, *, clock: Clock = wall_clock) -> list[Connection]:
    """The connections of `user` in all wikis, newest first."""
    rows = db.all(
        f"SELECT {CONNECTION_COLUMNS} FROM connections WHERE user_id = ? ORDER BY created_at DESC, id", (user.id,)
    )
    return [connection_of_values(tuple(row), clock()) for row in rows]


def list_redirects(db: Database, wiki: Wiki) -> dict[str, str]:
    """Where the client of each of the wiki's connections has answers sent to, by the connection's id."""
    rows = db.all("SELECT id, redirect_uri FROM connections WHERE wiki_id = ?", (wiki.id,))
    return {row["id"]: row["redirect_uri"] for row in rows}


def find_connection(db: Database, wiki: Wiki, connection_id: str, *, clock: Clock = wall_clock) -> Connection | None:
    """The connection of that id, when it is this wiki's."""
    row = db.one(f"SELECT {CONNECTION_COLUMNS} FROM connections WHERE id = ? AND wiki_id = ?", (connection_id, wiki.id))
    return None if row is None else connection_of_values(tuple(row), clock())


def find_consented(
    db: Database, wiki: Wiki, user: User, client_id: str, *, clock: Clock = wall_clock
) -> tuple[Connection, str] | None:
    """What that person consented to before, with the redirect that was used then; None when there is no more of it."""
    row = db.one(
        f"SELECT {CONNECTION_COLUMNS}, connections.redirect_uri FROM connections"
        " WHERE user_id = ? AND client_id = ? AND wiki_id = ?",
        (user.id, client_id, wiki.id),
    )
    if row is None:
        return None
    found = connection_of_values(tuple(row)[:-1], clock())
    return None if found.health in (Health.EXPIRED, Health.REUSED) else (found, row["redirect_uri"])


async def revoke_connection(
    db: Database, wiki: Wiki, connection_id: str, *, by: Doer, clock: Clock = wall_clock
) -> bool:
    """Delete the connection with its tokens: their next use is refused. False when this wiki has none of that id."""

    def delete(connection: sqlite3.Connection) -> bool:
        sql = "DELETE FROM connections WHERE id = ? AND wiki_id = ? RETURNING client_name"
        row = connection.execute(sql, (connection_id, wiki.id)).fetchone()
        if row is not None:
            entry = Entry(AuditAction.AGENT_DISCONNECTED, by, wiki.id, row["client_name"])
            record(connection, entry, clock=clock)
        return row is not None

    return await db.write(delete)


def connection_of_values(values: tuple[Any, ...], now: float) -> Connection:
    """A `Connection` from the values of `CONNECTION_COLUMNS`, as it is at `now`."""
    (
        connection_id,
        wiki_id,
        user_id,
        client_id,
        name,
        scopes,
        created_at,
        last_used_at,
        prefix,
        expires_at,
        refused_at,
        ended_at,
    ) = values
    return Connection(
        id=connection_id,
        wiki_id=wiki_id,
        user_id=user_id,
        client_id=client_id,
        name=name,
        scopes=scopes_of(scopes),
        created=moment(created_at),
        last_used=None if last_used_at is None else moment(last_used_at),
        prefix=prefix,
        health=_health(expires_at, refused_at, ended_at, now),
    )


def scopes_of(stored: str) -> frozenset[Scope]:
    """Scopes from a column: `read` or `read write`."""
    return frozenset(Scope(scope) for scope in stored.split())


def stored_scopes(scopes: frozenset[Scope]) -> str:
    """Scopes for a column; the opposite of `scopes_of`."""
    return " ".join(sorted(scopes))


def _health(expires_at: int, refused_at: int | None, ended_at: int | None, now: float) -> Health:
    if ended_at is not None:
        return Health.REUSED
    if expires_at <= now:
        return Health.EXPIRED
    return Health.WELL if refused_at is None else Health.REFUSED
