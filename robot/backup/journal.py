"""What this host knows of its own backups: a row for each that was begun, and a lock that lets one run at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from robot.backup.manifest import Manifest
from robot.clock import moment
from robot.db import Database
from wikihost.layout import DataDir


class BackupRunning(Exception):
    """Another backup of this host is under way; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class BackupRow:
    """A backup that was begun. It is good when it `finished` and has no `problem`; times are UTC."""

    id: str
    destination: str
    started: datetime
    mark: datetime
    finished: datetime | None
    wikis: int
    size_bytes: int
    problem: str


@contextmanager
def only_backup(data: DataDir) -> Iterator[None]:
    """Be the one backup of this host for a while; the kernel's lock dies with the process. Raises `BackupRunning`."""
    descriptor = os.open(data.backup_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BackupRunning(f"Another backup of {data.root} is under way; wait until it ended.") from None
    else:
        yield
    finally:
        os.close(descriptor)


def begin_row(db: Database, run: str, destination: str, now: float) -> None:
    """Note that a backup begins; what it wrote is known for ours from now on."""
    row = (run, destination, int(now), int(now))
    sql = "INSERT INTO backups (id, destination, started_at, mark_at) VALUES (?, ?, ?, ?)"
    db.transact(lambda connection: connection.execute(sql, row))


def finish_row(db: Database, manifest: Manifest) -> None:
    """Note that a backup is finished, and what is wrong with it."""
    row = (
        int(manifest.mark_at.timestamp()),
        int(manifest.finished_at.timestamp()),
        len(manifest.wikis),
        manifest.size_bytes,
        " ".join(manifest.problems.values()),
        manifest.id,
    )
    sql = "UPDATE backups SET mark_at = ?, finished_at = ?, wikis = ?, size_bytes = ?, problem = ? WHERE id = ?"
    db.transact(lambda connection: connection.execute(sql, row))


def fail_row(db: Database, run: str, now: float, problem: str) -> None:
    """Note that a backup ended without becoming one, and why."""
    sql = "UPDATE backups SET finished_at = ?, problem = ? WHERE id = ?"
    db.transact(lambda connection: connection.execute(sql, (int(now), problem, run)))


def own_runs(db: Database, destination: str) -> set[str]:
    """The ids of all backups that this host began at a destination."""
    return {row["id"] for row in db.all("SELECT id FROM backups WHERE destination = ?", (destination,))}


def last_good(db: Database) -> BackupRow | None:
    """The newest backup that went well, wherever it lies."""
    return _last(db, "finished_at IS NOT NULL AND problem = ''")


def last_ended(db: Database) -> BackupRow | None:
    """The newest backup that is not under way, and was not cut off, however it went."""
    return _last(db, "finished_at IS NOT NULL")


def last_begun(db: Database) -> BackupRow | None:
    """The newest backup, however it went."""
    return _last(db, "1")


def _last(db: Database, condition: str) -> BackupRow | None:
    """By their ids, which go up even when the clock is put back."""
    row = db.one(f"SELECT * FROM backups WHERE {condition} ORDER BY id DESC LIMIT 1")  # noqa: S608
    if row is None:
        return None
    finished = None if row["finished_at"] is None else moment(row["finished_at"])
    return BackupRow(
        id=row["id"],
        destination=row["destination"],
        started=moment(row["started_at"]),
        mark=moment(row["mark_at"]),
        finished=finished,
        wikis=row["wikis"],
        size_bytes=row["size_bytes"],
        problem=row["problem"],
    )
