"""Sessions: a signed cookie that names a row. The row is the truth, so signing out works at once and everywhere.

On the platform host the cookie is a JWT (RS256) that names the session. On a wiki's host it is a random secret, whose
row hangs on the platform session: when that goes, so do all of these. A session ends when it was not used for
`SESSION_IDLE_S`, there or on any wiki, and `SESSION_LIFETIME_S` after it began in any case.
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

from robot.accounts import NOT_BARRED, USER_COLUMNS, AccountSuspended, user_of_row
from robot.audit import AuditAction, Entry, doer_of, record
from robot.clock import Clock, wall_clock
from robot.credential_uses import CredentialUses
from robot.db import Database
from robot.model import User, Wiki
from robot.secret import hash_secret, new_id
from robot.signin.cookies import PLATFORM_COOKIE, WIKI_COOKIE, Headers, cookie_values

SESSION_IDLE_S = 30 * 24 * 3600
SESSION_LIFETIME_S = 90 * 24 * 3600

_ALGORITHM = "RS256"
# Signatures that were checked before; a check costs about 60 µs, a look-up none.
_MAX_CHECKED = 10_000
_SEEN = (
    "UPDATE sessions SET last_seen_at = :at,"
    f" expires_at = MIN(created_at + {SESSION_LIFETIME_S}, :at + {SESSION_IDLE_S}) WHERE id = :id"
)


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser on the platform host."""

    id: str
    user: User


class Sessions:
    """Begins, finds and ends sessions. `issuer` is the platform's origin. Look-ups are synchronous and in place.

    `uses` keeps sessions alive that are used.
    """

    def __init__(
        self, db: Database, key: RSAKey, *, issuer: str, uses: CredentialUses | None = None, clock: Clock = wall_clock
    ) -> None:
        self._db = db
        self._key = key
        self._issuer = issuer
        self._uses = CredentialUses(db, clock=clock) if uses is None else uses
        self._clock = clock
        self._checked: OrderedDict[bytes, str] = OrderedDict()

    async def begin(self, user: User, *, provider: str = "link", device: str = "") -> str:
        """Sign `user` in with a new session; returns the value for `PLATFORM_COOKIE`.

        `provider` is who said that it is them, `device` what they know the browser by. Whoever is on the way out gets
        in, to be asked whether they stay. Raises `AccountSuspended`.
        """
        session_id = new_id("s")
        now = int(self._clock())

        def insert(connection: sqlite3.Connection) -> None:
            _refuse_suspended(connection, user)
            connection.execute("DELETE FROM sessions WHERE expires_at <= ?", (now,))
            connection.execute(
                "INSERT INTO sessions (id, user_id, created_at, expires_at, last_seen_at, provider, device)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (session_id, user.id, now, now + SESSION_IDLE_S, now, provider, device),
            )
            entry = Entry(AuditAction.SIGNED_IN, doer_of(user), target=provider, detail=device)
            record(connection, entry, clock=self._clock)

        await self._db.write(insert)
        claims = {"iss": self._issuer, "sub": user.id, "jti": session_id, "iat": now, "exp": now + SESSION_LIFETIME_S}
        return jwt.encode({"alg": _ALGORITHM}, claims, self._key, algorithms=[_ALGORITHM])

    def platform_session(self, headers: Headers) -> Session | None:
        """The session that the platform cookies prove, of somebody who is not barred.

        Copies that prove nothing have no effect; two that prove different people are both refused, since nobody can
        tell which one was tossed.
        """
        session = self._session(headers)
        return None if session is None or session.user.is_barred else session

    def platform_user(self, headers: Headers) -> User | None:
        """The person signed in on the platform host."""
        session = self.platform_session(headers)
        return None if session is None else session.user

    def barred_user(self, headers: Headers) -> User | None:
        """Whom the platform cookies prove, if they are barred: to be told so, and for nothing else."""
        session = self._session(headers)
        return session.user if session is not None and session.user.is_barred else None

    def wiki_user(self, headers: Headers, wiki: Wiki) -> User | None:
        """The person signed in on that wiki's host; duplicates are treated as on the platform."""
        found = [user for value in cookie_values(headers, WIKI_COOKIE) if (user := self._wiki_user(value, wiki))]
        return found[0] if len({user.id for user in found}) == 1 else None

    async def end(self, headers: Headers) -> None:
        """Sign this browser out on the platform, and so on every wiki."""
        proven = [self._session_id(value) for value in cookie_values(headers, PLATFORM_COOKIE)]
        doomed = [session_id for session_id in proven if session_id is not None]

        def delete(connection: sqlite3.Connection) -> None:
            for session_id in doomed:
                sql = "DELETE FROM sessions WHERE id = ? RETURNING user_id, device"
                ended = connection.execute(sql, (session_id,)).fetchone()
                if ended is not None:
                    row = connection.execute(f"SELECT {USER_COLUMNS} FROM users WHERE id = ?", (ended["user_id"],))
                    doer = doer_of(user_of_row(row.fetchone()))
                    entry = Entry(AuditAction.SIGNED_OUT, doer, detail=ended["device"])
                    record(connection, entry, clock=self._clock)

        if doomed:
            await self._db.write(delete)

    async def end_all(self, user: User) -> None:
        """Sign `user` out in every browser, and so on every wiki."""
        sql = "DELETE FROM sessions WHERE user_id = ?"
        await self._db.write(lambda connection: connection.execute(sql, (user.id,)))

    async def end_on_wiki(self, headers: Headers, wiki: Wiki) -> None:
        """Sign this browser out on that wiki only: a script on a wiki's page must not sign anybody out elsewhere."""
        doomed = [(hash_secret(value), wiki.id) for value in cookie_values(headers, WIKI_COOKIE)]
        if doomed:
            sql = "DELETE FROM wiki_sessions WHERE secret_hash = ? AND wiki_id = ?"
            await self._db.write(lambda connection: connection.executemany(sql, doomed))

    def _session(self, headers: Headers) -> Session | None:
        found = [session for value in cookie_values(headers, PLATFORM_COOKIE) if (session := self._proven(value))]
        return found[0] if len({session.user.id for session in found}) == 1 else None

    def _proven(self, cookie: str) -> Session | None:
        session_id = self._session_id(cookie)
        if session_id is None:
            return None
        row = self._db.one(
            f"SELECT {USER_COLUMNS} FROM sessions JOIN users ON users.id = sessions.user_id"
            " WHERE sessions.id = ? AND sessions.expires_at > ?",
            (session_id, int(self._clock())),
        )
        if row is None:
            return None
        self._uses.note_row(_SEEN, session_id)
        return Session(session_id, user_of_row(row))

    def _wiki_user(self, secret: str, wiki: Wiki) -> User | None:
        row = self._db.one(
            f"SELECT {USER_COLUMNS}, sessions.id AS session_id FROM wiki_sessions"
            " JOIN sessions ON sessions.id = wiki_sessions.session_id"
            f" JOIN users ON users.id = sessions.user_id AND {NOT_BARRED}"
            " WHERE wiki_sessions.secret_hash = ? AND wiki_sessions.wiki_id = ? AND sessions.expires_at > ?",
            (hash_secret(secret), wiki.id, int(self._clock())),
        )
        if row is None:
            return None
        self._uses.note_row(_SEEN, row["session_id"])
        return user_of_row(row)

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


def _refuse_suspended(connection: sqlite3.Connection, user: User) -> None:
    row = connection.execute("SELECT suspended_at, suspended_why FROM users WHERE id = ?", (user.id,)).fetchone()
    if row is not None and row["suspended_at"] is not None:
        raise AccountSuspended(row["suspended_why"])


def insert_wiki_session(connection: sqlite3.Connection, secret: str, session_id: str, wiki_id: str, now: float) -> None:
    """Store a wiki session inside a transaction."""
    connection.execute(
        "INSERT INTO wiki_sessions (secret_hash, session_id, wiki_id, created_at) VALUES (?, ?, ?, ?)",
        (hash_secret(secret), session_id, wiki_id, int(now)),
    )


def end_wiki_sessions(connection: sqlite3.Connection, wiki_id: str) -> None:
    """Sign every browser out at a wiki, inside a transaction: the platform, which knows them still, signs them in anew.

    For when a host of the wiki's may be somebody else's from now on, whom its visitors' cookies are sent to.
    """
    for table in ("wiki_sessions", "handoffs"):
        connection.execute(f"DELETE FROM {table} WHERE wiki_id = ?", (wiki_id,))
