"""What agents do: each call is noted in memory, and written down some seconds later, off the path of any request.

The last calls of a wiki are kept in detail, and what they add up to by day, both for a bounded time. No text of a page
and no words of a search are kept: of a search, only that there was one. What is noted and not yet written is lost when
the process is killed; what agents changed is in git, with their names.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import trio

from robot.authorship import client_name
from robot.clock import Clock, wall_clock
from robot.db import Database, DatabaseError
from robot.model import Agent, Wiki

FLUSH_EVERY_S = 5
DAY_S = 86_400
OK = "ok"
OTHER_CLIENTS = "other programs"

# What may wait in memory: calls in detail, and agents that are counted. Beyond, the oldest details go.
_MAX_WAITING = 10_000
_MAX_COUNTED = 5_000
_MAX_PAGES = 10
# Programs name themselves, and may do so otherwise each time: so many names of one credential are told apart.
_MAX_CLIENTS = 20


@dataclass(frozen=True, slots=True)
class Deed:
    """One call of an agent. `outcome` is `ok` or the code of a failure, `revision` the commit that it made."""

    wiki: Wiki
    agent: Agent
    door: Literal["mcp", "rest", "git"]
    operation: str
    pages: Sequence[str] = ()
    outcome: str = OK
    revision: str | None = None


class Witness(Protocol):
    """Told of each call when it is over; must not block."""

    def note(self, deed: Deed) -> None: ...


class Witnesses:
    """Several, told in order."""

    def __init__(self, *told: Callable[[Deed], None]) -> None:
        self._told = told

    def note(self, deed: Deed) -> None:
        """A call is over."""
        for tell in self._told:
            tell(deed)


@dataclass(frozen=True, slots=True)
class ActivityLimits:
    """For how long anything is kept, and how many calls of each wiki in detail."""

    days: int
    calls: int


_Key = tuple[str, str, str, str, int]  # wiki, user, credential, client, day
_Row = tuple[str | int | None, ...]


@dataclass(slots=True)
class _Sum:
    """What an agent did in a day."""

    credential_name: str
    calls: int = 0
    pages_read: int = 0
    pages_written: int = 0
    errors: int = 0
    last_at: int = 0


class Activity:
    """Takes note of what agents do, and writes it down."""

    def __init__(self, db: Database, limits: ActivityLimits, *, clock: Clock = wall_clock) -> None:
        self._db = db
        self._limits = limits
        self._clock = clock
        self._calls: deque[_Row] = deque(maxlen=_MAX_WAITING)
        self._sums: dict[_Key, _Sum] = {}
        self._clients: dict[str, set[str]] = {}

    def note(self, deed: Deed) -> None:
        """A call is over. Takes some microseconds."""
        now = int(self._clock())
        agent, credential = deed.agent, deed.agent.credential
        client = self._known_client(credential.id, agent.client)
        who = (deed.wiki.id, agent.user.id, credential.id)
        pages = deed.pages[:_MAX_PAGES]
        self._calls.append(
            (
                *who,
                credential.name,
                client,
                deed.door,
                deed.operation,
                "\n".join(pages).encode("utf-8", "replace").decode(),
                deed.outcome,
                deed.revision,
                now,
            )
        )
        key = (*who, client, now // DAY_S)
        found = self._sums.get(key)
        if found is None:
            if len(self._sums) >= _MAX_COUNTED:
                return
            found = self._sums[key] = _Sum(credential.name)
        found.calls += 1
        found.last_at = now
        if deed.outcome != OK:
            found.errors += 1
        elif deed.revision is not None:
            found.pages_written += len(deed.pages)
        else:
            found.pages_read += len(deed.pages)

    async def run(
        self, *, every_s: float = FLUSH_EVERY_S, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Write down what was noted every `every_s` until cancelled, and forget what is too old.

        A failure is tried again.
        """
        task_status.started()
        forgotten = -1
        while True:
            await self.flush()
            today = int(self._clock()) // DAY_S
            if today != forgotten and await self._forget_before(today - self._limits.days):
                forgotten = today
            await trio.sleep(every_s)

    async def flush(self) -> None:
        """Write down what was noted since the last time, also at the end."""
        calls, self._calls = self._calls, deque(maxlen=_MAX_WAITING)
        sums, self._sums = self._sums, {}
        if not calls and not sums:
            return

        def insert(connection: sqlite3.Connection) -> None:
            _insert_calls(connection, calls)
            _add_sums(connection, sums.items())
            for wiki_id in {call[0] for call in calls}:
                _keep_newest(connection, wiki_id, self._limits.calls)

        try:
            await self._db.write(insert)
        except DatabaseError:
            self._take_back(calls, sums)

    def _known_client(self, credential: str, claimed: str) -> str:
        known = self._clients.setdefault(credential, set())
        client = client_name(claimed)
        if client in known:
            return client
        if len(known) >= _MAX_CLIENTS:
            return OTHER_CLIENTS
        known.add(client)
        return client

    def _take_back(self, calls: Iterable[_Row], sums: dict[_Key, _Sum]) -> None:
        """What could not be written waits on, before what came meanwhile."""
        self._calls = deque([*calls, *self._calls], maxlen=_MAX_WAITING)
        for key, later in self._sums.items():
            earlier = sums.setdefault(key, _Sum(later.credential_name))
            earlier.calls += later.calls
            earlier.pages_read += later.pages_read
            earlier.pages_written += later.pages_written
            earlier.errors += later.errors
            earlier.last_at = later.last_at
        self._sums = sums

    async def _forget_before(self, day: int) -> bool:
        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM agent_calls WHERE at < ?", (day * DAY_S,))
            connection.execute("DELETE FROM agent_days WHERE day < ?", (day,))

        try:
            await self._db.write(delete)
        except DatabaseError:
            return False
        return True


# A wiki or a person may have gone meanwhile.
_EXISTS = "WHERE EXISTS (SELECT 1 FROM wikis WHERE id = ?1) AND EXISTS (SELECT 1 FROM users WHERE id = ?2)"


def _insert_calls(connection: sqlite3.Connection, calls: Iterable[_Row]) -> None:
    connection.executemany(
        "INSERT INTO agent_calls (wiki_id, user_id, credential, credential_name, client, door, operation, pages,"
        f" outcome, revision, at) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 {_EXISTS}",
        calls,
    )


def _add_sums(connection: sqlite3.Connection, sums: Iterable[tuple[_Key, _Sum]]) -> None:
    connection.executemany(
        "INSERT INTO agent_days (wiki_id, user_id, credential, client, day, credential_name, calls, pages_read,"
        f" pages_written, errors, last_at) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 {_EXISTS}"
        " ON CONFLICT (wiki_id, user_id, credential, client, day) DO UPDATE SET"
        " credential_name = excluded.credential_name, calls = calls + excluded.calls,"
        " pages_read = pages_read + excluded.pages_read, pages_written = pages_written + excluded.pages_written,"
        " errors = errors + excluded.errors, last_at = excluded.last_at",
        [
            (*key, day.credential_name, day.calls, day.pages_read, day.pages_written, day.errors, day.last_at)
            for key, day in sums
        ],
    )


def _keep_newest(connection: sqlite3.Connection, wiki_id: str | int | None, count: int) -> None:
    connection.execute(
        "DELETE FROM agent_calls WHERE wiki_id = ?1 AND id <= (SELECT id FROM agent_calls WHERE wiki_id = ?1"
        " ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        (wiki_id, count),
    )
