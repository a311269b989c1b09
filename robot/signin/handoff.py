"""Carrying a sign-in from the platform to a wiki's host, which cannot see the platform's cookie.

    browser → wiki      /auth/start    sets a nonce cookie on the wiki's host
            → platform  /auth/handoff  sees the session, makes a code bound to session, wiki and SHA-256(nonce)
            → wiki      /auth/finish   takes the code once, compares the nonce, sets the wiki's own cookie

A code that leaks is worth nothing in another browser, at another wiki, twice, or after a minute.
"""

# The only thing put into SQL text here is a condition of this package.
# ruff: noqa: S608

from __future__ import annotations

import hmac
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from robot.accounts import NOT_BARRED
from robot.clock import Clock, wall_clock
from robot.db import Database
from robot.model import Wiki
from robot.secret import hash_secret, new_secret
from robot.signin.sessions import Session, insert_wiki_session

CODE_LIFETIME_S = 60
NONCE_LIFETIME_S = 600

_NONCE = re.compile(r"[A-Za-z0-9_-]{43}")
_CHALLENGE = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A finished hand-off: the value for the wiki's cookie, and the path on the wiki to go on to."""

    cookie: str
    return_path: str


def nonce_to_use(held: list[str]) -> str:
    """The nonce for this browser: the one it holds, so that two tabs do not disturb each other, else a new one."""
    usable = [nonce for nonce in held if _NONCE.fullmatch(nonce)]
    return usable[0] if len(usable) == 1 else new_secret()


def challenge_of(nonce: str) -> str:
    """What the wiki's host tells the platform about the nonce: its SHA-256 in hex."""
    return hash_secret(nonce).hex()


def is_challenge(text: str) -> bool:
    """Whether `text` has a challenge's form."""
    return _CHALLENGE.fullmatch(text) is not None


async def issue_code(
    db: Database, session: Session, wiki: Wiki, challenge: str, return_path: str, *, clock: Clock = wall_clock
) -> str:
    """A code that signs the session's person in at `wiki`, once, within a minute, in the browser of `challenge`."""
    code = new_secret()
    now = int(clock())

    def insert(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM handoffs WHERE expires_at <= ?", (now,))
        connection.execute(
            "INSERT INTO handoffs (code_hash, session_id, wiki_id, challenge, return_path, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (hash_secret(code), session.id, wiki.id, bytes.fromhex(challenge), return_path, now + CODE_LIFETIME_S),
        )

    await db.write(insert)
    return code


async def take_code(
    db: Database, code: str, wiki: Wiki, nonces: Iterable[str], *, clock: Clock = wall_clock
) -> Arrival | None:
    """Use the code up, whoever shows it; a wiki session only for the right wiki, browser and time."""
    shown = [hash_secret(nonce) for nonce in nonces]
    cookie = new_secret()

    def take(connection: sqlite3.Connection) -> Arrival | None:
        row = connection.execute(
            f"SELECT handoffs.*, NOT ({NOT_BARRED}) AS is_barred FROM handoffs"
            " JOIN sessions ON sessions.id = handoffs.session_id JOIN users ON users.id = sessions.user_id"
            " WHERE handoffs.code_hash = ?",
            (hash_secret(code),),
        ).fetchone()
        if row is None:
            return None
        connection.execute("DELETE FROM handoffs WHERE code_hash = ?", (hash_secret(code),))
        is_same_browser = any(hmac.compare_digest(row["challenge"], nonce) for nonce in shown)
        if row["is_barred"] or row["wiki_id"] != wiki.id or row["expires_at"] <= clock() or not is_same_browser:
            return None
        insert_wiki_session(connection, cookie, row["session_id"], wiki.id, clock())
        return Arrival(cookie, row["return_path"])

    return await db.write(take)
