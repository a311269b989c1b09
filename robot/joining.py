"""Answering an invitation: what it offers, and accepting or declining it.

An invitation opens something only while it waits, its wiki is there, and the person who made it still owns the wiki and
gets in themselves. Whether it does is decided in the transaction that uses it, so of two who accept the same link one
comes too late.
"""

# The only things put into SQL text here are constants of this package.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from robot.access import put_role
from robot.accounts import NOT_BARRED
from robot.audit import AuditAction, Entry, doer_of, record
from robot.clock import Clock, moment, wall_clock
from robot.db import Database, Row
from robot.invitations import InvitationState, state_of
from robot.members import MAX_MEMBERS, MemberRefused, is_at_least
from robot.model import Role, User
from robot.open_invitations import FOR_USER, OPEN
from robot.ownership import refuse_another_wiki
from robot.secret import MAX_SECRET_CHARS, hash_secret
from robot.wikis import IN_SERVICE

_OFFERS = (
    "SELECT invitations.*, wikis.slug, wikis.name AS wiki_name, users.display_name AS inviter,"
    " users.name AS inviter_name,"
    f" {IN_SERVICE} AND grants.user_id IS NOT NULL AND {NOT_BARRED} AS is_good"
    " FROM invitations JOIN wikis ON wikis.id = invitations.wiki_id JOIN users ON users.id = invitations.invited_by"
    " LEFT JOIN grants ON grants.wiki_id = wikis.id AND grants.user_id = users.id AND grants.role = 'owner'"
)
_WHY_DEAD: Mapping[InvitationState, str] = {
    InvitationState.USED: "This invitation was accepted before, and it works once.",
    InvitationState.DECLINED: "This invitation was declined.",
    InvitationState.WITHDRAWN: "This invitation was withdrawn.",
    InvitationState.EXPIRED: "This invitation has expired.",
}
_GONE = "What this invitation leads to is not there any more, or whoever made it may not invite any more."


class InvitationDead(Exception):
    """The invitation opens nothing; the message is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What an invitation that waits offers. `inviter` and `inviter_name` are who made it, `shown` whom it is for."""

    id: str
    wiki_id: str
    slug: str
    wiki_name: str
    role: Role
    inviter: str
    inviter_name: str
    shown: str | None
    expires: datetime


@dataclass(frozen=True, slots=True)
class Joined:
    """Where somebody is now: the wiki's address, and the role that they have there."""

    slug: str
    role: Role


def offers_to(db: Database, user: User, *, clock: Clock = wall_clock) -> list[Offer]:
    """The invitations that wait for `user`'s answer, the newest first; in place."""
    rows = db.all(
        f"{_OFFERS} WHERE {OPEN} AND invitations.expires_at > ?2 AND is_good AND {FOR_USER}"
        " ORDER BY invitations.created_at DESC, invitations.id",
        (user.id, int(clock())),
    )
    return [_offer(row) for row in rows]


def find_offer(db: Database, user: User, invitation_id: str, *, clock: Clock = wall_clock) -> Offer | None:
    """The offer of that id to `user`; None for nobody's and somebody else's alike. Raises `InvitationDead`."""
    row = db.one(f"{_OFFERS} WHERE {FOR_USER} AND invitations.id = ?2", (user.id, invitation_id))
    return None if row is None else _live_offer(row, clock())


def find_linked_offer(db: Database, secret: str, *, clock: Clock = wall_clock) -> Offer | None:
    """What the link of that secret offers; None when no link has it. Raises `InvitationDead`."""
    if len(secret) > MAX_SECRET_CHARS:
        return None
    row = db.one(f"{_OFFERS} WHERE invitations.secret_hash = ?", (hash_secret(secret),))
    return None if row is None else _live_offer(row, clock())


async def accept_offer(
    db: Database, user: User, invitation_id: str, *, limit: int | None, clock: Clock = wall_clock
) -> Joined | None:
    """Accept the invitation of that id to `user`. `limit` is how many wikis a person may own.

    A higher role that they have already is kept. None when it is not for them. Raises `InvitationDead`,
    `MemberRefused`, `TooManyWikis`; the last two leave it as it was.
    """

    def find(connection: sqlite3.Connection) -> Row | None:
        row: Row | None = connection.execute(
            f"{_OFFERS} WHERE {FOR_USER} AND invitations.id = ?2", (user.id, invitation_id)
        ).fetchone()
        return row

    return await db.write(lambda connection: _accept(connection, user, find, limit, clock))


async def accept_linked_offer(
    db: Database, user: User, secret: str, *, limit: int | None, clock: Clock = wall_clock
) -> Joined | None:
    """As `accept_offer`, for whoever has the link. One who has as high a role already leaves it to others."""

    def find(connection: sqlite3.Connection) -> Row | None:
        row: Row | None = connection.execute(
            f"{_OFFERS} WHERE invitations.secret_hash = ?", (hash_secret(secret),)
        ).fetchone()
        return row

    return await db.write(lambda connection: _accept(connection, user, find, limit, clock))


async def decline_offer(db: Database, user: User, invitation_id: str, *, clock: Clock = wall_clock) -> bool:
    """Decline an invitation to `user`. False when there is none to decline."""

    def decline(connection: sqlite3.Connection) -> bool:
        row = connection.execute(
            f"UPDATE invitations SET declined_at = ?3 WHERE id = ?2 AND {OPEN} AND {FOR_USER} RETURNING wiki_id, role",
            (user.id, invitation_id, int(clock())),
        ).fetchone()
        if row is not None:
            entry = Entry(AuditAction.INVITATION_DECLINED, doer_of(user), row["wiki_id"], row["role"])
            record(connection, entry, clock=clock)
        return row is not None

    return await db.write(decline)


def _accept(
    connection: sqlite3.Connection,
    user: User,
    find: Callable[[sqlite3.Connection], Row | None],
    limit: int | None,
    clock: Clock,
) -> Joined | None:
    row = find(connection)
    if row is None:
        return None
    held = _role_in(connection, row["wiki_id"], user)
    if row["used_by"] == user.id and held is not None:
        return Joined(row["slug"], held)  # the button was pressed twice
    offer = _live_offer(row, clock())
    if held is not None and is_at_least(held, offer.role):
        if offer.shown is not None:
            _set_used(connection, offer, user, clock)
        return Joined(offer.slug, held)
    if held is None:
        _refuse_when_full(connection, offer)
    if offer.role is Role.OWNER:
        refuse_another_wiki(connection, user, limit)
    put_role(connection, user.id, offer.wiki_id, offer.role, clock())
    _set_used(connection, offer, user, clock)
    _answer_weaker(connection, offer, user, clock)
    record(connection, Entry(AuditAction.MEMBER_JOINED, doer_of(user), offer.wiki_id, offer.role.value), clock=clock)
    return Joined(offer.slug, offer.role)


def _set_used(connection: sqlite3.Connection, offer: Offer, user: User, clock: Clock) -> None:
    connection.execute(
        "UPDATE invitations SET used_at = ?, used_by = ? WHERE id = ?", (int(clock()), user.id, offer.id)
    )


def _answer_weaker(connection: sqlite3.Connection, offer: Offer, user: User, clock: Clock) -> None:
    """What else waits for this person and offers no more than they have now is answered with it."""
    rows = connection.execute(
        f"SELECT id, role FROM invitations WHERE wiki_id = ?2 AND {FOR_USER} AND {OPEN}", (user.id, offer.wiki_id)
    ).fetchall()
    answered = [(int(clock()), user.id, row["id"]) for row in rows if is_at_least(offer.role, Role(row["role"]))]
    connection.executemany("UPDATE invitations SET used_at = ?, used_by = ? WHERE id = ?", answered)


def _role_in(connection: sqlite3.Connection, wiki_id: str, user: User) -> Role | None:
    row = connection.execute("SELECT role FROM grants WHERE wiki_id = ? AND user_id = ?", (wiki_id, user.id)).fetchone()
    return None if row is None else Role(row["role"])


def _refuse_when_full(connection: sqlite3.Connection, offer: Offer) -> None:
    (members,) = connection.execute("SELECT count(*) FROM grants WHERE wiki_id = ?", (offer.wiki_id,)).fetchone()
    if members >= MAX_MEMBERS:
        raise MemberRefused(f"{members} people have a role in {offer.wiki_name}, and there may be no more.")


def _live_offer(row: Row, now: float) -> Offer:
    state = state_of(row, now)
    if state is not InvitationState.WAITING:
        raise InvitationDead(_WHY_DEAD[state])
    if not row["is_good"]:
        raise InvitationDead(_GONE)
    return _offer(row)


def _offer(row: Row) -> Offer:
    return Offer(
        row["id"],
        row["wiki_id"],
        row["slug"],
        row["wiki_name"],
        Role(row["role"]),
        row["inviter"],
        row["inviter_name"],
        row["handle"],
        moment(row["expires_at"]),
    )
