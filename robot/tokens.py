"""Bearer tokens of agents: bound to one wiki and one person, stored as SHA-256 only."""

# The only things put into SQL text here are column lists of this package.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from robot.accounts import NOT_BARRED, USER_COLUMNS, USER_WIDTH, user_of_row
from robot.audit import AuditAction, Doer, Entry, doer_of, record
from robot.clock import Clock, moment, wall_clock
from robot.db import Database
from robot.model import Role, Scope, Token, User, Wiki
from robot.secret import MAX_SECRET_CHARS, hash_secret, new_id, new_secret
from robot.wikis import IN_SERVICE
from wikihost.errors import InvalidPageName
from wikihost.reach import parse_folder

TOKEN_PREFIX = "robot_"  # noqa: S105  (a public prefix, by which secret scanners know our tokens)

_COLUMNS = (
    "tokens.id, tokens.wiki_id, tokens.user_id, tokens.name, tokens.scopes, tokens.created_at, tokens.expires_at,"
    " tokens.last_used_at, tokens.prefix"
)
_MAX_NAME_CHARS = 60


class InvalidToken(ValueError):
    """A field of a new token cannot be used; the message says why."""


def check_folder(raw: str) -> str:
    """The folder that a credential is to be confined to, as it is stored; raises `InvalidToken`."""
    try:
        return parse_folder(raw).folder
    except InvalidPageName as error:
        raise InvalidToken(
            f"A folder is written as in the names of its pages, such as Projects/Apollo/. {error}"
        ) from error


def check_token_name(name: str) -> str:
    """`name` in one line; raises `InvalidToken`."""
    shown = " ".join(name.split())
    if not shown or len(shown) > _MAX_NAME_CHARS or not shown.isprintable():
        raise InvalidToken(f"A token's name has 1 to {_MAX_NAME_CHARS} printable characters.")
    return shown


async def create_token(
    db: Database,
    user: User,
    wiki: Wiki,
    name: str,
    scopes: Iterable[Scope],
    *,
    expires: datetime | None = None,
    prefix: str | None = None,
    by: Doer | None = None,
    clock: Clock = wall_clock,
) -> tuple[str, Token]:
    """Make a token; returns its secret, which is nowhere else, and the token as listed. Write includes read.

    `prefix` confines it to a folder; `by` is who makes it, when that is not its person. Raises `InvalidToken`.
    """
    folder = None if prefix is None else check_folder(prefix)
    token = Token(
        id=new_id("t"),
        wiki_id=wiki.id,
        user_id=user.id,
        name=check_token_name(name),
        scopes=frozenset(scopes) | {Scope.READ},
        created=moment(int(clock())),
        expires=expires,
        last_used=None,
        prefix=folder,
    )
    secret = TOKEN_PREFIX + new_secret()

    def insert(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO tokens (id, secret_hash, wiki_id, user_id, name, scopes, created_at, expires_at, prefix)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                token.id,
                hash_secret(secret),
                wiki.id,
                user.id,
                token.name,
                " ".join(sorted(token.scopes)),
                int(token.created.timestamp()),
                None if expires is None else int(expires.timestamp()),
                folder,
            ),
        )
        entry = Entry(AuditAction.TOKEN_MADE, by or doer_of(user), wiki.id, token.name, _reach_of(token))
        record(connection, entry, clock=clock)

    await db.write(insert)
    return secret, token


def verify_token(
    db: Database, secret: str, wiki_id: str, *, clock: Clock = wall_clock
) -> tuple[Token, User, Role] | None:
    """The token, its person and the person's role, when `secret` opens this wiki now; in place.

    None for anything else, without saying which: unknown, of another wiki, expired, or its person has no role
    any more or is barred.
    """
    if not secret.startswith(TOKEN_PREFIX) or len(secret) > MAX_SECRET_CHARS:
        return None
    row = db.one(
        f"SELECT {USER_COLUMNS}, grants.role, {_COLUMNS} FROM tokens"
        f" JOIN users ON users.id = tokens.user_id AND {NOT_BARRED}"
        f" JOIN wikis ON wikis.id = tokens.wiki_id AND {IN_SERVICE}"
        " JOIN grants ON grants.wiki_id = tokens.wiki_id AND grants.user_id = tokens.user_id"
        " WHERE tokens.secret_hash = ? AND tokens.wiki_id = ? AND (tokens.expires_at IS NULL OR tokens.expires_at > ?)",
        (hash_secret(secret), wiki_id, int(clock())),
    )
    if row is None:
        return None
    return _token_of_values(tuple(row)[USER_WIDTH + 1 :]), user_of_row(row), Role(row["role"])


def list_tokens(db: Database, wiki: Wiki, user: User | None = None) -> list[tuple[Token, User]]:
    """The wiki's tokens with their persons, newest first; only those of `user` when one is given."""
    rows = db.all(
        f"SELECT {USER_COLUMNS}, {_COLUMNS} FROM tokens JOIN users ON users.id = tokens.user_id"
        " WHERE tokens.wiki_id = ?1 AND (?2 IS NULL OR users.id = ?2) ORDER BY tokens.created_at DESC, tokens.id",
        (wiki.id, None if user is None else user.id),
    )
    return [(_token_of_values(tuple(row)[USER_WIDTH:]), user_of_row(row)) for row in rows]


def list_tokens_of(db: Database, user: User) -> list[Token]:
    """The tokens of `user` in all wikis, newest first."""
    rows = db.all(f"SELECT {_COLUMNS} FROM tokens WHERE user_id = ? ORDER BY created_at DESC, id", (user.id,))
    return [_token_of_values(tuple(row)) for row in rows]


def find_token(db: Database, wiki: Wiki, token_id: str) -> Token | None:
    """The token of that id, when it is this wiki's."""
    row = db.one(f"SELECT {_COLUMNS} FROM tokens WHERE id = ? AND wiki_id = ?", (token_id, wiki.id))
    return None if row is None else _token_of_values(tuple(row))


async def revoke_token(db: Database, wiki: Wiki, token_id: str, *, by: Doer, clock: Clock = wall_clock) -> bool:
    """Delete the token: its next use is refused. False when this wiki has none of that id."""

    def delete(connection: sqlite3.Connection) -> bool:
        sql = "DELETE FROM tokens WHERE id = ? AND wiki_id = ? RETURNING name"
        row = connection.execute(sql, (token_id, wiki.id)).fetchone()
        if row is not None:
            record(connection, Entry(AuditAction.TOKEN_REVOKED, by, wiki.id, row["name"]), clock=clock)
        return row is not None

    return await db.write(delete)


def _reach_of(token: Token) -> str:
    """What its bearer may do, in some words."""
    may = "reads and writes" if Scope.WRITE in token.scopes else "reads"
    return may if token.prefix is None else f"{may} under {token.prefix}"


def _token_of_values(values: tuple[Any, ...]) -> Token:
    """A `Token` from the values of `_COLUMNS`."""
    token_id, wiki_id, user_id, name, scopes, created_at, expires_at, last_used_at, prefix = values
    return Token(
        id=token_id,
        wiki_id=wiki_id,
        user_id=user_id,
        name=name,
        scopes=frozenset(Scope(scope) for scope in scopes.split()),
        created=moment(created_at),
        expires=None if expires_at is None else moment(expires_at),
        last_used=None if last_used_at is None else moment(last_used_at),
        prefix=prefix,
    )
