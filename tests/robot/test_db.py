from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import trio

from robot import db as db_module
from robot.db import ConstraintBroken, Database, DatabaseBusy, DatabaseFailed, DatabaseFull
from robot.migrate import NotOurDatabase


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with closing(Database.open(tmp_path / "robot.db")) as opened:
        yield opened


def add_user(connection: sqlite3.Connection, name: str) -> None:
    connection.execute(
        "INSERT INTO users (id, name, display_name, is_operator, created_at) VALUES (?, ?, ?, 0, 0)",
        (f"u_{name}", name, name),
    )


def names(db: Database) -> list[str]:
    return [row["name"] for row in db.all("SELECT name FROM users ORDER BY name")]


async def test_a_write_is_seen_by_the_next_read_in_place(db: Database) -> None:
    for name in ("ada", "eve"):
        await db.write(partial(add_user, name=name))
        row = db.one("SELECT count(*) AS n FROM users")  # a read left open would keep seeing the old state
        assert row is not None
        assert row["n"] == len(names(db))
    assert names(db) == ["ada", "eve"]
    assert [row["name"] for row in await db.scan("SELECT name FROM users ORDER BY name")] == ["ada", "eve"]


async def test_an_exception_rolls_back_and_the_next_write_works(db: Database) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        add_user(connection, "ada")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await db.write(fail)
    await db.write(lambda connection: add_user(connection, "eve"))
    assert names(db) == ["eve"]


async def test_a_transaction_that_began_is_finished_though_its_caller_is_cancelled(db: Database) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slowly(connection: sqlite3.Connection) -> None:
        began.set()
        assert go_on.wait(5)
        add_user(connection, "ada")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(db.write, slowly)
        await trio.to_thread.run_sync(began.wait, 5)
        nursery.cancel_scope.cancel()
        go_on.set()
    assert names(db) == ["ada"]


async def test_a_writer_that_waits_for_its_turn_can_be_cancelled(db: Database) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slowly(_: sqlite3.Connection) -> None:
        began.set()
        assert go_on.wait(5)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(db.write, slowly)
        await trio.to_thread.run_sync(began.wait, 5)
        with trio.move_on_after(0) as waiting:
            await db.write(lambda connection: add_user(connection, "ada"))
        go_on.set()
    assert waiting.cancelled_caught
    assert names(db) == []


async def test_many_writers_in_two_processes_all_succeed(db: Database) -> None:
    program = (
        "import sys; from pathlib import Path; from robot.db import Database\n"
        "from tests.robot.test_db import add_user\n"
        "db = Database.open(Path(sys.argv[1]))\n"
        "for i in range(40): db.transact(lambda connection: add_user(connection, f'other{i}'))\n"
        "db.close()\n"
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.run_process, [sys.executable, "-c", program, str(db.path)])
        for i in range(40):
            nursery.start_soon(db.write, partial(add_user, name=f"own{i}"))
    assert len(names(db)) == 80


async def test_reading_connections_cannot_write(db: Database) -> None:
    with pytest.raises(DatabaseFailed, match="readonly"):
        db.one("DELETE FROM users")


async def test_contradictions_are_refused(db: Database) -> None:
    await db.write(lambda connection: add_user(connection, "ada"))
    with pytest.raises(ConstraintBroken):
        await db.write(lambda connection: add_user(connection, "ada"))
    grant = "INSERT INTO grants (wiki_id, user_id, role) VALUES ('w_none', 'u_ada', 'owner')"
    with pytest.raises(ConstraintBroken):  # foreign keys are enforced
        await db.write(lambda connection: connection.execute(grant))


async def test_a_database_that_another_process_holds_is_busy(db: Database) -> None:
    db._writer.execute("PRAGMA busy_timeout = 10")
    with closing(sqlite3.connect(db.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy):
            await db.write(lambda connection: add_user(connection, "ada"))
        assert names(db) == []  # readers do not wait for writers
        other.execute("ROLLBACK")
    await db.write(lambda connection: add_user(connection, "ada"))


async def test_a_transaction_that_computes_for_too_long_is_interrupted(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    monkeypatch.setattr(db_module, "WRITE_DEADLINE_S", 0.05)
    monkeypatch.setattr(db_module, "SCAN_DEADLINE_S", 0.05)
    with pytest.raises(DatabaseBusy):
        await db.write(lambda connection: connection.execute(endless).fetchone())
    with pytest.raises(DatabaseBusy):
        await db.scan(endless)
    await db.write(lambda connection: add_user(connection, "ada"))


async def test_a_full_disk_says_so_and_writing_goes_on_when_there_is_room(db: Database) -> None:
    pages = db.one("PRAGMA page_count")
    assert pages is not None
    db._writer.execute(f"PRAGMA max_page_count = {pages[0]}")

    def fill(connection: sqlite3.Connection) -> None:
        for i in range(10_000):
            add_user(connection, f"user{i}")

    with pytest.raises(DatabaseFull):
        await db.write(fill)
    db._writer.execute("PRAGMA max_page_count = 1000000")
    await db.write(lambda connection: add_user(connection, "ada"))
    assert names(db) == ["ada"]


def test_the_file_is_the_owners_alone_and_durable(db: Database) -> None:
    assert db.path.stat().st_mode & 0o777 == 0o600
    assert db._writer.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert db._writer.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    assert db._writer.execute("PRAGMA foreign_keys").fetchone()[0] == 1


def test_the_hot_reads_use_an_index(db: Database) -> None:
    reads = (
        "SELECT * FROM wikis WHERE slug = 'a'",
        "SELECT * FROM tokens WHERE secret_hash = x'00'",
        "SELECT * FROM sessions JOIN users ON users.id = sessions.user_id WHERE sessions.id = 'a'",
        "SELECT * FROM wiki_sessions JOIN sessions ON sessions.id = session_id WHERE secret_hash = x'00'",
        "SELECT role FROM grants WHERE wiki_id = 'a' AND user_id = 'b'",
    )
    for sql in reads:
        plan = [row["detail"] for row in db.all(f"EXPLAIN QUERY PLAN {sql}")]
        assert all(step.startswith("SEARCH") for step in plan), (sql, plan)


def test_a_strangers_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "robot.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    with pytest.raises(NotOurDatabase, match="not a database of robot"):
        Database.open(path)
    path.write_bytes(b"just some text, long enough to be looked at as a header of a database file" * 20)
    before = path.read_bytes()
    with pytest.raises(DatabaseFailed):
        Database.open(path)
    assert path.read_bytes() == before
