"""Forward-only schema migrations: `migrations/NNNN_name.sql`, counted in SQLite's `user_version`.

Each file is one transaction together with its new `user_version`, so a process killed at any moment leaves either
the old schema or the new one, and the next start goes on from there. The database is copied before an upgrade.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

# "robo", in the file's header: tells our database from any other SQLite file.
APPLICATION_ID = 0x726F626F


class SchemaTooNew(Exception):
    """The data directory was written by a newer robot."""


class NotOurDatabase(Exception):
    """The file is an SQLite database of some other program."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step, from `version - 1` to `version`."""

    version: int
    name: str
    sql: str


def shipped_migrations() -> list[Migration]:
    """The steps that this robot knows, in order, numbered from 1 without gaps."""
    found = sorted(entry.name for entry in (files("robot") / "migrations").iterdir() if entry.name.endswith(".sql"))
    migrations = [
        Migration(int(name[:4]), name, (files("robot") / "migrations" / name).read_text("utf-8")) for name in found
    ]
    if [step.version for step in migrations] != list(range(1, len(migrations) + 1)):
        raise AssertionError(f"migrations must be numbered from 0001 without gaps: {found}")
    return migrations


def migrate(connection: sqlite3.Connection, path: Path, steps: list[Migration] | None = None) -> None:
    """Bring the database to the newest of `steps` (the shipped ones). Safe to kill, safe to run twice at once."""
    steps = shipped_migrations() if steps is None else steps
    version = _checked_version(connection, path, newest=len(steps))
    if version == len(steps):
        return
    if version > 0:
        copy_database(connection, path.with_name(f"{path.name}.v{version}"))
    connection.execute("PRAGMA foreign_keys = OFF")  # has no effect inside a transaction
    for step in steps[version:]:
        _apply(connection, step)
    connection.execute("PRAGMA foreign_keys = ON")


def check_version(path: Path) -> None:
    """Raise `SchemaTooNew` or `NotOurDatabase` unless this robot can use the database at `path`; changes nothing."""
    if path.exists():
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            _checked_version(connection, path, newest=len(shipped_migrations()))


def copy_database(connection: sqlite3.Connection, target: Path) -> None:
    """Copy the whole database to `target` (mode 0600), which appears only once it is complete and on disk."""
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(unfinished)) as copy:
        connection.backup(copy)
    with unfinished.open("rb") as written:
        os.fsync(written.fileno())
    unfinished.rename(target)


def _checked_version(connection: sqlite3.Connection, path: Path, *, newest: int) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if application != APPLICATION_ID and not is_empty:
        raise NotOurDatabase(f"{path} is not a database of robot; choose another data directory")
    if version > newest:
        raise SchemaTooNew(
            f"{path} was written by a newer robot (schema {version}; this one knows schemas up to {newest}); "
            "start that newer robot, or restore a backup from before the upgrade"
        )
    return version


def _apply(connection: sqlite3.Connection, step: Migration) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have taken this step while we waited for the lock.
        if connection.execute("PRAGMA user_version").fetchone()[0] < step.version:
            _run(connection, step)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _run(connection: sqlite3.Connection, step: Migration) -> None:
    for statement in _statements(step.sql):
        connection.execute(statement)
    if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise sqlite3.IntegrityError(f"{step.name} leaves rows that refer to nothing")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {step.version}")


def _statements(sql: str) -> Iterator[str]:
    """Split a script at the ends of its statements (`executescript` would commit before it begins)."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
