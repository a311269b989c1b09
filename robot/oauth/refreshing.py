"""Refresh tokens: each is replaced when it is used, and what comes back later gives a theft away (RFC 9700, 4.14.2)."""

# The only things put into SQL text here are a column and a condition of this package.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace

from proxy.hosts import OwnDomain, WikiHost
from robot.access import scopes_for
from robot.accounts import NOT_BARRED
from robot.clock import Clock, wall_clock
from robot.db import Database, Row
from robot.model import Role, Scope
from robot.oauth.connections import scopes_of
from robot.oauth.pairs import family_of
from robot.oauth.tokens import GRACE_S, Fault, Issued, Lives, Refused, end_connection, next_pair, overlap
from robot.secret import hash_secret
from robot.wikis import DOMAIN_IN_FORCE, IN_SERVICE

_UNKNOWN = Refused(
    Fault.GRANT, "The refresh token is unknown, expired or revoked. Send the person to the authorization page again."
)


@dataclass(frozen=True, slots=True)
class ShownRefresh:
    """What a client shows to have tokens replaced. `place` is of the wiki that it named, None when it named none."""

    client_id: str
    refresh_token: str
    scopes: frozenset[Scope]
    place: WikiHost | OwnDomain | None


async def refresh(db: Database, shown: ShownRefresh, lives: Lives, *, clock: Clock = wall_clock) -> Issued | Refused:
    """Replace a refresh token by the next pair.

    A replaced one that comes within its grace gets the same pair again. One that comes later ends the connection.
    A narrower `scope` is allowed to be asked for, and the answer names the scopes that were given, which are all.
    """

    def turn(connection: sqlite3.Connection) -> Issued | Refused:
        now = clock()
        row = _find(connection, shown.refresh_token)
        if row is None:
            _end_what_outlived(connection, shown, now)
            return _UNKNOWN
        if row["client_id"] != shown.client_id:
            return _UNKNOWN
        if row["replaced_at"] is not None and row["replaced_at"] + GRACE_S <= now:
            end_connection(connection, row["connection_id"], "refresh", now)
            return _UNKNOWN
        refusal = judge_refresh(row, shown, now)
        if refusal is None:
            issued = next_pair(connection, row, shown.refresh_token, lives, now)
            return _UNKNOWN if issued is None else replace(issued, scopes=issued.scopes & _allowed_now(row))
        connection.execute(
            "UPDATE connections SET refused_at = ? WHERE id = ?",
            (int(now), row["connection_id"]),
        )
        return refusal

    return await db.write(turn)


def judge_refresh(row: Row, shown: ShownRefresh, now: float) -> Refused | None:
    """Why the refresh token in `row` is not replaced for whoever shows it so, or None (pure)."""
    if row["refresh_expires_at"] <= now:
        return _UNKNOWN
    if not row["is_there"]:
        # It can be had back, and the connection with it.
        return Refused(Fault.GRANT, "The wiki has been deleted.")
    if shown.place not in (None, WikiHost(row["slug"]), OwnDomain(row["domain"])):
        return Refused(Fault.TARGET, "resource is not the wiki that the refresh token is for.")
    if not shown.scopes <= scopes_of(row["scopes"]):
        return Refused(Fault.SCOPE, "More is asked for than was granted; for that, ask the person again.")
    if not overlap(row["prefix"], row["consented_prefix"]):
        return Refused(Fault.GRANT, "The person has let the client into another folder since; ask them again.")
    if row["is_barred"]:
        return Refused(Fault.GRANT, "The person's account is suspended, or about to be deleted.")
    if row["role"] is None:
        return Refused(Fault.GRANT, "The person has no role in this wiki any more.")
    return None


async def revoke(db: Database, client_id: str, token: str) -> Refused | None:
    """Take back the family of a refresh or access token of that client, and a connection that has no other (RFC 7009).

    A token that is unknown is as good as revoked.
    """

    def delete(connection: sqlite3.Connection) -> Refused | None:
        row = connection.execute(
            "SELECT oauth_tokens.family, oauth_tokens.connection_id, connections.client_id FROM oauth_tokens"
            " JOIN connections ON connections.id = oauth_tokens.connection_id"
            " WHERE oauth_tokens.refresh_hash = ?1 OR oauth_tokens.access_hash = ?1",
            (hash_secret(token),),
        ).fetchone()
        if row is None:
            return None
        if row["client_id"] != client_id:
            return Refused(Fault.GRANT, "The token was given to another client.")
        connection.execute(
            "DELETE FROM oauth_tokens WHERE connection_id = ? AND family = ?", (row["connection_id"], row["family"])
        )
        connection.execute(
            "DELETE FROM connections WHERE id = ?1"
            " AND NOT EXISTS (SELECT 1 FROM oauth_tokens WHERE connection_id = ?1)",
            (row["connection_id"],),
        )
        return None

    return await db.write(delete)


def _end_what_outlived(connection: sqlite3.Connection, shown: ShownRefresh, now: float) -> None:
    """End the connection in which the family of an unknown token lives on.

    Its row is gone because so many have followed since (`MAX_PAIRS`), as when a thief renews until nobody would know
    the token that was stolen; or because it is older than any token lives.
    """
    found = connection.execute(
        "SELECT connections.id FROM oauth_tokens JOIN connections ON connections.id = oauth_tokens.connection_id"
        " WHERE oauth_tokens.family = ? AND connections.client_id = ? LIMIT 1",
        (family_of(shown.refresh_token), shown.client_id),
    ).fetchone()
    if found is not None:
        end_connection(connection, found[0], "refresh", now)


def _allowed_now(row: Row) -> frozenset[Scope]:
    return scopes_of(row["consented"]) & scopes_for(Role(row["role"]))


def _find(connection: sqlite3.Connection, refresh_token: str) -> Row | None:
    found: Row | None = connection.execute(
        "SELECT oauth_tokens.*, connections.client_id, connections.scopes AS consented,"
        f" connections.prefix AS consented_prefix, wikis.slug, {DOMAIN_IN_FORCE} AS domain, grants.role,"
        f" NOT ({NOT_BARRED}) AS is_barred, {IN_SERVICE} AS is_there"
        " FROM oauth_tokens JOIN connections ON connections.id = oauth_tokens.connection_id"
        " JOIN users ON users.id = connections.user_id"
        " JOIN wikis ON wikis.id = connections.wiki_id"
        " LEFT JOIN grants ON grants.wiki_id = connections.wiki_id AND grants.user_id = connections.user_id"
        " WHERE oauth_tokens.refresh_hash = ?",
        (hash_secret(refresh_token),),
    ).fetchone()
    return found
