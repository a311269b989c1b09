"""Who has which role in a wiki, and the rules of changing that.

* Only an owner gives and takes roles; anybody may leave.
* A wiki always has an owner who can sign in: the last one hands it over before they go.
* Whoever loses a role loses it for their agents in the same transaction. Whoever is lowered keeps credentials, which
  never allow more than the role does (`access.may`).
* Whoever stops being an owner takes along the invitations that they made, and whoever loses the role those that wait
  for them: nobody lets themselves in again.
"""

# The only things put into SQL text here are column lists of this package.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from robot.access import drop_role, put_role
from robot.accounts import NOT_BARRED, USER_COLUMNS, user_of_row
from robot.audit import AuditAction, Entry, doer_of, record
from robot.clock import Clock, moment, wall_clock
from robot.db import Database
from robot.model import Role, User, Wiki
from robot.open_invitations import withdraw_made_by, withdraw_made_for
from robot.ownership import refuse_another_wiki

MAX_MEMBERS = 500
"""People in one wiki; it bounds what one page lists."""

_STRENGTH = {Role.OWNER: 0, Role.EDITOR: 1, Role.VIEWER: 2}


class MemberRefused(Exception):
    """A role was not changed; the message is a sentence that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Member:
    """A person in a wiki. `handle` is their proved one, if any; `since` is None where nobody noted it."""

    user: User
    role: Role
    handle: str | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rules know of a person in a wiki. Who is suspended, or leaves this host, is not `active`."""

    role: Role
    is_active: bool = True


def find_objection(standings: Mapping[str, Standing], actor_id: str, target_id: str, role: Role | None) -> str | None:
    """Why `actor_id` may not give `target_id` that role (None: no role any more), or None. Pure."""
    target, actor = standings.get(target_id), standings.get(actor_id)
    if target is None:
        return "This person has no role in the wiki any more."
    is_leaving = actor_id == target_id and role is None
    if not is_leaving and (actor is None or actor.role is not Role.OWNER):
        return "Only an owner of a wiki decides who has which role in it."
    others = (standing for user_id, standing in standings.items() if user_id != target_id)
    if target.role is Role.OWNER and role is not Role.OWNER:
        if any(standing.role is Role.OWNER and standing.is_active for standing in others):
            return None
        whose = "You are" if actor_id == target_id else "This person is"
        return f"{whose} the only owner. Transfer the wiki to somebody else first, or make them an owner too."
    return None


def is_at_least(held: Role, wanted: Role) -> bool:
    """Whether a role allows all that another does."""
    return _STRENGTH[held] <= _STRENGTH[wanted]


async def list_members(db: Database, wiki: Wiki) -> list[Member]:
    """Everybody with a role, owners first, then by name."""
    rows = await db.scan(
        f"SELECT {USER_COLUMNS}, grants.role, grants.granted_at, (SELECT handle FROM identities"
        " WHERE identities.user_id = users.id AND handle IS NOT NULL ORDER BY last_used_at DESC LIMIT 1) AS handle"
        " FROM grants JOIN users ON users.id = grants.user_id WHERE grants.wiki_id = ?",
        (wiki.id,),
    )
    members = [
        Member(
            user_of_row(row),
            Role(row["role"]),
            row["handle"],
            None if row["granted_at"] is None else moment(row["granted_at"]),
        )
        for row in rows
    ]
    return sorted(members, key=lambda each: (_STRENGTH[each.role], each.user.display_name.casefold(), each.user.name))


def find_member(db: Database, wiki: Wiki, user_id: str) -> tuple[User, Role] | None:
    """The person of that id with their role in `wiki`, in place."""
    row = db.one(
        f"SELECT {USER_COLUMNS}, grants.role FROM grants JOIN users ON users.id = grants.user_id"
        " WHERE grants.wiki_id = ? AND grants.user_id = ?",
        (wiki.id, user_id),
    )
    return None if row is None else (user_of_row(row), Role(row["role"]))


async def change_role(
    db: Database, wiki: Wiki, actor: User, target: User, role: Role, *, limit: int | None, clock: Clock = wall_clock
) -> None:
    """Give `target` another role. `limit` is how many wikis a person may own.

    Raises `MemberRefused`, `TooManyWikis`.
    """

    def change(connection: sqlite3.Connection) -> None:
        held = _refuse(connection, wiki, actor, target, role)
        if held is role:
            return
        if role is Role.OWNER:
            refuse_another_wiki(connection, target, limit, named=target.display_name)
        put_role(connection, target.id, wiki.id, role, clock())
        if held is Role.OWNER:
            withdraw_made_by(connection, target, wiki, clock())
        _note(connection, AuditAction.ROLE_CHANGED, wiki, actor, f"{target.display_name}: {role.value}", clock)

    await db.write(change)


async def remove_member(db: Database, wiki: Wiki, actor: User, target: User, *, clock: Clock = wall_clock) -> None:
    """Take the role of `target` away; `actor` and `target` are the same where somebody leaves.

    Raises `MemberRefused`.
    """

    def remove(connection: sqlite3.Connection) -> None:
        _refuse(connection, wiki, actor, target, None)
        drop_role(connection, target.id, wiki.id)
        withdraw_made_by(connection, target, wiki, clock())
        withdraw_made_for(connection, target, wiki, clock())
        if actor.id == target.id:
            _note(connection, AuditAction.MEMBER_LEFT, wiki, actor, "", clock)
        else:
            _note(connection, AuditAction.MEMBER_REMOVED, wiki, actor, target.display_name, clock)

    await db.write(remove)


async def transfer_ownership(
    db: Database, wiki: Wiki, actor: User, target: User, *, limit: int | None, clock: Clock = wall_clock
) -> None:
    """Make the member `target` an owner and `actor`, who is one, an editor: both or neither.

    Raises `MemberRefused`, `TooManyWikis`.
    """

    def transfer(connection: sqlite3.Connection) -> None:
        held = _refuse(connection, wiki, actor, target, Role.OWNER)
        if actor.id == target.id:
            raise MemberRefused("The wiki is yours already.")
        if not _standings(connection, wiki)[target.id].is_active:
            raise MemberRefused("This person's account is suspended or about to be deleted.")
        if held is not Role.OWNER:
            refuse_another_wiki(connection, target, limit, named=target.display_name)
        put_role(connection, target.id, wiki.id, Role.OWNER, clock())
        put_role(connection, actor.id, wiki.id, Role.EDITOR, clock())
        withdraw_made_by(connection, actor, wiki, clock())
        _note(connection, AuditAction.OWNERSHIP_TRANSFERRED, wiki, actor, target.display_name, clock)

    await db.write(transfer)


def _refuse(connection: sqlite3.Connection, wiki: Wiki, actor: User, target: User, role: Role | None) -> Role:
    """The role that `target` holds; raises `MemberRefused` where the rules object, by what is true in here."""
    standings = _standings(connection, wiki)
    objection = find_objection(standings, actor.id, target.id, role)
    if objection is not None:
        raise MemberRefused(objection)
    return standings[target.id].role


def _standings(connection: sqlite3.Connection, wiki: Wiki) -> dict[str, Standing]:
    rows = connection.execute(
        f"SELECT grants.user_id, grants.role, {NOT_BARRED} AS is_active"
        " FROM grants JOIN users ON users.id = grants.user_id WHERE grants.wiki_id = ?",
        (wiki.id,),
    )
    return {row["user_id"]: Standing(Role(row["role"]), bool(row["is_active"])) for row in rows}


def _note(
    connection: sqlite3.Connection, action: AuditAction, wiki: Wiki, actor: User, target: str, clock: Clock
) -> None:
    record(connection, Entry(action, doer_of(actor), wiki.id, target), clock=clock)
