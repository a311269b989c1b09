"""The copy of what belongs to no wiki: the platform's database, and the keys."""

from __future__ import annotations

import io
import sqlite3
import tarfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from robot.backup.live_database import copy_live, count_rows
from robot.db import DatabaseFailed
from robot.wikis import KEPT
from wikihost.layout import DataDir


@dataclass(frozen=True, slots=True)
class PlatformCopy:
    """The database as it was at one moment, in a file of its own, and the wikis of that moment: id to address."""

    path: Path
    schema: int
    wikis: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Key:
    """A file that holds a secret of this host; `name` is where it is in the data directory."""

    name: str
    content: bytes


def copy_platform(data: DataDir, target: Path) -> PlatformCopy:
    """Copy the database while others use it. Raises `DatabaseFailed`, OSError."""
    try:
        copy_live(data.robot_db, target)
    except sqlite3.Error as error:
        raise DatabaseFailed(f"the platform database cannot be copied: {error}") from error
    with closing(sqlite3.connect(target)) as copy:
        schema = int(copy.execute("PRAGMA user_version").fetchone()[0])
        return PlatformCopy(target, schema, wikis_to_come_back(copy))


def wikis_to_come_back(connection: sqlite3.Connection) -> Mapping[str, str | None]:
    """All wikis that can be had back, by id with their addresses: deleted ones, too, until they end for good."""
    return dict(connection.execute(f"SELECT id, slug FROM wikis WHERE {KEPT} ORDER BY id").fetchall())  # noqa: S608


def settle_copy(copied: PlatformCopy, *, gone: Iterable[str], run: str) -> Mapping[str, int]:
    """Make the copy agree with the rest of the backup; rows by table.

    Without the wikis in `gone`, which ended for good before their turn came, and without the backup `run`, which has
    not ended in it and never will.
    """
    with closing(sqlite3.connect(copied.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executemany("DELETE FROM wikis WHERE id = ?", [(wiki_id,) for wiki_id in gone])
        connection.execute("DELETE FROM backups WHERE id = ?", (run,))
        return count_rows(connection)


def read_keys(data: DataDir, wikis: Iterable[str]) -> list[Key]:
    """All keys of the host and of these wikis. Raises OSError."""
    files = [path for path in sorted(data.keys.iterdir()) if path.is_file() and not path.name.startswith(".")]
    files += [path for wiki_id in sorted(wikis) if (path := data.wiki(wiki_id).session_key).is_file()]
    return [Key(path.relative_to(data.root).as_posix(), path.read_bytes()) for path in files]


def pack_keys(keys: Iterable[Key]) -> bytes:
    """The keys as a tar archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for key in keys:
            entry = tarfile.TarInfo(key.name)
            entry.size, entry.mode = len(key.content), 0o600
            archive.addfile(entry, io.BytesIO(key.content))
    return packed.getvalue()
