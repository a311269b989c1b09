"""What was written down of what agents did, as the dashboard asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from robot.clock import moment
from robot.db import Database, Param, Row
from robot.model import User, Wiki


@dataclass(frozen=True, slots=True)
class AgentUse:
    """What one agent did in the days that are kept: a program, by its own name, with one person's credential."""

    user_id: str
    person: str
    credential: str
    credential_name: str
    client: str
    calls: int
    pages_read: int
    pages_written: int
    errors: int
    last_used: datetime


@dataclass(frozen=True, slots=True)
class AgentCall:
    """One call. `outcome` is `ok` or the code of a failure, `revision` the commit that it made."""

    id: int
    person: str
    credential: str
    credential_name: str
    client: str
    door: str
    operation: str
    pages: Sequence[str]
    outcome: str
    revision: str | None
    at: datetime


async def list_agents(db: Database, wiki: Wiki, user: User | None) -> list[AgentUse]:
    """The agents of a wiki, or of one person in it, those that were used last first."""
    rows = await db.scan(
        "SELECT user_id, users.display_name AS person, credential, max(credential_name) AS credential_name, client,"
        " sum(calls) AS calls, sum(pages_read) AS pages_read, sum(pages_written) AS pages_written,"
        " sum(errors) AS errors, max(last_at) AS last_at"
        " FROM agent_days JOIN users ON users.id = user_id WHERE wiki_id = ?1 AND (?2 IS NULL OR user_id = ?2)"
        " GROUP BY user_id, credential, client ORDER BY last_at DESC, credential, client",
        (wiki.id, user.id if user else None),
    )
    return [
        AgentUse(
            row["user_id"],
            row["person"],
            row["credential"],
            row["credential_name"],
            row["client"],
            row["calls"],
            row["pages_read"],
            row["pages_written"],
            row["errors"],
            moment(row["last_at"]),
        )
        for row in rows
    ]


async def list_calls(
    db: Database,
    wiki: Wiki,
    user: User | None,
    *,
    credential: str | None = None,
    client: str | None = None,
    with_changes: bool = True,
    before: int | None = None,
    limit: int,
) -> list[AgentCall]:
    """Calls of the agents of a wiki, or of one person in it, newest first; those before the call `before`.

    `with_changes` False leaves out those that made a commit.
    """
    params: tuple[Param, ...] = (wiki.id, user.id if user else None, credential, client, before, limit, with_changes)
    rows = await db.scan(
        "SELECT agent_calls.*, users.display_name AS person FROM agent_calls JOIN users ON users.id = user_id"
        " WHERE wiki_id = ?1 AND (?2 IS NULL OR user_id = ?2) AND (?3 IS NULL OR credential = ?3)"
        " AND (?4 IS NULL OR client = ?4) AND (?5 IS NULL OR agent_calls.id < ?5)"
        " AND (?7 OR revision IS NULL)"
        " ORDER BY agent_calls.id DESC LIMIT ?6",
        params,
    )
    return [_call(row) for row in rows]


def _call(row: Row) -> AgentCall:
    return AgentCall(
        row["id"],
        row["person"],
        row["credential"],
        row["credential_name"],
        row["client"],
        row["door"],
        row["operation"],
        row["pages"].split("\n") if row["pages"] else (),
        row["outcome"],
        row["revision"],
        moment(row["at"]),
    )
