"""People who proved who they are and have no account here yet: kept until they have chosen a user name."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from robot.accounts import MAX_DISPLAY_NAME_CHARS, MAX_USER_NAME_CHARS, insert_user, new_user
from robot.audit import AuditAction, Entry, doer_of, record
from robot.clock import Clock, wall_clock
from robot.db import Database
from robot.model import User
from robot.secret import hash_secret, new_secret
from robot.signin.identities import insert_identity
from robot.signin.providers import Identity

SIGNUP_LIFETIME_S = 30 * 60


class SignupOver(Exception):
    """The sign-up was finished before, or took too long."""


@dataclass(frozen=True, slots=True)
class Signup:
    """A sign-up under way: who it is, and the path to go on to."""

    identity: Identity
    return_path: str


async def keep_signup(db: Database, signup: Signup, *, clock: Clock = wall_clock) -> str:
    """Store it in place of any other of that identity; returns the secret that its browser keeps."""
    secret, identity, now = new_secret(), signup.identity, int(clock())

    def insert(connection: sqlite3.Connection) -> None:
        connection.execute(
            "DELETE FROM signups WHERE expires_at <= ? OR (provider = ? AND subject = ?)",
            (now, identity.provider, identity.subject),
        )
        connection.execute(
            "INSERT INTO signups (secret_hash, provider, subject, handle, display_name, return_path, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                hash_secret(secret),
                identity.provider,
                identity.subject,
                identity.handle,
                identity.display_name,
                signup.return_path,
                now + SIGNUP_LIFETIME_S,
            ),
        )

    await db.write(insert)
    return secret


def find_signup(db: Database, secret: str, *, clock: Clock = wall_clock) -> Signup | None:
    """The sign-up whose browser holds `secret`; one point read."""
    row = db.one("SELECT * FROM signups WHERE secret_hash = ? AND expires_at > ?", (hash_secret(secret), int(clock())))
    if row is None:
        return None
    return Signup(Identity(row["provider"], row["subject"], row["handle"], row["display_name"]), row["return_path"])


async def finish_signup(
    db: Database,
    secret: str,
    signup: Signup,
    name: str,
    display_name: str,
    *,
    is_operator: bool = False,
    admit: Callable[[sqlite3.Connection], None] | None = None,
    clock: Clock = wall_clock,
) -> User:
    """Make the account, with its identity, and use the sign-up up: all of it or nothing. `admit` may object.

    Raises `InvalidAccount` (the name is unfit, or somebody was faster), `IdentityTaken`, `SignupOver`.
    """
    user = new_user(name, display_name, is_operator=is_operator, clock=clock)

    def make(connection: sqlite3.Connection) -> None:
        sql = "DELETE FROM signups WHERE secret_hash = ?"
        if connection.execute(sql, (hash_secret(secret),)).rowcount != 1:
            raise SignupOver
        if admit is not None:
            admit(connection)
        insert_user(connection, user)
        insert_identity(connection, user, signup.identity, clock())
        entry = Entry(AuditAction.SIGNED_UP, doer_of(user), target=user.name, detail=signup.identity.provider)
        record(connection, entry, clock=clock)

    await db.write(make)
    return user


def suggest_name(identity: Identity) -> str:
    """A user name to begin with, from the handle (`ada.bsky.social`: `ada`) or what else is known; may be ""."""
    source = (identity.handle or identity.display_name).partition("@")[0].partition(".")[0]
    plain = unicodedata.normalize("NFKD", source.lower()).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_USER_NAME_CHARS].strip("-")
    return name if len(name) >= 3 else ""


def suggest_display_name(identity: Identity) -> str:
    """A display name to begin with."""
    shown = identity.display_name or identity.handle or ""
    kept = "".join(char for char in shown if unicodedata.category(char)[0] != "C" and char not in "<>")
    return " ".join(kept.split())[:MAX_DISPLAY_NAME_CHARS]
