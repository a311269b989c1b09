"""Copies of SQLite databases that are in use, and what is in them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"


def copy_live(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment, while others read and write it, to the new file `target`.

    The copy is one file, for this user alone, and not made durable: it is on its way elsewhere. Raises `sqlite3.Error`,
    OSError.
    """
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as connection,
        closing(sqlite3.connect(target)) as copy,
    ):
        copy.execute("PRAGMA synchronous = OFF")
        connection.backup(copy)


def count_rows(connection: sqlite3.Connection) -> Mapping[str, int]:
    """How many rows each table has."""
    tables = [name for (name,) in connection.execute(_TABLES)]
    return {table: connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables}  # noqa: S608
