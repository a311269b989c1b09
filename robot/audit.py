"""Who did what to which wiki or account: settings, people, credentials. What is in the pages is in git.

An entry is written in the transaction that does the deed, so that both are there or neither is. It names things and
says of which kind they are; no secret, no text that somebody wrote and no address of a network is in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

import trio

from robot.clock import Clock, moment, steady_clock, wall_clock
from robot.db import Database, Row
from robot.due import DueClock
from robot.model import Actor, Agent, Anonymous, Person, User, Wiki
from robot.rounds import go_round

SWEEP_EVERY_S = 6 * 3600
DAY_S = 86_400

_MAX_CHARS = 200

DoerKind = Literal["person", "agent", "operator", "robot"]


class AuditAction(StrEnum):
    """What can be done, with the words for it: after the doer's name, with the target in its place."""

    words: str

    def __new__(cls, code: str, words: str) -> AuditAction:
        member = str.__new__(cls, code)
        member._value_ = code
        member.words = words
        return member

    SIGNED_IN = "signed_in", "signed in"
    SIGNED_UP = "signed_up", "made the account {target}"
    IDENTITY_LINKED = "identity_linked", "connected {target} to sign in with"
    IDENTITY_REMOVED = "identity_removed", "removed {target} to sign in with"
    SIGNED_OUT = "signed_out", "signed out"
    WIKI_CREATED = "wiki_created", "created the wiki {target}"
    WIKI_RESTORED = "wiki_restored", "restored the wiki {target} from a backup"
    WIKI_CLONED = "wiki_cloned", "made the wiki as a copy of {target}"
    WIKI_DELETED = "wiki_deleted", "deleted the wiki {target}"
    SETTINGS_CHANGED = "settings_changed", "changed the settings: {target}"
    VISIBILITY_CHANGED = "visibility_changed", "made the wiki {target}"
    GIT_SWITCHED = "git_switched", "switched git {target}"
    FROZEN = "frozen", "made the wiki read-only"
    UNFROZEN = "unfrozen", "let the wiki be written again"
    WIKI_TAKEN_DOWN = "wiki_taken_down", "took the wiki {target} down"
    WIKI_PUT_UP = "wiki_put_up", "put the wiki {target} up again"
    WIKI_SEALED = "wiki_sealed", "kept a sealed copy: {target}"
    DOMAIN_ASKED_FOR = "domain_asked_for", "asked for the domain {target}"
    DOMAIN_IN_FORCE = "domain_in_force", "put the domain {target} in force"
    DOMAIN_SWITCHED_OFF = "domain_switched_off", "switched the domain {target} off"
    DOMAIN_REMOVED = "domain_removed", "removed the domain {target}"
    QUOTA_CHANGED = "quota_changed", "changed how much the wiki may hold: {target}"
    TOKEN_MADE = "token_made", "made the token {target}"
    TOKEN_REVOKED = "token_revoked", "revoked the token {target}"
    AGENT_CONNECTED = "agent_connected", "connected the agent {target}"
    AGENT_DISCONNECTED = "agent_disconnected", "disconnected the agent {target}"
    IMPORTED = "imported", "had pages imported from {target}"
    EXPORTED = "exported", "exported the wiki as {target}"
    DISPLAY_NAME_CHANGED = "display_name_changed", "took the name {target}"
    DATA_EXPORTED = "data_exported", "downloaded their own data"
    SESSION_ENDED = "session_ended", "signed out {target}"
    ACCOUNT_LEAVING = "account_leaving", "asked for the account {target} to be deleted"
    ACCOUNT_KEPT = "account_kept", "kept the account {target}"
    ACCOUNT_DELETED = "account_deleted", "deleted the account {target}"
    USER_CREATED = "user_created", "made the account {target}"
    USER_SUSPENDED = "user_suspended", "suspended {target}"
    USER_UNSUSPENDED = "user_unsuspended", "let {target} in again"
    OPERATOR_MADE = "operator_made", "made {target} an operator"
    OPERATOR_UNMADE = "operator_unmade", "made {target} an operator no more"
    LINK_MADE = "link_made", "made a sign-in link for {target}"
    CHANGES_UNDONE = "changes_undone", "undid changes of {target}"
    WIKI_UNDELETED = "wiki_undeleted", "took back that the wiki {target} was deleted"
    WIKI_PURGED = "wiki_purged", "deleted the wiki {target} for good"
    INVITED = "invited", "invited {target}"
    INVITATION_WITHDRAWN = "invitation_withdrawn", "withdrew the invitation of {target}"
    INVITATION_DECLINED = "invitation_declined", "declined to join as {target}"
    MEMBER_JOINED = "member_joined", "joined as {target}"
    MEMBER_LEFT = "member_left", "left the wiki"
    MEMBER_REMOVED = "member_removed", "removed {target}"
    ROLE_CHANGED = "role_changed", "changed a role: {target}"
    OWNERSHIP_TRANSFERRED = "ownership_transferred", "transferred the wiki to {target}"


_ACTIONS = {action.value: action for action in AuditAction}


@dataclass(frozen=True, slots=True)
class Doer:
    """Who did it, by the name they had then. `id` is the person's, also of the one for whom an agent acted."""

    kind: DoerKind
    id: str | None
    name: str


OPERATOR = Doer("operator", None, "The operator")
"""Whoever uses the command line, which knows no person."""

ROBOT = Doer("robot", None, "robot")
"""The host by itself."""


def doer_of(actor: Actor | User) -> Doer:
    """The one who acts, as an entry names them. An operator who is at work on the platform is `operating`."""
    match actor:
        case User():
            return Doer("person", actor.id, actor.display_name)
        case Person(user=user):
            return Doer("person", user.id, user.display_name)
        case Agent(user=user, client=client):
            return Doer("agent", user.id, f"{user.display_name} ({client})")
        case Anonymous():
            return Doer("person", None, "Somebody who is not signed in")


def operating(user: User) -> Doer:
    """A person who uses the operator's rights."""
    return Doer("operator", user.id, user.display_name)


@dataclass(frozen=True, slots=True)
class Entry:
    """One deed. `target` is what it was done to, by name; `detail` says more, in some words."""

    action: AuditAction
    actor: Doer
    wiki_id: str | None = None
    target: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry as it is kept; entries of a higher `id` are later."""

    id: int
    at: datetime
    entry: Entry


def record(connection: sqlite3.Connection, entry: Entry, *, clock: Clock = wall_clock) -> None:
    """Write an entry down, inside the transaction that does the deed."""
    connection.execute(
        "INSERT INTO audit (at, wiki_id, actor_kind, actor_id, actor_name, action, target, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            int(clock()),
            entry.wiki_id,
            entry.actor.kind,
            entry.actor.id,
            _shown(entry.actor.name),
            entry.action.value,
            _shown(entry.target),
            _shown(entry.detail),
        ),
    )


async def note(db: Database, entry: Entry) -> None:
    """Write an entry down by itself, for a deed that is done elsewhere than in the database."""
    await db.write(lambda connection: record(connection, entry))


async def list_entries(
    db: Database, wiki: Wiki, *, actor_id: str | None = None, before: tuple[int, int] | None = None, limit: int
) -> Sequence[Recorded]:
    """What was done to a wiki, or what one person did, newest first.

    `before` are the moment (seconds) and the id of the last one seen.
    """
    at, entry_id = before or (None, None)
    rows = await db.scan(
        "SELECT * FROM audit WHERE wiki_id = ?1 AND (?2 IS NULL OR (at, id) < (?2, ?3))"
        " AND (?4 IS NULL OR actor_id = ?4) ORDER BY at DESC, id DESC LIMIT ?5",
        (wiki.id, at, entry_id, actor_id, limit),
    )
    return [_recorded(row) for row in rows]


async def list_deeds(db: Database, user: User) -> Sequence[Recorded]:
    """What a person did, or agents for them, to whichever wiki or account, newest first."""
    rows = await db.scan("SELECT * FROM audit WHERE actor_id = ? ORDER BY at DESC, id DESC", (user.id,))
    return [_recorded(row) for row in rows]


class AuditKeeper:
    """The task that forgets what is older than so many days, when that is sure (`due`)."""

    def __init__(self, db: Database, days: int, *, clock: Clock = wall_clock, steady: Clock = steady_clock) -> None:
        self._db = db
        self._kept_s = days * DAY_S
        self._due = DueClock(clock, steady)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Forget now and then until cancelled; what could not be forgotten is, the next time."""
        await go_round(self.forget, SWEEP_EVERY_S, task_status, left_undone="the audit forgot nothing")

    async def forget(self) -> None:
        """Forget what is surely too old."""
        due = self._due.look()
        if due is None:
            return
        oldest = int(due) - self._kept_s
        await self._db.write(lambda connection: connection.execute("DELETE FROM audit WHERE at < ?", (oldest,)))


def _recorded(row: Row) -> Recorded:
    actor = Doer(row["actor_kind"], row["actor_id"], row["actor_name"])
    entry = Entry(_ACTIONS[row["action"]], actor, row["wiki_id"], target=row["target"], detail=row["detail"])
    return Recorded(row["id"], moment(row["at"]), entry)


def _shown(text: str) -> str:
    """One line of bounded length; whoever chose a name cannot make it look like another entry."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain if len(plain) <= _MAX_CHARS else f"{plain[: _MAX_CHARS - 1]}…"
