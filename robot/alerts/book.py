"""The alerts that stand and the messages that wait to be sent.

An alert and its messages, one for each way, are written in one transaction: a restart neither forgets a message nor
makes it anew. A message goes when it was sent, or is too old to be of use.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from robot.alerts.decisions import Change, Standing
from robot.alerts.message import Alert, Kind, Message
from robot.clock import moment
from robot.db import Database, Row

_UNDELIVERED = "SELECT way, made_at, tries, problem FROM alert_messages ORDER BY id"

KEPT_S = 3 * 24 * 3600
"""How long a message is tried; the alert itself stands as long as it has cause."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that was not sent yet by `way`: tried so often, to be tried again `next_at`, `problem` at the last."""

    id: int
    way: str
    message: Message
    tries: int
    next_at: float
    problem: str


@dataclass(frozen=True, slots=True)
class Undelivered:
    """For people: how many messages wait for a way that fails, since when, and what it said last."""

    way: str
    count: int
    since: datetime
    problem: str

    @property
    def sentence(self) -> str:
        """For people, with what to do."""
        wait = "A message waits" if self.count == 1 else f"{self.count} messages wait"
        return f"{wait} to leave by {self.way}: {self.problem} Mend it; `robot alert test` shows whether it works."


def list_standing(db: Database) -> list[Standing]:
    """The alerts that stand, those that began first first; in place, there are few."""
    rows = db.all("SELECT name, sentence, remedy, since_at, told_at FROM alerts ORDER BY since_at, name")
    return [
        Standing(Alert(row["name"], row["sentence"], row["remedy"]), row["since_at"], row["told_at"]) for row in rows
    ]


def list_undelivered(db: Database) -> list[Undelivered]:
    """The ways that failed, with what waits for them; in place."""
    return _undelivered_of(db.all(_UNDELIVERED))


def read_undelivered(path: Path) -> list[Undelivered]:
    """As `list_undelivered`, of a database that need not be there or at the newest schema; changes nothing. Blocks."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return _undelivered_of(connection.execute(_UNDELIVERED).fetchall())
    except sqlite3.Error:
        return []  # what is wrong with the database itself is told elsewhere


def list_waiting(db: Database, way: str, host: str) -> list[Waiting]:
    """What waits for a way, in the order in which it is to be sent; in place."""
    rows = db.all("SELECT * FROM alert_messages WHERE way = ? ORDER BY id", (way,))
    return [_waiting_of(row, host) for row in rows]


def keep(connection: sqlite3.Connection, changes: Sequence[Change], ways: Sequence[str], now: float) -> None:
    """Write down what changed, and a message of it for each way; inside a transaction."""
    for change in changes:
        alert, at = change.alert, int(now)
        if change.kind is Kind.OVER:
            connection.execute("DELETE FROM alerts WHERE name = ?", (alert.name,))
        else:
            connection.execute(
                "INSERT INTO alerts (name, since_at, told_at, sentence, remedy) VALUES (?1, ?2, ?2, ?3, ?4)"
                " ON CONFLICT (name) DO UPDATE SET told_at = ?2, sentence = ?3, remedy = ?4",
                (alert.name, at, alert.sentence, alert.remedy),
            )
        connection.executemany(
            "INSERT INTO alert_messages (way, made_at, kind, alert, sentence, remedy, next_at)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?2)",
            [(way, at, change.kind.value, alert.name, alert.sentence, alert.remedy) for way in ways],
        )


def forget_old(connection: sqlite3.Connection, ways: Sequence[str], now: float) -> int:
    """Drop messages that nobody needs any more, or whose way is not set any more; returns how many."""
    marks = ", ".join("?" * len(ways))
    return connection.execute(
        f"DELETE FROM alert_messages WHERE made_at < ? OR way NOT IN ({marks})",  # noqa: S608  (question marks)
        (int(now) - KEPT_S, *ways),
    ).rowcount


def note_sent(connection: sqlite3.Connection, waiting: Waiting) -> None:
    """The message went; inside a transaction."""
    connection.execute("DELETE FROM alert_messages WHERE id = ?", (waiting.id,))


def note_failure(connection: sqlite3.Connection, waiting: Waiting, problem: str, next_at: float) -> None:
    """The message did not go, and why; inside a transaction."""
    connection.execute(
        "UPDATE alert_messages SET tries = tries + 1, next_at = ?, problem = ? WHERE id = ?",
        (int(next_at), problem, waiting.id),
    )


def _undelivered_of(rows: Sequence[Row]) -> list[Undelivered]:
    by_way: dict[str, list[Row]] = {}
    for row in rows:
        by_way.setdefault(row["way"], []).append(row)
    return [
        Undelivered(way, len(waiting), moment(waiting[0]["made_at"]), waiting[0]["problem"])
        for way, waiting in by_way.items()
        if waiting[0]["tries"]
    ]


def _waiting_of(row: Row, host: str) -> Waiting:
    alert = Alert(row["alert"], row["sentence"], row["remedy"])
    message = Message(Kind(row["kind"]), host, moment(row["made_at"]), alert)
    return Waiting(row["id"], row["way"], message, row["tries"], row["next_at"], row["problem"])
