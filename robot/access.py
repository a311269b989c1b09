"""Why was I refused? The one place that decides who may do what in a wiki.

| who | read | write | administer |
|---|---|---|---|
| anyone | public and unlisted wikis | | |
| viewer | yes | | |
| editor | yes | yes | |
| owner | yes | yes | yes |
| agent | what its person may, and its credential says | the same | never |

Nobody writes in a frozen wiki.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from robot.accounts import USER_COLUMNS, user_of_row
from robot.db import Database
from robot.model import Action, Actor, Agent, Anonymous, Connection, Person, Role, Scope, User, Visibility, Wiki

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


def _anyone_may(action: Action, wiki: Wiki) -> bool:
    return action is Action.READ and wiki.visibility is not Visibility.PRIVATE


def scopes_for(role: Role) -> frozenset[Scope]:
    """What a person of that role can let an agent do: never more than they may themselves."""
    return frozenset(scope for action, scope in _SCOPE_FOR.items() if role in _ROLES_THAT_MAY[action])


def role_of(db: Database, user_id: str, wiki_id: str) -> Role | None:
    """The role of that person in that wiki, in place."""
    row = db.one("SELECT role FROM grants WHERE wiki_id = ? AND user_id = ?", (wiki_id, user_id))
    return None if row is None else Role(row["role"])


async def grant_role(db: Database, user: User, wiki: Wiki, role: Role) -> None:
    """Give `user` that role in `wiki`, instead of any other."""

    def upsert(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO grants (wiki_id, user_id, role) VALUES (?, ?, ?)"
            " ON CONFLICT (wiki_id, user_id) DO UPDATE SET role = excluded.role",
            (wiki.id, user.id, role.value),
        )

    await db.write(upsert)


async def withdraw_role(db: Database, user: User, wiki: Wiki) -> None:
    """Take away the role of `user` in `wiki`; their agents get in no more."""

    def delete(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM tokens WHERE wiki_id = ? AND user_id = ?", (wiki.id, user.id))
        connection.execute("DELETE FROM connections WHERE wiki_id = ? AND user_id = ?", (wiki.id, user.id))
        connection.execute("DELETE FROM grants WHERE wiki_id = ? AND user_id = ?", (wiki.id, user.id))

    await db.write(delete)


def first_owner(db: Database, wiki: Wiki) -> User:
    """Who owned the wiki first, in place; a wiki always has an owner."""
    row = db.one(
        f"SELECT {USER_COLUMNS} FROM grants JOIN users ON users.id = grants.user_id"  # noqa: S608  (a constant)
        " WHERE grants.wiki_id = ? AND grants.role = 'owner' ORDER BY grants.rowid",
        (wiki.id,),
    )
    if row is None:
        raise LookupError(f"wiki {wiki.id} has no owner")
    return user_of_row(row)
