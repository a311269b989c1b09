"""Sessions: a signed cookie that names a row. The row is the truth, so signing out works at once and everywhere.

On the platform host the cookie is a JWT (RS256) that names the session. On a wiki's host it is a random secret, whose
row hangs on the platform session: when that goes, so do all of these.
"""

# The only things put into SQL text here are column lists of this package.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from dataclasses import dataclass

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from robot.accounts import USER_COLUMNS, user_of_row
from robot.clock import Clock, wall_clock
from robot.db import Database
from robot.model import User, Wiki
from robot.secret import hash_secret, new_id
from robot.signin.cookies import PLATFORM_COOKIE, WIKI_COOKIE, Headers, cookie_values

SESSION_LIFETIME_S = 30 * 24 * 3600

_ALGORITHM = "RS256"
# Signatures that were checked before; a check costs about 60 µs, a look-up none.
_MAX_CHECKED = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser on the platform host."""

    id: str
    user: User


class Sessions:
    """Begins, finds and ends sessions. `issuer` is the platform's origin. Look-ups are synchronous and in place."""

    def __init__(self, db: Database, key: RSAKey, *, issuer: str, clock: Clock = wall_clock) -> None:
        self._db = db
        self._key = key
        self._issuer = issuer
        self._clock = clock
        self._checked: OrderedDict[bytes, str] = OrderedDict()

    async def begin(self, user: User) -> str:
        """Sign `user` in with a new session; returns the value for `PLATFORM_COOKIE`."""
        session_id = new_id("s")
        now = int(self._clock())

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM sessions WHERE expires_at <= ?", (now,))
            connection.execute(
                "INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
                (session_id, user.id, now, now + SESSION_LIFETIME_S),
            )

        await self._db.write(insert)
        claims = {"iss": self._issuer, "sub": user.id, "jti": session_id, "iat": now, "exp": now + SESSION_LIFETIME_S}
        return jwt.encode({"alg": _ALGORITHM}, claims, self._key, algorithms=[_ALGORITHM])

    def platform_session(self, headers: Headers) -> Session | None:
        """The session that the platform cookies prove.

        Copies that prove nothing have no effect; two that prove different people are both refused, since nobody can
        tell which one was tossed.
        """
        found = [session for value in cookie_values(headers, PLATFORM_COOKIE) if (session := self._proven(value))]
        return found[0] if len({session.user.id for session in found}) == 1 else None

    def platform_user(self, headers: Headers) -> User | None:
        """The person signed in on the platform host."""
        session = self.platform_session(headers)
        return None if session is None else session.user

    def wiki_user(self, headers: Headers, wiki: Wiki) -> User | None:
        """The person signed in on that wiki's host; duplicates are treated as on the platform."""
        found = [user for value in cookie_values(headers, WIKI_COOKIE) if (user := self._wiki_user(value, wiki))]
        return found[0] if len({user.id for user in found}) == 1 else None

    async def end(self, headers: Headers) -> None:
        """Sign this browser out on the platform, and so on every wiki."""
        proven = [self._session_id(value) for value in cookie_values(headers, PLATFORM_COOKIE)]
        doomed = [(session_id,) for session_id in proven if session_id is not None]
        if doomed:
            await self._db.write(lambda connection: connection.executemany("DELETE FROM sessions WHERE id = ?", doomed))

    async def end_on_wiki(self, headers: Headers, wiki: Wiki) -> None:
        """Sign this browser out on that wiki only: a script on a wiki's page must not sign anybody out elsewhere."""
        doomed = [(hash_secret(value), wiki.id) for value in cookie_values(headers, WIKI_COOKIE)]
        if doomed:
            sql = "DELETE FROM wiki_sessions WHERE secret_hash = ? AND wiki_id = ?"
            await self._db.write(lambda connection: connection.executemany(sql, doomed))

    def _proven(self, cookie: str) -> Session | None:
        session_id = self._session_id(cookie)
        if session_id is None:
            return None
        row = self._db.one(
            f"SELECT {USER_COLUMNS} FROM sessions JOIN users ON users.id = sessions.user_id"
            " WHERE sessions.id = ? AND sessions.expires_at > ?",
            (session_id, int(self._clock())),
        )
        return None if row is None else Session(session_id, user_of_row(row))

    def _wiki_user(self, secret: str, wiki: Wiki) -> User | None:
        row = self._db.one(
            f"SELECT {USER_COLUMNS} FROM wiki_sessions JOIN sessions ON sessions.id = wiki_sessions.session_id"
            " JOIN users ON users.id = sessions.user_id"
            " WHERE wiki_sessions.secret_hash = ? AND wiki_sessions.wiki_id = ? AND sessions.expires_at > ?",
            (hash_secret(secret), wiki.id, int(self._clock())),
        )
        return None if row is None else user_of_row(row)

    def _session_id(self, cookie: str) -> str | None:
        """The session that a genuine cookie names. Whether it still lives is the row's business."""
        digest = hash_secret(cookie)
        session_id = self._checked.get(digest)
        if session_id is None:
            session_id = self._check(cookie)
            if session_id is not None:
                self._checked[digest] = session_id
                if len(self._checked) > _MAX_CHECKED:
                    self._checked.popitem(last=False)
        return session_id

    def _check(self, cookie: str) -> str | None:
        try:
            claims = jwt.decode(cookie, self._key, algorithms=[_ALGORITHM]).claims
        except (JoseError, ValueError):
            return None
        session_id = claims.get("jti")
        return session_id if claims.get("iss") == self._issuer and isinstance(session_id, str) else None


def insert_wiki_session(connection: sqlite3.Connection, secret: str, session_id: str, wiki_id: str, now: float) -> None:
    """Store a wiki session inside a transaction."""
    connection.execute(
        "INSERT INTO wiki_sessions (secret_hash, session_id, wiki_id, created_at) VALUES (?, ?, ?, ?)",
        (hash_secret(secret), session_id, wiki_id, int(now)),
    )
