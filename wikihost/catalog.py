"""`catalog.db`: what is derived from a wiki's git history, and the connections to it.

Each use first compares the catalog's commit with the branch head and follows when they differ; so the catalog agrees
with the last acknowledged write, whichever process made it. A missing, damaged or foreign one is built from nothing.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from threading import Lock
from typing import TypeVar

from wikihost.derive import follow
from wikihost.errors import OutsideReach, StorageFailed, StorageFull
from wikihost.layout import WikiHome
from wikihost.progress import Report
from wikihost.reach import Reach
from wikihost.repo import Repository
from wikihost.writer import storage_errors

T = TypeVar("T")

_log = logging.getLogger(__name__)

# Raise when the tables, or what is written into them, change.
SCHEMA_VERSION = "7"
_BUSY_TIMEOUT_S = 30.0
_CACHE_KIB = 2_048  # for each connection, of which a wiki has as many as threads use it at once
_LOG_BYTES = 1 << 20  # what is kept of the write-ahead log after a large change
_KEPT_TABLES = frozenset({"vector", "kept_answer"})
# A full disk shows itself as these when SQLite cannot make its shared-memory file or its log.
_MAY_BE_FULL = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
_ROOM_BYTES = 128 * 1024
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@dataclass(slots=True)
class _Session:
    """An open connection, the file it is on, and the folder that it shows where that is not all."""

    connection: sqlite3.Connection
    inode: int
    reach: Reach | None = None


class Catalog:
    """The catalog of one wiki. Thread- and process-safe.

    `report` hears each second how far a long `sync` is, in commits and files; by default the log does.
    """

    def __init__(self, home: WikiHome, *, report: Report | None = None) -> None:
        self._home = home
        self._report = report or self._log_progress
        self._idle: list[_Session] = []
        self._idle_confined: list[_Session] = []
        self._lock = Lock()

    def sync(self, repository: Repository) -> str:
        """Bring the catalog to the branch head, which is returned. One ref read when it is there already."""
        head = repository.head()
        if self._mending(catalogued_commit) == head:
            return head
        return self._mending(lambda connection: _catch_up(connection, repository, self._report))

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on one snapshot of the catalog, as of the last `sync` or later."""
        with self._discarding_damaged(), self._session() as connection, _transaction(connection, "DEFERRED"):
            return work(connection)

    def read_within(self, reach: Reach, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `read`, on a connection on which there is nothing but what is inside the folder (`confined.sql`)."""
        with self._discarding_damaged(), self._session(reach) as connection, _transaction(connection, "DEFERRED"):
            return work(connection)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a writing transaction: all of it is kept, or nothing."""
        with self._discarding_damaged(), self._session() as connection, _transaction(connection, "IMMEDIATE"):
            return work(connection)

    def close(self) -> None:
        with self._lock:
            for session in [*self._idle, *self._idle_confined]:
                session.connection.close()
            self._idle.clear()
            self._idle_confined.clear()

    def _log_progress(self, done: int, total: int) -> None:
        _log.info("%s follows git: %d of %d commits and files", self._home.catalog_db, done, total)

    def _mending(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`; when the catalog turns out to be damaged, throw it away and run it on a new one."""
        try:
            with self._session() as connection:
                return work(connection)
        except CatalogDamaged:
            self._discard_damaged()
        with self._session() as connection:
            return work(connection)

    @contextmanager
    def _discarding_damaged(self) -> Iterator[None]:
        """Throw the catalog away when a part of it that `sync` does not look at turns out to be damaged."""
        try:
            yield
        except CatalogDamaged:
            self._discard_damaged()
            raise

    @contextmanager
    def _session(self, reach: Reach | None = None) -> Iterator[sqlite3.Connection]:
        idle = self._idle if reach is None else self._idle_confined
        with _sqlite_errors(self._home):
            session = self._take(idle) or self._open()
            try:
                if reach is not None and session.reach != reach:
                    _confine(session, reach)
                yield session.connection
            except sqlite3.Error:
                session.connection.close()
                raise
            except BaseException:
                self._keep(session, idle)
                raise
            self._keep(session, idle)

    def _keep(self, session: _Session, idle: list[_Session]) -> None:
        with self._lock:
            idle.append(session)

    def _take(self, idle: list[_Session]) -> _Session | None:
        """An idle connection to the file that is there now: another process may have replaced a damaged one."""
        with self._lock:
            session = idle.pop() if idle else None
        if session is None:
            return None
        with suppress(FileNotFoundError):
            if self._home.catalog_db.stat().st_ino == session.inode:
                return session
        session.connection.close()
        return None

    def _open(self) -> _Session:
        with self._opening():
            connection = self._connect()
            try:
                if _version(connection) != SCHEMA_VERSION:
                    with _transaction(connection, "IMMEDIATE"):
                        _make_tables(connection)
            except BaseException:
                connection.close()
                raise
            return _Session(connection, self._home.catalog_db.stat().st_ino)

    def _connect(self) -> sqlite3.Connection:
        # check_same_thread: a connection is used by one thread at a time, which the pool sees to.
        connection = sqlite3.connect(
            self._home.catalog_db, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        # The catalog can be derived again, so it need not survive a power loss with its last commits.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.create_function("casefold", 1, _casefold, deterministic=True)
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        return connection

    @contextmanager
    def _opening(self) -> Iterator[None]:
        """Keep others from opening a connection: a new file must not meet the write-ahead log of the old one."""
        with storage_errors():
            lock_file = os.open(self._home.catalog_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock_file)

    def _discard_damaged(self) -> None:
        self.close()
        with self._opening():
            if self._is_sound():
                return  # another thread or process was here first
            for suffix in ("", "-wal", "-shm"):
                self._home.catalog_db.with_name(self._home.catalog_db.name + suffix).unlink(missing_ok=True)

    def _is_sound(self) -> bool:
        try:
            connection = self._connect()
        except sqlite3.DatabaseError:
            return False
        try:
            found = connection.execute("PRAGMA quick_check").fetchone()
            connection.execute("INSERT INTO page_text (page_text) VALUES ('integrity-check')")
        except sqlite3.DatabaseError:
            return False
        finally:
            connection.close()
        return found is not None and found[0] == "ok"


class ConfinedCatalog(Catalog):
    """The catalog as somebody sees it who reaches one folder: there is nothing else in it, and it cannot be written."""

    def __init__(self, whole: Catalog, reach: Reach) -> None:
        # Nothing of the base is set up: what is not handed on here does not work.
        self._whole = whole
        self._reach = reach

    def sync(self, repository: Repository) -> str:
        return self._whole.sync(repository)

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self._whole.read_within(self._reach, work)

    def read_within(self, reach: Reach, work: Callable[[sqlite3.Connection], T]) -> T:
        raise OutsideReach(f"{self._reach.sentence}.")

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        raise OutsideReach(f"{self._reach.sentence}.")

    def close(self) -> None:
        """The whole catalog is closed by whoever opened it."""


class CatalogDamaged(StorageFailed):
    """The catalog's file is not what SQLite wrote; `Catalog.sync` makes a new one."""

    code = "storage_failed"


@contextmanager
def _sqlite_errors(home: WikiHome) -> Iterator[None]:
    with storage_errors():
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _DAMAGE:
                raise CatalogDamaged("The wiki's catalog is damaged; it is built anew at the next use.") from error
            if code in _MAY_BE_FULL and shutil.disk_usage(home.root).free < _ROOM_BYTES:
                raise StorageFull("The disk is full; nothing was saved.") from error
            raise


@contextmanager
def _transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _catch_up(connection: sqlite3.Connection, repository: Repository, report: Report) -> str:
    with _transaction(connection, "IMMEDIATE"):
        # Read again: the head may have moved, and another process may have followed it, while we waited.
        head = repository.head()
        at = catalogued_commit(connection)
        if at != head:
            follow(connection, repository, at, head, report)
            connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('commit', ?)", (head,))
    return head


def catalogued_commit(connection: sqlite3.Connection) -> str | None:
    """The commit that the catalog is at; None for an empty one."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'commit'").fetchone()
    return None if row is None else str(row[0])


def _casefold(text: str | None) -> str | None:
    """For comparisons without case beyond ASCII, which is all that SQLite's own know."""
    return None if text is None else text.casefold()


def _version(connection: sqlite3.Connection) -> str | None:
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is None:
        return None
    row = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    return None if row is None else str(row[0])


def _make_tables(connection: sqlite3.Connection) -> None:
    """Drop all tables but those worth keeping, and make them empty."""
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE%'").fetchall()
    names = {name for (name,) in found} - _KEPT_TABLES
    virtual = {"page_text"} & names
    shadows = {name for name in names if name.startswith("page_text_")}
    # Children first: dropping a table that others refer to checks their rows.
    order = ["chunk", "heading", "link", "tag", "page_commit", "page", "commits"]
    rest = names - virtual - shadows
    for name in [*virtual, *(name for name in order if name in rest), *(rest - set(order))]:
        connection.execute(f'DROP TABLE "{name}"')
    for statement in _statements("catalog.sql"):
        connection.execute(statement)
    connection.execute("INSERT INTO meta (key, value) VALUES ('version', ?)", (SCHEMA_VERSION,))


def _confine(session: _Session, reach: Reach) -> None:
    """Let a connection show one folder, whatever it showed before."""
    connection = session.connection
    if session.reach is None:
        connection.execute("PRAGMA temp_store = MEMORY")
        for statement in _statements("confined.sql"):
            connection.execute(statement)
    # While this fails the connection shows no folder: it must not be taken for one that shows another.
    session.reach = None
    begin, end = reach.spelled_alike
    connection.execute(
        "UPDATE reach SET own = ?, folder = ?, beyond = ?, begin_file = ?, end_file = ?, untold = ?",
        (reach.own, f"{reach.own}/", f"{reach.own}0", begin, end, f"(Also changed pages outside {reach.folder})"),
    )
    session.reach = reach


def _statements(name: str) -> list[str]:
    """The statements of a file, one by one: `executescript` would end the transaction."""
    schema = (files("wikihost") / name).read_text("utf-8")
    found, statement = [], ""
    for line in schema.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement)
            statement = ""
    return found
