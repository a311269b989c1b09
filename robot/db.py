"""The platform's SQLite database, for Trio and for the command line.

One writer connection takes `BEGIN IMMEDIATE` transactions in a thread. Indexed point reads run in place on a
read-only connection (about 3 µs, where a thread costs 55 µs). Scans run in a thread on a connection of their own.
WAL keeps readers and the writer out of each other's way, in this process and between processes.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import trio

from robot.migrate import migrate

T = TypeVar("T")
Row = sqlite3.Row
Param = str | int | float | bytes | None

# How long a writer waits for another process's transaction, and how long one transaction or scan may compute.
WRITE_WAIT_MS = 5_000
WRITE_DEADLINE_S = 10.0
SCAN_DEADLINE_S = 30.0
# A reader in WAL mode waits only for recovery after a crash; in place it must not hold the loop up.
POINT_READ_WAIT_MS = 20
# SQLite looks at the deadline each time it has run this many virtual instructions (about a millisecond).
_DEADLINE_CHECK_OPS = 10_000


class DatabaseError(Exception):
    """Base of all database errors; the message is a sentence."""


class DatabaseBusy(DatabaseError):
    """Another writer held the database too long, or the deadline passed: nothing was written, try again."""


class DatabaseFull(DatabaseError):
    """The disk is full: nothing was written."""


class ConstraintBroken(DatabaseError):
    """The rows would have contradicted the schema: nothing was written."""


class DatabaseFailed(DatabaseError):
    """The file or the disk is broken, or the SQL is wrong."""


class Database:
    """An open platform database at the newest schema. Make one with `Database.open`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = _connect(path, WRITE_WAIT_MS)
        self._writer_lock = threading.Lock()
        self._writer_turn = trio.CapacityLimiter(1)
        self._reader = _connect(path, POINT_READ_WAIT_MS, read_only=True)
        self._scanner = _connect(path, WRITE_WAIT_MS, read_only=True)
        self._scan_turn = trio.CapacityLimiter(1)

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open `path`, made (mode 0600) when missing, brought to the newest schema first.

        Raises `DatabaseError`, `migrate.SchemaTooNew` or `migrate.NotOurDatabase`.
        Blocks: call it before the loop runs.
        """
        try:
            with _Translated():
                # SQLite would make the file with the umask's mode.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
                with closing(_connect(path, WRITE_WAIT_MS)) as connection:
                    migrate(connection, path)
                return cls(path)
        except DatabaseFailed as error:
            raise DatabaseFailed(f"{path} cannot be used: {error.__cause__}; restore it from a backup") from error

    def close(self) -> None:
        """Close all connections; the last one in any process folds the write-ahead log into the file."""
        for connection in (self._scanner, self._reader, self._writer):
            connection.close()

    def one(self, sql: str, params: Sequence[Param] = ()) -> Row | None:
        """The first row of an indexed point read, in place."""
        with _Translated(), closing(self._reader.execute(sql, params)) as cursor:
            row: Row | None = cursor.fetchone()
            return row

    def all(self, sql: str, params: Sequence[Param] = ()) -> list[Row]:
        """All rows of an indexed read that is known to be small, in place."""
        with _Translated(), closing(self._reader.execute(sql, params)) as cursor:
            return cursor.fetchall()

    async def scan(self, sql: str, params: Sequence[Param] = ()) -> list[Row]:
        """All rows of a read that may take long, in a thread; raises `DatabaseBusy` after `SCAN_DEADLINE_S`."""
        return await trio.to_thread.run_sync(self._scan, sql, params, limiter=self._scan_turn)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work(connection)` as one transaction in a thread, and return its result once it is on disk.

        Waiting for the turn can be cancelled. A transaction that began is finished (Trio does not abandon the
        thread), within the writer's own deadlines, so that the caller never has to guess. An exception of `work`
        rolls back and is raised.
        """
        return await trio.to_thread.run_sync(self.transact, work, limiter=self._writer_turn)

    def transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """`write` for callers that are in a thread, or have no loop (the command line)."""
        with self._writer_lock, _Translated(), _bounded(self._writer, WRITE_DEADLINE_S):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                result = work(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled back already.
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            return result

    def _scan(self, sql: str, params: Sequence[Param]) -> list[Row]:
        with (
            _Translated(),
            _bounded(self._scanner, SCAN_DEADLINE_S),
            closing(self._scanner.execute(sql, params)) as cursor,
        ):
            return cursor.fetchall()


def _connect(path: Path, wait_ms: int, *, read_only: bool = False) -> sqlite3.Connection:
    mode = "ro" if read_only else "rw"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout = {wait_ms}")
    connection.execute("PRAGMA foreign_keys = ON")
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return connection


@contextmanager
def _bounded(connection: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """Interrupt statements on `connection` that still compute after `seconds`."""
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: int(time.monotonic() > deadline), _DEADLINE_CHECK_OPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


class _Translated:
    """Turns SQLite's errors into this module's closed set. A class, since a generator costs as much as a point read."""

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise _translation(error) from error


def _translation(error: sqlite3.Error) -> DatabaseError:
    if isinstance(error, sqlite3.IntegrityError):
        return ConstraintBroken(f"the database refused the change: {error}")
    # The low byte is the primary result code (sqlite.org/rescode.html).
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT):
        return DatabaseBusy("the platform database is busy, try again")
    if code == sqlite3.SQLITE_FULL:
        return DatabaseFull("the disk that holds the platform database is full")
    return DatabaseFailed(f"the platform database failed: {error}")
