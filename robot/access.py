"""Why was I refused? The one place that decides who may do what in a wiki.

| who | read | write | administer |
|---|---|---|---|
| anyone | public and unlisted wikis | | |
| viewer | yes | | |
| editor | yes | yes | |
| owner | yes | yes | yes |
| agent | what its person may, and its credential says | the same | never |

Nobody writes in a frozen wiki. A credential may reach one folder only (`folder_of`): then `contents.reachable` sees to
it that nothing else is read or written, and git, which gives wikis whole, is refused.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from robot.accounts import NOT_BARRED, USER_COLUMNS, user_of_row
from robot.clock import Clock, wall_clock
from robot.db import Database
from robot.model import Action, Actor, Agent, Anonymous, Connection, Person, Role, Scope, User, Visibility, Wiki
from robot.wikis import IN_SERVICE

_ROLES_THAT_MAY = {
    Action.READ: frozenset(Role),
    Action.WRITE: frozenset({Role.OWNER, Role.EDITOR}),
    Action.ADMINISTER: frozenset({Role.OWNER}),
}
_SCOPE_FOR = {Action.READ: Scope.READ, Action.WRITE: Scope.WRITE}


def may(actor: Actor, action: Action, wiki: Wiki) -> bool:
    """Whether `actor` may do `action` in `wiki`. Pure: roles and scopes were looked up when the actor was made."""
    if wiki.is_frozen and action is Action.WRITE:
        return False
    match actor:
        case Anonymous():
            return _anyone_may(action, wiki)
        case Person(role=role):
            return role in _ROLES_THAT_MAY[action] or _anyone_may(action, wiki)
        case Agent(role=role, credential=credential):
            if credential.wiki_id != wiki.id or _SCOPE_FOR.get(action) not in credential.scopes:
                return False
            return role in _ROLES_THAT_MAY[action] or _anyone_may(action, wiki)


def may_once_granted(actor: Actor, action: Action, wiki: Wiki) -> bool:
    """Whether an agent is refused only because its person granted its connection too little: asking them would help.

    A token is made for good, and who is confined to a folder was confined on purpose.
    """
    match actor:
        case Agent(credential=Connection(prefix=None) as connection) if not may(actor, action, wiki):
            return may(replace(actor, credential=replace(connection, scopes=frozenset(Scope))), action, wiki)
        case _:
            return False


def folder_of(actor: Actor) -> str | None:
    """The folder that the actor is confined to, with a slash at its end; None is the whole wiki."""
    return actor.credential.prefix if isinstance(actor, Agent) else None


def _anyone_may(action: Action, wiki: Wiki) -> bool:
    return action is Action.READ and wiki.visibility is not Visibility.PRIVATE


def scopes_for(role: Role) -> frozenset[Scope]:
    """What a person of that role can let an agent do: never more than they may themselves."""
    return frozenset(scope for action, scope in _SCOPE_FOR.items() if role in _ROLES_THAT_MAY[action])


def role_of(db: Database, user_id: str, wiki_id: str) -> Role | None:
    """The role of that person in that wiki, in place."""
    row = db.one("SELECT role FROM grants WHERE wiki_id = ? AND user_id = ?", (wiki_id, user_id))
    return None if row is None else Role(row["role"])


def may_write_still(db: Database, user: User, wiki: Wiki) -> bool:
    """Whether who was let in to write a while ago would be now, in place; that the wiki is frozen its writer knows."""
    row = db.one(
        f"SELECT grants.role FROM grants JOIN users ON users.id = grants.user_id AND {NOT_BARRED}"  # noqa: S608  (a constant)
        f" JOIN wikis ON wikis.id = grants.wiki_id AND {IN_SERVICE}"
        " WHERE grants.wiki_id = ? AND grants.user_id = ?",
        (wiki.id, user.id),
    )
    return row is not None and Role(row["role"]) in _ROLES_THAT_MAY[Action.WRITE]


async def grant_role(db: Database, user: User, wiki: Wiki, role: Role, *, clock: Clock = wall_clock) -> None:
    """Give `user` that role in `wiki`, instead of any other. Asks nobody; `members` has the rules."""
    await db.write(lambda connection: put_role(connection, user.id, wiki.id, role, clock()))


def put_role(connection: sqlite3.Connection, user_id: str, wiki_id: str, role: Role, now: float) -> None:
    """Give a role inside a transaction."""
    connection.execute(
        "INSERT INTO grants (wiki_id, user_id, role, granted_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (wiki_id, user_id) DO UPDATE SET role = excluded.role",
        (wiki_id, user_id, role.value, int(now)),
    )


def drop_role(connection: sqlite3.Connection, user_id: str, wiki_id: str) -> None:
    """Take a role away inside a transaction, with all that lets the person's agents in."""
    for table in ("tokens", "connections", "oauth_codes", "grants"):
        connection.execute(f"DELETE FROM {table} WHERE wiki_id = ? AND user_id = ?", (wiki_id, user_id))  # noqa: S608  (constants)


def first_owner(db: Database, wiki: Wiki) -> User:
    """Who owned the wiki first, in place, of those who are not barred if there are any; a wiki always has an owner."""
    row = db.one(
        f"SELECT {USER_COLUMNS} FROM grants JOIN users ON users.id = grants.user_id"  # noqa: S608  (a constant)
        " WHERE grants.wiki_id = ? AND grants.role = 'owner'"
        " ORDER BY users.suspended_at IS NOT NULL OR users.leaving_at IS NOT NULL, grants.rowid",
        (wiki.id,),
    )
    if row is None:
        raise LookupError(f"wiki {wiki.id} has no owner")
    return user_of_row(row)
