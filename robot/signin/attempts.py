"""Sign-ins that are under way: from the moment a browser is sent to a provider until it comes back.

    browser → platform  /auth/begin     a state of 256 bits; its row is bound to a secret in a cookie of this browser
            → provider                  is told the state, and nothing else of ours
            → platform  /auth/callback  takes the state once, compares the browser, asks the provider's client who it is

A state that leaks is worth nothing in another browser, twice, or after ten minutes; and nobody can have a browser come
back from a sign-in that another began (login CSRF, RFC 6749 section 10.12).
"""

from __future__ import annotations

import hmac
import json
import re
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from robot.clock import Clock, wall_clock
from robot.db import Database, Row
from robot.secret import MAX_SECRET_CHARS, hash_secret

ATTEMPT_LIFETIME_S = 600

_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in under way. `session_id` is whose account gets the identity, None where the person signs in by it."""

    provider: str
    typed: str
    address: str
    memory: Mapping[str, str] = field(repr=False)
    return_path: str
    session_id: str | None


async def keep_attempt(db: Database, state: str, browser: str, attempt: Attempt, *, clock: Clock = wall_clock) -> str:
    """Store it under `state`, for the browser that holds the secret `browser`; returns the id for `find_attempt`."""
    now = int(clock())

    def insert(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM signins WHERE expires_at <= ?", (now,))
        connection.execute(
            "INSERT INTO signins (state_hash, browser_hash, provider, typed, address, memory, return_path, session_id,"
            " expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                hash_secret(state),
                hash_secret(browser),
                attempt.provider,
                attempt.typed,
                attempt.address,
                json.dumps(dict(attempt.memory)),
                attempt.return_path,
                attempt.session_id,
                now + ATTEMPT_LIFETIME_S,
            ),
        )

    await db.write(insert)
    return hash_secret(state).hex()


def find_attempt(
    db: Database, attempt_id: str, browsers: Iterable[str], *, clock: Clock = wall_clock
) -> Attempt | None:
    """The attempt that this browser began, without using it up."""
    if not _ID.fullmatch(attempt_id):
        return None
    row = db.one("SELECT * FROM signins WHERE state_hash = ?", (bytes.fromhex(attempt_id),))
    return _attempt_of(row, browsers, clock())


async def take_attempt(
    db: Database, state: str, browsers: Iterable[str], *, clock: Clock = wall_clock
) -> Attempt | None:
    """Use the state up, whoever shows it; an attempt only for the right browser and time."""
    if len(state) > MAX_SECRET_CHARS:
        return None
    key, shown = hash_secret(state), list(browsers)

    def take(connection: sqlite3.Connection) -> Row | None:
        row: Row | None = connection.execute("SELECT * FROM signins WHERE state_hash = ?", (key,)).fetchone()
        connection.execute("DELETE FROM signins WHERE state_hash = ?", (key,))
        return row

    return _attempt_of(await db.write(take), shown, clock())


def _attempt_of(row: Row | None, browsers: Iterable[str], now: float) -> Attempt | None:
    if row is None or row["expires_at"] <= now:
        return None
    if not any(hmac.compare_digest(row["browser_hash"], hash_secret(browser)) for browser in browsers):
        return None
    return Attempt(
        row["provider"],
        row["typed"],
        row["address"],
        json.loads(row["memory"]),
        row["return_path"],
        row["session_id"],
    )
