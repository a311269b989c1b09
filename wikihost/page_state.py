"""What a wiki's pages are made from, read so cheaply that every request can ask: the head, and the owner's preferences.

Both are read from disk each time, since any process may have changed them: another git, a worker, a restore.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections import OrderedDict
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import quote

from wikihost.errors import StorageFailed
from wikihost.layout import WikiHome
from wikihost.repo import Repository, own_repository

# An opened repository takes some 60 µs to open and a few kilobytes to keep.
_MOST_WIKIS = 256
# In a database's header: which journal it has, and its change counter (SQLite file format, 1.3.3, 1.3.7). Only with a
# rollback journal, as Otter Wiki has it, does each transaction which changes anything change the counter.
_JOURNAL = slice(18, 20)
_WAL = b"\2\2"
_COUNTER = slice(24, 28)
# Preferences are some dozens of rows. Whoever took a worker over may have put anything in their place, such as a view
# that never ends, and they are read where all wait for it.
_MOST_BYTES = 4 * 1024 * 1024
_MOST_STEPS = 100_000  # of SQLite's machine; some milliseconds


@dataclass(frozen=True, slots=True)
class PageState:
    """Equal values mean: the same files, and the same preferences."""

    head: str
    preferences: bytes


@dataclass(slots=True)
class _Known:
    """One wiki's opened repository, and its preferences' digest at a version of the database."""

    repository: Repository
    database: str
    version: tuple[int, bytes] = (0, b"")
    digest: bytes = b""


class PageStates:
    """The state of any wiki, in tens of microseconds. For one thread."""

    def __init__(self) -> None:
        self._known: OrderedDict[WikiHome, _Known] = OrderedDict()

    def read(self, home: WikiHome) -> PageState | None:
        """The state now; None where it cannot be told: the repository is damaged, or preferences are being saved."""
        try:
            known = self._open(home)
            return PageState(known.repository.head(), _preferences(known))
        except (StorageFailed, OSError, sqlite3.Error):
            self._known.pop(home, None)
            return None

    def _open(self, home: WikiHome) -> _Known:
        known = self._known.get(home)
        if known is None:
            known = self._known[home] = _Known(own_repository(home.repo), str(home.wiki_db))
            if len(self._known) > _MOST_WIKIS:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(home)
        return known


def _preferences(known: _Known) -> bytes:
    try:
        version = _database_version(known.database)
    except FileNotFoundError:
        return _digest_of([])  # never awake yet
    if version != known.version:
        # Drafts and headings are kept in the same database; only another digest is another state.
        known.digest = _digest(known.database)
        known.version = version
    return known.digest


def _database_version(path: str) -> tuple[int, bytes]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        header = os.pread(descriptor, _COUNTER.stop, 0)
        if header[_JOURNAL] == _WAL:
            raise StorageFailed("The wiki's database says nothing of its changes.")
        return os.fstat(descriptor).st_ino, header[_COUNTER]
    finally:
        os.close(descriptor)


def _digest(path: str) -> bytes:
    """A fingerprint of the preferences.

    Raises sqlite3.Error at once while somebody writes them, and where there is more to read than preferences are.
    """
    address = f"file:{quote(path)}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=0, isolation_level=None)) as connection:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
        connection.set_progress_handler(lambda: True, _MOST_STEPS)
        kind = connection.execute("SELECT type, rootpage FROM sqlite_master WHERE name = 'preferences'").fetchone()
        if kind is None or kind[0] != "table" or not kind[1]:
            raise StorageFailed("The wiki's preferences are no table.")
        rows, size_bytes = [], 0
        for name, value in connection.execute("SELECT name, value FROM preferences"):
            rows.append((name, value))
            size_bytes += len(str(name)) + len(str(value))
            if size_bytes > _MOST_BYTES:
                raise StorageFailed("The wiki's preferences are larger than any that are meant.")
    rows.sort(key=repr)
    return _digest_of(rows)


def _digest_of(rows: list[tuple[str, str | None]]) -> bytes:
    return hashlib.blake2b(repr(rows).encode("utf-8", "surrogatepass"), digest_size=16).digest()
