"""Authorization codes: a person's consent on its way to the client (RFC 6749, section 4.1; RFC 7636)."""

# The only things put into SQL text here are a column and a condition of this package.
# ruff: noqa: S608

from __future__ import annotations

import hmac
import sqlite3
from dataclasses import dataclass

from proxy.hosts import OwnDomain, WikiHost
from robot.access import scopes_for
from robot.accounts import NOT_BARRED
from robot.audit import AuditAction, Doer, Entry, record
from robot.clock import Clock, wall_clock
from robot.db import Database, Row
from robot.model import Role, Scope, User, Wiki
from robot.oauth.connections import scopes_of, stored_scopes
from robot.oauth.pairs import challenge_of, new_code
from robot.oauth.tokens import Fault, Issued, Lives, Refused, begin_family, end_connection
from robot.secret import hash_secret, new_id
from robot.wikis import DOMAIN_IN_FORCE, IN_SERVICE

CODE_LIFETIME_S = 60
MAX_CODES = 20
"""Codes of one person that are kept, used ones too, which must be known when they come again."""
MAX_CONNECTIONS = 100
"""Connections of one person; the one that was not used for the longest time makes room."""

_UNKNOWN = Refused(
    Fault.GRANT, "The code is unknown, was used, or is too old: each works once, for a minute. Ask for another."
)


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person allowed: that client, answered at `redirect_uri`, in one wiki. `challenge` is PKCE's, by S256."""

    user: User
    wiki: Wiki
    client_id: str
    client_name: str
    redirect_uri: str
    challenge: str
    scopes: frozenset[Scope]
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client shows for a code. `place` is of the wiki that it named, None when it named none."""

    client_id: str
    code: str
    redirect_uri: str
    verifier: str
    place: WikiHost | OwnDomain | None


async def issue_code(db: Database, consent: Consent, *, clock: Clock = wall_clock) -> str:
    """A code that stands for `consent`, once, within a minute."""
    code = new_code()

    def insert(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO oauth_codes (code_hash, wiki_id, user_id, client_id, client_name, redirect_uri, challenge,"
            " scopes, prefix, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                hash_secret(code),
                consent.wiki.id,
                consent.user.id,
                consent.client_id,
                consent.client_name,
                consent.redirect_uri,
                consent.challenge,
                stored_scopes(consent.scopes),
                consent.prefix,
                int(clock()) + CODE_LIFETIME_S,
            ),
        )
        connection.execute(
            "DELETE FROM oauth_codes WHERE code_hash IN (SELECT code_hash FROM oauth_codes WHERE user_id = ?"
            " ORDER BY expires_at DESC, rowid DESC LIMIT -1 OFFSET ?)",
            (consent.user.id, MAX_CODES),
        )

    await db.write(insert)
    return code


async def redeem_code(db: Database, shown: Shown, lives: Lives, *, clock: Clock = wall_clock) -> Issued | Refused:
    """Make the connection that a code stands for, or change the one that there is, and give it tokens.

    The code is gone after a wrong attempt, and known as used after a right one: when it comes again, the connection
    ends.
    """

    def redeem(connection: sqlite3.Connection) -> Issued | Refused:
        now = clock()
        row = connection.execute(
            f"SELECT oauth_codes.*, wikis.slug, {DOMAIN_IN_FORCE} AS domain, grants.role,"
            f" NOT ({NOT_BARRED}) AS is_barred FROM oauth_codes JOIN users ON users.id = oauth_codes.user_id"
            f" JOIN wikis ON wikis.id = oauth_codes.wiki_id AND {IN_SERVICE}"
            " LEFT JOIN grants ON grants.wiki_id = oauth_codes.wiki_id AND grants.user_id = oauth_codes.user_id"
            " WHERE oauth_codes.code_hash = ?",
            (hash_secret(shown.code),),
        ).fetchone()
        if row is None:
            return _UNKNOWN
        if row["connection_id"] is not None:
            end_connection(connection, row["connection_id"], "code", now)
            return _UNKNOWN
        refusal = judge_code(row, shown, now)
        if refusal is not None:
            connection.execute("DELETE FROM oauth_codes WHERE code_hash = ?", (row["code_hash"],))
            return refusal
        scopes = scopes_of(row["scopes"]) & scopes_for(Role(row["role"]))
        connection_id = _connect(connection, row, scopes, lives, now)
        _record(connection, row, scopes, clock)
        connection.execute(
            "UPDATE oauth_codes SET connection_id = ? WHERE code_hash = ?", (connection_id, row["code_hash"])
        )
        return begin_family(connection, connection_id, scopes, row["prefix"], lives, now)

    return await db.write(redeem)


def judge_code(row: Row, shown: Shown, now: float) -> Refused | None:
    """Why the code in `row` gives no tokens to whoever shows it so, or None (pure)."""
    if row["expires_at"] <= now:
        return _UNKNOWN
    if row["client_id"] != shown.client_id:
        return Refused(Fault.GRANT, "The code was given to another client.")
    if row["redirect_uri"] != shown.redirect_uri:
        return Refused(Fault.GRANT, "redirect_uri is not the one, letter by letter, that the code was asked with.")
    if not hmac.compare_digest(row["challenge"].encode(), challenge_of(shown.verifier).encode()):
        return Refused(Fault.GRANT, "code_verifier does not belong to the code_challenge that the code was asked with.")
    if shown.place not in (None, WikiHost(row["slug"]), OwnDomain(row["domain"])):
        return Refused(Fault.TARGET, "resource is not the wiki that the code was asked for.")
    if row["is_barred"]:
        return Refused(Fault.GRANT, "The person's account is suspended, or about to be deleted.")
    if row["role"] is None:
        return Refused(Fault.GRANT, "The person has no role in this wiki any more.")
    return None


def _record(connection: sqlite3.Connection, row: Row, scopes: frozenset[Scope], clock: Clock) -> None:
    """The client gets in now, as the person consented to."""
    person = connection.execute("SELECT display_name FROM users WHERE id = ?", (row["user_id"],)).fetchone()
    doer = Doer("person", row["user_id"], person["display_name"])
    may = "reads and writes" if Scope.WRITE in scopes else "reads"
    detail = may if row["prefix"] is None else f"{may} under {row['prefix']}"
    record(
        connection, Entry(AuditAction.AGENT_CONNECTED, doer, row["wiki_id"], row["client_name"], detail), clock=clock
    )


def _connect(connection: sqlite3.Connection, row: Row, scopes: frozenset[Scope], lives: Lives, now: float) -> str:
    """The id of the connection of this person, client and wiki, as the newest consent wants it."""
    found: tuple[str] = connection.execute(
        "INSERT INTO connections (id, wiki_id, user_id, client_id, client_name, redirect_uri, scopes, prefix,"
        " created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (user_id, client_id, wiki_id) DO UPDATE SET client_name = excluded.client_name,"
        " redirect_uri = excluded.redirect_uri, scopes = excluded.scopes, prefix = excluded.prefix,"
        " refused_at = NULL, ended_at = NULL, ended_why = NULL RETURNING id",
        (
            new_id("c"),
            row["wiki_id"],
            row["user_id"],
            row["client_id"],
            row["client_name"],
            row["redirect_uri"],
            stored_scopes(scopes),
            row["prefix"],
            int(now),
            int(now + lives.refresh_s),
        ),
    ).fetchone()
    connection.execute(
        "DELETE FROM connections WHERE id IN (SELECT id FROM connections WHERE user_id = ? AND id != ?"
        " ORDER BY ended_at IS NULL AND expires_at > ? DESC, coalesce(last_used_at, created_at) DESC"
        " LIMIT -1 OFFSET ?)",
        (row["user_id"], found[0], now, MAX_CONNECTIONS - 1),
    )
    return found[0]
