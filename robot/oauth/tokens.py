"""Pairs of tokens in the database: the first of a family, the next, the end of all, and who an access token is.

Functions with a `connection` run inside a transaction of `Database.write`. They return a refusal instead of raising it:
an exception would undo what the refusal itself must leave behind.
"""

# The only things put into SQL text here are column lists of this package.
# ruff: noqa: S608

from __future__ import annotations

import logging
import math
import sqlite3
from dataclasses import dataclass, replace
from enum import StrEnum

from robot.accounts import NOT_BARRED, USER_COLUMNS, USER_WIDTH, user_of_row
from robot.clock import Clock, wall_clock
from robot.db import Database, Row
from robot.model import Connection, Role, Scope, User
from robot.oauth.connections import CONNECTION_COLUMNS, connection_of_values, scopes_of, stored_scopes
from robot.oauth.pairs import (
    ACCESS_PREFIX,
    access_of,
    first_refresh,
    new_salt,
    successor_of,
)
from robot.secret import MAX_SECRET_CHARS, hash_secret, new_id
from robot.wikis import IN_SERVICE
from wikihost.reach import Reach

log = logging.getLogger(__name__)

GRACE_S = 60
"""How long a replaced refresh token still answers, for a client that lost the answer or asked several times at once."""

MAX_PAIRS = 200
"""Pairs of a connection that are kept, so that a client which does nothing but refresh fills no disk."""


@dataclass(frozen=True, slots=True)
class Lives:
    """How long tokens live, in seconds: an access token, and a refresh token that nobody uses."""

    access_s: float = 12 * 3600
    refresh_s: float = 30 * 24 * 3600


class Fault(StrEnum):
    """What a refusal is called on the wire (RFC 6749, section 5.2; RFC 8707, section 2)."""

    REQUEST = "invalid_request"
    CLIENT = "invalid_client"
    GRANT = "invalid_grant"
    GRANT_TYPE = "unsupported_grant_type"
    SCOPE = "invalid_scope"
    TARGET = "invalid_target"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why no tokens were given: the fault, and a sentence for whoever reads the client's log."""

    fault: Fault
    sentence: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A pair of tokens as a client gets it. `expires_in` is in whole seconds."""

    access_token: str
    refresh_token: str
    expires_in: int
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class Pair:
    """What of a pair goes on to the next: whose it is and what it may."""

    connection_id: str
    family: str
    scopes: frozenset[Scope]
    prefix: str | None


def begin_family(
    connection: sqlite3.Connection,
    connection_id: str,
    scopes: frozenset[Scope],
    prefix: str | None,
    lives: Lives,
    now: float,
) -> Issued:
    """Give a connection the first pair of a new family."""
    pair = Pair(connection_id, new_id("f"), scopes, prefix)
    return insert_pair(connection, pair, first_refresh(pair.family), lives, now)


def insert_pair(connection: sqlite3.Connection, pair: Pair, refresh: str, lives: Lives, now: float) -> Issued:
    """Store the pair of `refresh`; the connection lives on for as long as it."""
    access_expires, refresh_expires = math.ceil(now + lives.access_s), math.ceil(now + lives.refresh_s)
    access = access_of(refresh)
    connection.execute(
        "INSERT INTO oauth_tokens (refresh_hash, access_hash, connection_id, family, scopes, prefix,"
        " access_expires_at, refresh_expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            hash_secret(refresh),
            hash_secret(access),
            pair.connection_id,
            pair.family,
            stored_scopes(pair.scopes),
            pair.prefix,
            access_expires,
            refresh_expires,
        ),
    )
    connection.execute(
        "UPDATE connections SET expires_at = max(expires_at, ?), refused_at = NULL WHERE id = ?",
        (refresh_expires, pair.connection_id),
    )
    connection.execute(
        "DELETE FROM oauth_tokens WHERE refresh_hash IN (SELECT refresh_hash FROM oauth_tokens WHERE connection_id = ?"
        " ORDER BY replaced_at IS NULL DESC, refresh_expires_at DESC, rowid DESC LIMIT -1 OFFSET ?)",
        (pair.connection_id, MAX_PAIRS),
    )
    return Issued(access, refresh, math.floor(access_expires - now), pair.scopes)


def next_pair(connection: sqlite3.Connection, row: Row, refresh: str, lives: Lives, now: float) -> Issued | None:
    """The newest pair of the family of `refresh`, whose row is `row`; a new one if that is due.

    The first to show a refresh token has it replaced; whoever shows it again within its grace gets the very same pair,
    or the one that has followed since. None when a successor is gone.
    """
    is_first = row["replaced_at"] is None
    while row["replaced_at"] is not None:
        if row["salt"] is None:  # the clock was put back after it went
            return None
        refresh = successor_of(refresh, row["salt"])
        found = find_pair(connection, refresh)
        if found is None:
            return None
        row = found
    scopes = scopes_of(row["scopes"])
    if not is_first and row["access_expires_at"] >= now + 1:
        return Issued(access_of(refresh), refresh, math.floor(row["access_expires_at"] - now), scopes)
    salt = new_salt()
    connection.execute(
        "UPDATE oauth_tokens SET replaced_at = ?, salt = ? WHERE refresh_hash = ?",
        (int(now), salt, hash_secret(refresh)),
    )
    pair = Pair(row["connection_id"], row["family"], scopes, row["prefix"])
    return insert_pair(connection, pair, successor_of(refresh, salt), lives, now)


def find_pair(connection: sqlite3.Connection, refresh: str) -> Row | None:
    """The row of a refresh token."""
    found: Row | None = connection.execute(
        "SELECT * FROM oauth_tokens WHERE refresh_hash = ?", (hash_secret(refresh),)
    ).fetchone()
    return found


def overlap(one: str | None, other: str | None) -> bool:
    """Whether one of two folders is the other or inside it; None is the whole wiki. The longer is the smaller then."""
    if one is None or other is None or one == other:
        return True
    return any(Reach(outer).covers(inner.removesuffix("/")) for outer, inner in ((one, other), (other, one)))


def _depth(prefix: str | None) -> int:
    return 0 if prefix is None else len(prefix)


def end_connection(connection: sqlite3.Connection, connection_id: str, why: str, now: float) -> None:
    """Take back everything that a connection has, because a used `why` (`code`, `refresh`) came a second time.

    Whoever sent it may be a thief or the client itself, which cannot be told apart (RFC 9700, section 4.14.2).
    """
    connection.execute("DELETE FROM oauth_tokens WHERE connection_id = ?", (connection_id,))
    connection.execute(
        "UPDATE connections SET ended_at = ?, ended_why = ? WHERE id = ?", (int(now), why, connection_id)
    )
    log.warning("connection %s was ended: its %s came a second time", connection_id, why)


def verify_access(
    db: Database, secret: str, wiki_id: str, *, clock: Clock = wall_clock
) -> tuple[Connection, User, Role] | None:
    """The connection, its person and the person's role, when `secret` opens this wiki now; in place.

    Scopes and folder are those that this token was given and the person has not taken back since. None for anything
    else, without saying which: unknown, of another wiki, expired, revoked, let into another folder since, or its person
    has no role any more or is barred.
    """
    if not secret.startswith(ACCESS_PREFIX) or len(secret) > MAX_SECRET_CHARS:
        return None
    row = db.one(
        f"SELECT {USER_COLUMNS}, grants.role, oauth_tokens.scopes AS given, oauth_tokens.prefix AS given_prefix,"
        f" {CONNECTION_COLUMNS} FROM oauth_tokens"
        " JOIN connections ON connections.id = oauth_tokens.connection_id"
        f" JOIN users ON users.id = connections.user_id AND {NOT_BARRED}"
        f" JOIN wikis ON wikis.id = connections.wiki_id AND {IN_SERVICE}"
        " JOIN grants ON grants.wiki_id = connections.wiki_id AND grants.user_id = connections.user_id"
        " WHERE oauth_tokens.access_hash = ? AND connections.wiki_id = ? AND oauth_tokens.access_expires_at > ?",
        (hash_secret(secret), wiki_id, clock()),
    )
    if row is None:
        return None
    consented = connection_of_values(tuple(row)[USER_WIDTH + 3 :], clock())
    if not overlap(consented.prefix, row["given_prefix"]):
        return None
    return (
        replace(
            consented,
            scopes=consented.scopes & scopes_of(row["given"]),
            prefix=max(consented.prefix, row["given_prefix"], key=_depth),
        ),
        user_of_row(row),
        Role(row["role"]),
    )
