"""One-time sign-in links: for the first sign-in, for hosts without another identity provider, and for recovery."""

# The only things put into SQL text here are column lists of this package.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3

from robot.accounts import USER_COLUMNS, user_of_row
from robot.address import PublicAddress
from robot.clock import Clock, wall_clock
from robot.db import Database
from robot.model import User
from robot.secret import hash_secret, new_secret
from robot.signin.returns import with_query

LINK_LIFETIME_S = 15 * 60


async def create_link(db: Database, user: User, *, lifetime_s: int = LINK_LIFETIME_S, clock: Clock = wall_clock) -> str:
    """Make a secret that signs `user` in once, within `lifetime_s`; `link_address` makes a link of it."""
    secret = new_secret()
    now = int(clock())

    def insert(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM signin_links WHERE expires_at <= ?", (now,))
        connection.execute(
            "INSERT INTO signin_links (secret_hash, user_id, expires_at) VALUES (?, ?, ?)",
            (hash_secret(secret), user.id, now + lifetime_s),
        )

    await db.write(insert)
    return secret


def link_address(address: PublicAddress, secret: str) -> str:
    """The address to open in a browser."""
    return address.platform_origin + with_query("/auth/link", token=secret)


def person_of_link(db: Database, secret: str, *, clock: Clock = wall_clock) -> User | None:
    """Whom the link would sign in, without using it up."""
    row = db.one(
        f"SELECT {USER_COLUMNS} FROM signin_links JOIN users ON users.id = signin_links.user_id"
        " WHERE signin_links.secret_hash = ? AND signin_links.expires_at > ?",
        (hash_secret(secret), int(clock())),
    )
    return None if row is None else user_of_row(row)


async def redeem_link(db: Database, secret: str, *, clock: Clock = wall_clock) -> User | None:
    """Use the link up; returns its person, or None when it is unknown, used or too old."""

    def take(connection: sqlite3.Connection) -> User | None:
        row = connection.execute(
            f"SELECT {USER_COLUMNS}, signin_links.expires_at FROM signin_links"
            " JOIN users ON users.id = signin_links.user_id WHERE signin_links.secret_hash = ?",
            (hash_secret(secret),),
        ).fetchone()
        connection.execute("DELETE FROM signin_links WHERE secret_hash = ?", (hash_secret(secret),))
        return user_of_row(row) if row is not None and row["expires_at"] > clock() else None

    return await db.write(take)
