"""Which invitations wait for an answer, and whose they are: what making, answering and ending them share.

An invitation is for one identity or, as a link, for whoever opens it first. An account of this host is the identity of
the provider `robot` whose subject is the account's id. Functions run inside a transaction.
"""

# The only things put into SQL text here are constants of this module.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3

from robot.model import User, Wiki

OWN_ACCOUNTS = "robot"
"""The provider of identities that are accounts of this host."""

OPEN = "invitations.used_at IS NULL AND invitations.declined_at IS NULL AND invitations.withdrawn_at IS NULL"
"""The condition that nobody has answered or withdrawn it; whether it has expired is another matter."""

FOR_USER = (
    "(invitations.provider, invitations.subject) IN"
    f" (SELECT provider, subject FROM identities WHERE user_id = ?1 UNION ALL SELECT '{OWN_ACCOUNTS}', ?1)"
)
"""The condition that it is for the person whose id is the first parameter."""


def withdraw_made_by(connection: sqlite3.Connection, user: User, wiki: Wiki, now: float) -> None:
    """Withdraw what somebody invited others to in a wiki."""
    connection.execute(
        f"UPDATE invitations SET withdrawn_at = ?3 WHERE wiki_id = ?2 AND invited_by = ?1 AND {OPEN}",
        (user.id, wiki.id, int(now)),
    )


def withdraw_made_for(connection: sqlite3.Connection, user: User, wiki: Wiki, now: float) -> None:
    """Withdraw what somebody is invited to in a wiki."""
    connection.execute(
        f"UPDATE invitations SET withdrawn_at = ?3 WHERE wiki_id = ?2 AND {FOR_USER} AND {OPEN}",
        (user.id, wiki.id, int(now)),
    )
