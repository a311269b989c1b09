"""Forward-only schema migrations: `migrations/NNNN_name.sql`, counted in SQLite's `user_version`.

Each file is one transaction together with its new `user_version`, so a process killed at any moment leaves either
the old schema or the new one, and the next start goes on from there. Before an upgrade the database is copied to
`robot.db.vN`, N being its schema; nothing is changed until that copy was read back. Copies are kept for `KEPT_DAYS`:
they still hold people who deleted their accounts since.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from wikihost.objects import sync

# "robo", in the file's header: tells our database from any other SQLite file.
APPLICATION_ID = 0x726F626F

KEPT_DAYS = 90
# On the disk beside the database: the copy, and the write-ahead log of steps that rewrite a table.
_ROOM_FACTOR = 2


class SchemaTooNew(Exception):
    """The data directory was written by a newer robot."""


class NotOurDatabase(Exception):
    """The file is an SQLite database of some other program."""


class NoRoomToUpgrade(Exception):
    """The disk cannot hold the copy that is made first: nothing was changed."""


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
    """Bring the database to the newest of `steps` (the shipped ones). Safe to kill, safe to run twice at once.

    Raises SchemaTooNew, NotOurDatabase, NoRoomToUpgrade, sqlite3.Error.
    """
    steps = shipped_migrations() if steps is None else steps
    version = _checked_version(connection, path, newest=len(steps))
    _drop_old_copies(path)
    if version == len(steps):
        return
    if version > 0:
        _keep_copy(connection, path, version)
    connection.execute("PRAGMA foreign_keys = OFF")  # has no effect inside a transaction
    for step in steps[version:]:
        _apply(connection, step)
    connection.execute("PRAGMA foreign_keys = ON")


def check_version(path: Path) -> int:
    """The schema of the database at `path`, 0 where there is none; changes nothing.

    Raises SchemaTooNew or NotOurDatabase unless this robot can use it, and sqlite3.Error.
    """
    if not path.exists():
        return 0
    with closing(open_read_only(path)) as connection:
        return _checked_version(connection, path, newest=len(shipped_migrations()))


def is_upgrade_due(path: Path) -> bool:
    """Whether `migrate` would change a database that is there; what is damaged is told by whoever opens it.

    Raises SchemaTooNew, NotOurDatabase.
    """
    try:
        return 0 < check_version(path) < len(shipped_migrations())
    except sqlite3.Error:
        return False


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a database so that not even a file beside it is made, which another user might own then."""
    # Without a log nobody has it open, and SQLite would make one in order to read.
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)


def copy_of(path: Path, version: int) -> Path:
    """Where the database is copied to before it leaves schema `version`."""
    return path.with_name(f"{path.name}.v{version}")


def room_needed(connection: sqlite3.Connection) -> int:
    """How many bytes must be free on the disk for an upgrade."""
    pages, size = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
    return _ROOM_FACTOR * pages * size


def copy_database(connection: sqlite3.Connection, target: Path) -> None:
    """Copy the whole database to `target` (mode 0600), which appears only once it is complete, sound and on disk.

    Raises sqlite3.Error, also where what was copied is damaged; then there is no `target`, or still the former one.
    """
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(sqlite3.connect(unfinished)) as copy:
            connection.backup(copy)
            sync(unfinished)
            _check_soundness(copy)
        unfinished.rename(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync(target.parent)


def _keep_copy(connection: sqlite3.Connection, path: Path, version: int) -> None:
    needed, free = room_needed(connection), shutil.disk_usage(path.parent).free
    sentence = (
        f"Before the upgrade {path} is copied, and there is no room: {needed / 2**20:.1f} MiB are needed on its disk, "
        f"{free / 2**20:.1f} MiB are free. Make room and start again; nothing was changed"
    )
    if free < needed:
        raise NoRoomToUpgrade(sentence)
    try:
        copy_database(connection, copy_of(path, version))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise
        raise NoRoomToUpgrade(sentence) from error


def _drop_old_copies(path: Path) -> None:
    for copy in path.parent.glob(f"{path.name}.v*"):
        with suppress(FileNotFoundError):  # another process drops them, too
            if copy.suffix[2:].isdigit() and copy.stat().st_mtime < time.time() - KEPT_DAYS * 86_400:
                copy.unlink()


def _check_soundness(copy: sqlite3.Connection) -> None:
    found = copy.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(f"its copy is not sound: {found}")


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
