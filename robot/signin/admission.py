"""Whom this host lets make an account, as its operator set it."""

# The only things put into SQL text here are conditions of this package.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from robot.accounts import NOT_BARRED
from robot.clock import Clock, wall_clock
from robot.db import Database
from robot.open_invitations import OPEN
from robot.secret import hash_secret
from robot.signin.providers import Identity
from robot.wikis import IN_SERVICE

Policy = Literal["open", "invited", "closed"]

# To a wiki that was deleted nobody is invited any more, nor by somebody who owns it no more or is kept out.
_INVITED = (
    f"SELECT invitations.id FROM invitations JOIN wikis ON wikis.id = invitations.wiki_id AND {IN_SERVICE}"
    " JOIN grants ON grants.wiki_id = wikis.id AND grants.user_id = invitations.invited_by AND grants.role = 'owner'"
    f" JOIN users ON users.id = invitations.invited_by AND {NOT_BARRED}"
    f" WHERE invitations.expires_at > ?1 AND {OPEN} AND "
)
_BY_IDENTITY = f"{_INVITED} invitations.provider = ?2 AND invitations.subject = ?3"
_BY_LINK = f"{_INVITED} invitations.secret_hash = ?2 AND invitations.admitted_at IS NULL"


class NotAdmitted(Exception):
    """Nothing lets this person make an account (any more)."""


@dataclass(frozen=True, slots=True)
class Admission:
    """`operators` are the subjects of those who run this host: they get in whatever the policy is, as operators."""

    policy: Policy = "invited"
    operators: frozenset[str] = frozenset()

    def is_operator(self, identity: Identity) -> bool:
        """Whether the operator's settings name this identity."""
        return identity.subject in self.operators

    def may_sign_up(
        self, db: Database, identity: Identity, links: Sequence[str] = (), *, clock: Clock = wall_clock
    ) -> bool:
        """Whether somebody without an account may make one; `links` are secrets of invitations that they follow.

        Some point reads, in place.
        """
        if self.policy == "open" or self.is_operator(identity):
            return True
        return self.policy == "invited" and any(
            db.one(sql, params) is not None for sql, params in _askings(identity, links, int(clock()))
        )

    def admit(
        self, connection: sqlite3.Connection, identity: Identity, links: Sequence[str], *, clock: Clock = wall_clock
    ) -> None:
        """Let them make one, inside the transaction that makes it: a link lets in one person. Raises `NotAdmitted`."""
        if self.policy == "open" or self.is_operator(identity):
            return
        now = int(clock())
        for sql, params in _askings(identity, links, now) if self.policy == "invited" else ():
            invited = connection.execute(sql, params).fetchone()
            if invited is not None:
                if sql is _BY_LINK:
                    connection.execute("UPDATE invitations SET admitted_at = ? WHERE id = ?", (now, invited["id"]))
                return
        raise NotAdmitted


def _askings(identity: Identity, links: Sequence[str], now: int) -> Iterator[tuple[str, tuple[int | str | bytes, ...]]]:
    """The questions whether somebody is invited; an invitation of their own before one that others could use."""
    yield _BY_IDENTITY, (now, identity.provider, identity.subject)
    for link in links:
        yield _BY_LINK, (now, hash_secret(link))
