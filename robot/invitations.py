"""Invitations into a wiki as its owners make, see and withdraw them. Answering them is `joining`.

One that is not a link is for an identity, which is what its provider never gives to another person (a DID), not for the
handle that was typed: who holds the handle later gets nothing.
"""

# The only things put into SQL text here are constants of this package.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from robot.audit import AuditAction, Entry, doer_of, record
from robot.clock import Clock, moment, wall_clock
from robot.db import Database, Row
from robot.members import MAX_MEMBERS, MemberRefused, is_at_least
from robot.model import Role, User, Wiki
from robot.open_invitations import OPEN, OWN_ACCOUNTS
from robot.secret import hash_secret, new_id, new_secret

DAY_S = 24 * 3600
LIFETIMES_DAYS = (1, 7, 30)
MAX_OPEN = 50
"""Invitations of one wiki that wait for an answer."""

LINK_ROLES = (Role.EDITOR, Role.VIEWER)
"""What a link can make somebody: a wiki is not given to whoever comes first."""

# How long one that has expired is told of, to its owner and to whoever opens it.
_KEPT_S = 30 * DAY_S


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom an invitation is for; `shown` is what they were called when they were invited, as `@ada.example.org`."""

    provider: str
    subject: str
    shown: str


class InvitationState(StrEnum):
    """What became of an invitation."""

    WAITING = "waiting"
    USED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation as listed. `shown` is None for a link; `used_by` is who accepted it."""

    id: str
    role: Role
    shown: str | None
    invited_by: str
    created: datetime
    expires: datetime
    state: InvitationState
    used_by: str | None


async def invite_identity(
    db: Database, wiki: Wiki, inviter: User, addressee: Addressee, role: Role, *, clock: Clock = wall_clock
) -> None:
    """Invite one identity for 30 days, in place of an earlier invitation of theirs. Raises `MemberRefused`."""
    now = int(clock())

    def invite(connection: sqlite3.Connection) -> None:
        _refuse(connection, wiki, inviter, now)
        held = _role_of(connection, wiki, addressee)
        if held is not None and is_at_least(held, role):
            raise MemberRefused(f"{addressee.shown} is {held.value} of this wiki already.")
        connection.execute(
            f"UPDATE invitations SET withdrawn_at = ? WHERE wiki_id = ? AND provider = ? AND subject = ? AND {OPEN}",
            (now, wiki.id, addressee.provider, addressee.subject),
        )
        connection.execute(
            "INSERT INTO invitations (id, wiki_id, role, provider, subject, handle, invited_by, created_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                new_id("i"),
                wiki.id,
                role.value,
                addressee.provider,
                addressee.subject,
                addressee.shown,
                inviter.id,
                now,
                now + max(LIFETIMES_DAYS) * DAY_S,
            ),
        )
        _note(connection, AuditAction.INVITED, wiki, inviter, f"{addressee.shown} as {role.value}", clock)

    await db.write(invite)


async def invite_by_link(
    db: Database, wiki: Wiki, inviter: User, role: Role, days: int, *, clock: Clock = wall_clock
) -> str:
    """Make a secret that lets the first who accepts it in, within `days`; it is stored nowhere.

    Raises `MemberRefused`.
    """
    if role not in LINK_ROLES:
        raise MemberRefused("A link cannot make somebody an owner. Invite them by handle or user name.")
    if days not in LIFETIMES_DAYS:
        raise MemberRefused("Choose how long the link can be used.")
    secret, now = new_secret(), int(clock())

    def invite(connection: sqlite3.Connection) -> None:
        _refuse(connection, wiki, inviter, now)
        connection.execute(
            "INSERT INTO invitations (id, wiki_id, role, secret_hash, invited_by, created_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (new_id("i"), wiki.id, role.value, hash_secret(secret), inviter.id, now, now + days * DAY_S),
        )
        _note(connection, AuditAction.INVITED, wiki, inviter, f"whoever has a link, as {role.value}", clock)

    await db.write(invite)
    return secret


async def withdraw_invitation(
    db: Database, wiki: Wiki, actor: User, invitation_id: str, *, clock: Clock = wall_clock
) -> bool:
    """Let an invitation of this wiki open nothing any more. False when nobody waits for an answer to it."""

    def withdraw(connection: sqlite3.Connection) -> bool:
        row = connection.execute(
            f"UPDATE invitations SET withdrawn_at = ? WHERE id = ? AND wiki_id = ? AND {OPEN} RETURNING handle",
            (int(clock()), invitation_id, wiki.id),
        ).fetchone()
        if row is not None:
            shown = row["handle"] or "whoever has a link"
            _note(connection, AuditAction.INVITATION_WITHDRAWN, wiki, actor, shown, clock)
        return row is not None

    return await db.write(withdraw)


async def list_invitations(db: Database, wiki: Wiki, *, clock: Clock = wall_clock) -> list[Invitation]:
    """The invitations into a wiki, those that wait first, then the newest first."""
    rows = await db.scan(
        "SELECT invitations.*, inviters.display_name AS inviter, users.display_name AS user FROM invitations"
        " JOIN users AS inviters ON inviters.id = invitations.invited_by"
        " LEFT JOIN users ON users.id = invitations.used_by"
        " WHERE invitations.wiki_id = ? ORDER BY invitations.created_at DESC, invitations.id LIMIT ?",
        (wiki.id, MAX_OPEN * 4),
    )
    found = [
        Invitation(
            row["id"],
            Role(row["role"]),
            row["handle"],
            row["inviter"],
            moment(row["created_at"]),
            moment(row["expires_at"]),
            state_of(row, clock()),
            row["user"],
        )
        for row in rows
    ]
    return sorted(found, key=lambda each: each.state is not InvitationState.WAITING)


def state_of(row: Row, now: float) -> InvitationState:
    """What became of the invitation of a row. What it was answered with counts, also when its time is over."""
    if row["used_at"] is not None:
        return InvitationState.USED
    if row["declined_at"] is not None:
        return InvitationState.DECLINED
    if row["withdrawn_at"] is not None:
        return InvitationState.WITHDRAWN
    return InvitationState.EXPIRED if row["expires_at"] <= now else InvitationState.WAITING


def _refuse(connection: sqlite3.Connection, wiki: Wiki, inviter: User, now: int) -> None:
    """Raise `MemberRefused` unless this person may invite into this wiki once more."""
    connection.execute("DELETE FROM invitations WHERE expires_at <= ?", (now - _KEPT_S,))
    role = connection.execute(
        "SELECT role FROM grants WHERE wiki_id = ? AND user_id = ?", (wiki.id, inviter.id)
    ).fetchone()
    if role is None or role["role"] != Role.OWNER:
        raise MemberRefused("Only an owner of a wiki invites others into it.")
    (waiting,) = connection.execute(
        f"SELECT count(*) FROM invitations WHERE wiki_id = ? AND expires_at > ? AND {OPEN}", (wiki.id, now)
    ).fetchone()
    if waiting >= MAX_OPEN:
        raise MemberRefused(f"{waiting} invitations wait for an answer, and there may be no more. Withdraw some first.")
    (members,) = connection.execute("SELECT count(*) FROM grants WHERE wiki_id = ?", (wiki.id,)).fetchone()
    if members >= MAX_MEMBERS:
        raise MemberRefused(f"{members} people have a role in this wiki, and there may be no more.")


def _role_of(connection: sqlite3.Connection, wiki: Wiki, addressee: Addressee) -> Role | None:
    """The role that the person of that identity has already."""
    row = connection.execute(
        "SELECT role FROM grants WHERE wiki_id = ?1 AND user_id = CASE WHEN ?2 = ?4 THEN ?3 ELSE"
        " (SELECT user_id FROM identities WHERE provider = ?2 AND subject = ?3) END",
        (wiki.id, addressee.provider, addressee.subject, OWN_ACCOUNTS),
    ).fetchone()
    return None if row is None else Role(row["role"])


def _note(
    connection: sqlite3.Connection, action: AuditAction, wiki: Wiki, actor: User, target: str, clock: Clock
) -> None:
    record(connection, Entry(action, doer_of(actor), wiki.id, target), clock=clock)
