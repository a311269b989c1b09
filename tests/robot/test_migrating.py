"""The platform database on its way to a newer schema, whatever comes in between."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from robot.db import ConstraintBroken, Database, DatabaseFailed
from robot.migrate import (
    KEPT_DAYS,
    Migration,
    NoRoomToUpgrade,
    SchemaTooNew,
    copy_of,
    migrate,
    shipped_migrations,
)
from robot.wikis import find_wiki_by_slug
from tests.processes import small_disk

SHIPPED = len(shipped_migrations())
NEXT = Migration(SHIPPED + 1, "next.sql", "CREATE TABLE extra (a);\nINSERT INTO extra SELECT id FROM users;\n")
BROKEN = Migration(SHIPPED + 1, "broken.sql", "CREATE TABLE extra (a);\nINSERT INTO nowhere VALUES (1);\n")


# What the first release wrote.
ROWS = """
INSERT INTO users VALUES ('u1', 'ada', 'Ada', 1, 0);
INSERT INTO wikis VALUES ('w1', 'notes', 'Notes', '', 'private', 'ready', 0);
INSERT INTO grants VALUES ('w1', 'u1', 'owner');
INSERT INTO tokens VALUES ('t1', x'01', 'w1', 'u1', 'Claude', 'read write', 0, NULL, NULL);
INSERT INTO sessions VALUES ('s1', 'u1', 0, 1);
INSERT INTO wiki_sessions VALUES (x'02', 's1', 'w1', 0);
"""
TABLES = ("users", "wikis", "grants", "tokens", "sessions", "wiki_sessions")


def open_plain(path: Path, kind: type[sqlite3.Connection] = sqlite3.Connection) -> closing[sqlite3.Connection]:
    """Not synchronous: processes are killed here, and the machine is not."""
    connection = sqlite3.connect(path, isolation_level=None, factory=kind)
    connection.execute("PRAGMA synchronous = OFF")
    return closing(connection)


def test_a_newer_schema_is_refused_with_a_sentence(tmp_path: Path) -> None:
    Database.open(tmp_path / "robot.db").close()
    with closing(sqlite3.connect(tmp_path / "robot.db")) as connection:
        connection.execute("PRAGMA user_version = 900")
    with pytest.raises(SchemaTooNew, match=r"written by a newer robot \(schema 900; .*restore a backup"):
        Database.open(tmp_path / "robot.db")


def old_database(path: Path, version: int = 1, rows: str = ROWS) -> Path:
    """As a release with that schema left it."""
    with open_plain(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, path, shipped_migrations()[:1])
        connection.executescript(rows)
        if version > 1:
            migrate(connection, path, shipped_migrations()[:version])
            copy_of(path, 1).unlink()
    return path


def holdings(path: Path) -> tuple[int, list[int], list[str]]:
    """Schema version, rows of each old table, and what SQLite says of the whole."""
    with open_plain(path) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        rows = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES]
        sound = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        sound += [str(row) for row in connection.execute("PRAGMA foreign_key_check")]
    return version, rows, sound


def schema(path: Path) -> list[tuple[str, str]]:
    with open_plain(path) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def in_a_process_that_dies(work: Callable[[], None]) -> bool:
    """Run `work` in a process of its own; whether it was killed. Anything but that, or success, fails the test."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DiesWhileCopying(sqlite3.Connection):
    """Killed after some pages of a copy."""

    pages = 0

    def backup(self, target: sqlite3.Connection, **_: Any) -> None:
        def progress(_status: int, remaining: int, total: int) -> None:
            if total - remaining >= self.pages:
                die()

        super().backup(target, pages=1, progress=progress)


def test_an_upgrade_copies_the_database_first(tmp_path: Path) -> None:
    path = tmp_path / "robot.db"
    Database.open(old_database(path)).close()
    with open_plain(path) as connection:
        migrate(connection, path, [*shipped_migrations(), NEXT])
        assert connection.execute("SELECT a FROM extra").fetchall() == [("u1",)]
        assert connection.execute("PRAGMA user_version").fetchone() == (SHIPPED + 1,)
    for version in (1, SHIPPED):
        copy = copy_of(path, version)
        assert copy.stat().st_mode & 0o777 == 0o600
        assert holdings(copy) == (version, [1] * len(TABLES), ["ok"])


def test_a_step_that_fails_leaves_the_old_schema(tmp_path: Path) -> None:
    path = tmp_path / "robot.db"
    Database.open(path).close()
    with open_plain(path) as connection:
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            migrate(connection, path, [*shipped_migrations(), BROKEN])
        assert connection.execute("PRAGMA user_version").fetchone() == (SHIPPED,)
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'extra'").fetchone() is None
        migrate(connection, path, [*shipped_migrations(), NEXT])


def test_killed_at_every_third_statement_from_the_first_schema_to_the_newest(tmp_path: Path) -> None:
    """Every older schema is met on the way, with data in it; what is killed there is taken up by the next start."""
    Database.open(tmp_path / "fresh.db").close()
    old, path = old_database(tmp_path / "old.db"), tmp_path / "robot.db"
    met: set[int] = set()
    fatal, killed = 0, True
    while killed:
        fatal += 3
        shutil.copy(old, path)

        def upgrade(fatal: int = fatal) -> None:
            left = fatal

            def count(_statement: str) -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    die()

            with open_plain(path) as connection:
                connection.set_trace_callback(count)
                migrate(connection, path)

        killed = in_a_process_that_dies(upgrade)
        version, rows, sound = holdings(path)
        assert (rows, sound) == ([1] * len(TABLES), ["ok"])
        met.add(version)
        if version < SHIPPED:
            with open_plain(path) as connection:
                migrate(connection, path)
        assert schema(path) == schema(tmp_path / "fresh.db")
    assert met == set(range(1, SHIPPED + 1))
    assert holdings(copy_of(path, 1))[0] == 1


def test_killed_while_it_copies(tmp_path: Path) -> None:
    path = old_database(tmp_path / "robot.db")
    for pages in (1, 5, 20):

        def upgrade(pages: int = pages) -> None:
            DiesWhileCopying.pages = pages
            with open_plain(path, DiesWhileCopying) as connection:
                migrate(connection, path)

        assert in_a_process_that_dies(upgrade)
        assert not copy_of(path, 1).exists()  # half a copy never has its name
        assert holdings(path)[0] == 1
    Database.open(path).close()
    assert holdings(path)[0] == SHIPPED
    assert holdings(copy_of(path, 1)) == (1, [1] * len(TABLES), ["ok"])
    assert list(tmp_path.glob("*.unfinished*")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_no_room_for_the_copy_is_said_and_nothing_is_changed(tmp_path: Path) -> None:
    class FillsTheDisk(sqlite3.Connection):
        """Somebody takes the room once the copy has begun."""

        def backup(self, target: sqlite3.Connection, **options: Any) -> None:
            fill(disk)
            super().backup(target, **options)

    with small_disk(tmp_path / "disk", 2) as disk:
        path = old_database(disk / "robot.db")
        with (
            open_plain(path, FillsTheDisk) as connection,
            pytest.raises(NoRoomToUpgrade, match="Make room and start again; nothing was changed"),
        ):
            migrate(connection, path)
        with pytest.raises(NoRoomToUpgrade, match=r"0\.0 MiB are free"):
            Database.open(path)
        assert {file.name for file in disk.iterdir()} <= {"robot.db", "robot.db-wal", "robot.db-shm", "ballast"}
        (disk / "ballast").unlink()
        assert holdings(path) == (1, [1] * len(TABLES), ["ok"])
        Database.open(path).close()
        assert holdings(path)[0] == SHIPPED


def fill(disk: Path) -> None:
    free = os.statvfs(disk)
    (disk / "ballast").write_bytes(bytes(free.f_bavail * free.f_bsize))


def overwrite_a_page(path: Path) -> None:
    with open_plain(path) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'grants_of_user'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(range(256)) * (size // 256))


def part_an_index_from_its_table(path: Path) -> None:
    """Each page can be read; only a look at both tells that they do not agree."""
    with open_plain(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        sql = "CREATE INDEX grants_of_user ON grants (wiki_id)"
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'grants_of_user'", (sql,))


@pytest.mark.parametrize("damage", [overwrite_a_page, part_an_index_from_its_table])
def test_a_damaged_database_is_not_upgraded(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = old_database(tmp_path / "robot.db")
    damage(path)
    copy_of(path, 1).write_bytes(b"an earlier copy, which was sound")
    with pytest.raises(DatabaseFailed, match="restore it from a backup"):
        Database.open(path)
    with open_plain(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert copy_of(path, 1).read_bytes() == b"an earlier copy, which was sound"


def test_copies_go_after_their_time(tmp_path: Path) -> None:
    path = old_database(tmp_path / "robot.db")
    past = time.time() - (KEPT_DAYS + 1) * 86_400
    for name, moment in (("v1", past), ("v2", time.time()), ("vault", past)):
        (tmp_path / f"robot.db.{name}").touch()
        os.utime(tmp_path / f"robot.db.{name}", (moment, moment))
    with open_plain(path) as connection:
        migrate(connection, path, shipped_migrations()[:1])
    assert {file.suffix for file in tmp_path.iterdir()} == {".db", ".v2", ".vault"}


def test_wikis_from_before_there_were_settings_have_git_and_the_usual_quota(tmp_path: Path) -> None:
    path = tmp_path / "robot.db"
    with open_plain(path) as connection:
        migrate(connection, path, shipped_migrations()[:1])
        connection.execute("INSERT INTO wikis VALUES ('w1', 'notes', 'Notes', '', 'private', 'ready', 0)")
    with closing(Database.open(path)) as db:
        wiki = find_wiki_by_slug(db, "notes")
        assert wiki is not None
        assert (wiki.git_enabled, wiki.quota_pages, wiki.quota_bytes) == (True, None, None)
        for change in ("git_enabled = 2", "quota_pages = -1", "quota_bytes = -1"):
            with pytest.raises(ConstraintBroken):
                db.transact(lambda connection: connection.execute(f"UPDATE wikis SET {change}"))  # noqa: B023
