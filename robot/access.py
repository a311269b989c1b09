"""Why was I refused? The one place that decides who may do what in a wiki.

| who | read | write | administer |
|---|---|---|---|
| anyone | public and unlisted wikis | | |
| viewer | yes | | |
| editor | yes | yes | |
| owner | yes | yes | yes |
| agent | what its person may, and its token says | the same | never |
"""

from __future__ import annotations

import sqlite3

from robot.db import Database
from robot.model import Action, Actor, Agent, Anonymous, Person, Role, Scope, User, Visibility, Wiki

_ROLES_THAT_MAY = {
    Action.READ: frozenset(Role),
    Action.WRITE: frozenset({Role.OWNER, Role.EDITOR}),
    Action.ADMINISTER: frozenset({Role.OWNER}),
}
_SCOPE_FOR = {Action.READ: Scope.READ, Action.WRITE: Scope.WRITE}


def may(actor: Actor, action: Action, wiki: Wiki) -> bool:
    """Whether `actor` may do `action` in `wiki`. Pure: roles and scopes were looked up when the actor was made."""
    match actor:
        case Anonymous():
            return _anyone_may(action, wiki)
        case Person(role=role):
            return role in _ROLES_THAT_MAY[action] or _anyone_may(action, wiki)
        case Agent(role=role, token=token):
            if token.wiki_id != wiki.id or _SCOPE_FOR.get(action) not in token.scopes:
                return False
            return role in _ROLES_THAT_MAY[action] or _anyone_may(action, wiki)


def _anyone_may(action: Action, wiki: Wiki) -> bool:
    return action is Action.READ and wiki.visibility is not Visibility.PRIVATE


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
    """Take away the role of `user` in `wiki`; their tokens for it work no more."""

    def delete(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM tokens WHERE wiki_id = ? AND user_id = ?", (wiki.id, user.id))
        connection.execute("DELETE FROM grants WHERE wiki_id = ? AND user_id = ?", (wiki.id, user.id))

    await db.write(delete)
