"""Which commit last touched a file at the branch head, without a `git` process.

The catalog answers for the commit that it is at, and follows the head a moment after each commit: what lies between is
looked at in git's objects. Where neither can tell for sure the answer is None, and git is
to be asked: the catalog is missing, damaged or far behind, or a merge makes the answer depend on git's simplification.
"""

from __future__ import annotations

import os
import sqlite3
from threading import Lock
from urllib.parse import quote

import pygit2
from pygit2.enums import FileMode

from wikihost.catalog import SCHEMA_VERSION
from wikihost.layout import WikiHome
from wikihost.query import last_commit

# A commit looked at costs some 30 µs, asking git some milliseconds.
_COMMITS_BEHIND = 32
# A catalog that is being built anew is not waited for.
_BUSY_TIMEOUT_S = 0.01
_CACHE_KIB = 256
_FILES = frozenset({FileMode.BLOB, FileMode.BLOB_EXECUTABLE, FileMode.LINK})


class LastCommits:
    """Last commits of one wiki's files. Thread-safe."""

    def __init__(self, home: WikiHome) -> None:
        self._catalog = _CatalogReader(home)

    def find(self, git: pygit2.Repository, head: str, file: str) -> str | None:
        """The commit that `git rev-list -1 HEAD -- file` names; None for what is no file at the head, or unsure.

        The name is taken literally, where git's command line would look for wildcards in it.
        """
        commit = git[head].peel(pygit2.Commit)
        entry = _entry(commit, file)
        if entry is None:
            return None
        at, known = self._catalog.last_commit(file)
        for _ in range(_COMMITS_BEHIND):
            if str(commit.id) == at:
                return known
            if len(commit.parent_ids) > 1:
                return None
            parent = commit.parents[0] if commit.parent_ids else None
            if parent is None or _entry(parent, file) != entry:
                return str(commit.id)
            commit = parent
        return None


class _CatalogReader:
    """One connection to the catalog, for reading, opened when it is first needed."""

    def __init__(self, home: WikiHome) -> None:
        self._file = home.catalog_db
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._lock = Lock()

    def last_commit(self, file: str) -> tuple[str | None, str | None]:
        """The commit that the catalog is at, and the last one there that touched the file; None when it cannot say."""
        with self._lock:
            try:
                return self._read(self._open(), file)
            # UnicodeError: a name that is no UTF-8, which the catalog does not keep as it is.
            except (sqlite3.Error, OSError, UnicodeError):
                self._close()
                return None, None

    def _read(self, connection: sqlite3.Connection, file: str) -> tuple[str | None, str | None]:
        connection.execute("BEGIN")
        try:
            meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
            if meta.get("version") != SCHEMA_VERSION:
                return None, None
            return meta.get("commit"), last_commit(connection, file)
        finally:
            connection.execute("ROLLBACK")

    def _open(self) -> sqlite3.Connection:
        """The connection, to the file that is there now: core may have replaced a damaged one."""
        inode = self._file.stat().st_ino
        if self._connection is None or inode != self._inode:
            self._close()
            self._connection = sqlite3.connect(
                f"file:{quote(os.fspath(self._file))}?mode=ro",
                uri=True,
                timeout=_BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._inode = inode
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _entry(commit: pygit2.Commit, file: str) -> tuple[FileMode, pygit2.Oid] | None:
    """Mode and object id of a file at a commit."""
    try:
        found = commit.tree[file]
    except (KeyError, ValueError):
        return None
    return (FileMode(found.filemode), found.id) if found.filemode in _FILES else None
