"""`robot upgrade`, on data that other releases left."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from robot.cli import _sentence, cli
from robot.datadir import DataDirLock
from robot.db import Database
from robot.migrate import Migration, check_version, copy_of, shipped_migrations
from robot.release import keep_release, last_release, this_release
from robot.search.indexing import run_record
from robot.search.indexing.run_record import RunRecord
from tests.robot.test_migrating import old_database
from wikihost.layout import DataDir

NEWEST = len(shipped_migrations())


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDir:
    monkeypatch.setenv("ROBOT_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return DataDir(tmp_path / "data")


def robot(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words), standalone_mode=False)


def contents(data: DataDir) -> dict[str, bytes]:
    return {str(path.relative_to(data.root)): path.read_bytes() for path in data.root.rglob("*") if path.is_file()}


def exit_code(done: Result) -> int:
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code


def test_the_check_says_what_an_upgrade_does_and_changes_nothing(data: DataDir) -> None:
    old_database(data.robot_db, 5)
    before = contents(data)
    done = robot("upgrade", "--check")
    assert exit_code(done) == 3
    names = ", ".join(step.name for step in shipped_migrations()[5:])
    assert f"database: schema 5 → {NEWEST}, by {names}\n" in done.output
    assert f"first it is copied to {copy_of(data.robot_db, 5)}\n" in done.output
    assert "tried on a copy" in done.output
    assert contents(data) == before

    done = robot("upgrade")
    assert (exit_code(done), check_version(data.robot_db)) == (0, NEWEST)
    assert check_version(copy_of(data.robot_db, 5)) == 5
    assert exit_code(robot("upgrade", "--check")) == 0


def test_a_check_while_the_host_runs_sees_what_is_not_yet_in_the_file(data: DataDir) -> None:
    with closing(Database.open(data.robot_db)):  # its schema is in the write-ahead log
        done = robot("upgrade", "--check")
        assert (exit_code(done), "Nothing would change." in done.output) == (0, True)


def test_nothing_there_is_nothing_to_upgrade(data: DataDir) -> None:
    done = robot("upgrade", "--check")
    assert exit_code(done) == 0
    assert "the first start makes it" in done.output
    assert contents(data) == {}


def test_what_ran_before_is_compared_with_what_would_run(data: DataDir) -> None:
    Database.open(data.robot_db).close()
    keep_release(data)
    assert last_release(data) == this_release()
    assert exit_code(robot("upgrade", "--check")) == 0
    kept = json.loads(data.release.read_text("utf-8"))
    kept |= {"robot": "0.0.9", "otterwiki": "2.1.0", "catalog": "1"}
    kept["settings"] = [*kept["settings"][1:], "colour"]
    data.release.write_text(json.dumps(kept))
    done = robot("upgrade", "--check")
    assert exit_code(done) == 3
    assert f"robot: 0.0.9 → {this_release().robot}\n" in done.output
    assert f"Otter Wiki: 2.1.0 → {this_release().otterwiki}\n" in done.output
    assert "catalogs: 0 wikis are built anew" in done.output
    assert f"new settings: {this_release().settings[0]}\n" in done.output
    assert "settings that are gone: colour\n" in done.output

    data.release.write_text("{")
    assert "not written down" in robot("upgrade", "--check").output


def test_wikis_of_another_embedding_model_are_counted(data: DataDir) -> None:
    Database.open(data.robot_db).close()
    home = data.wiki("w1")
    home.root.mkdir(parents=True)
    run_record.keep(home, RunRecord("some-older-model/1"))
    done = robot("upgrade", "--check")
    assert (exit_code(done), "1 wiki is embedded anew" in done.output) == (3, True)


def test_migrations_that_fail_on_a_copy_are_told_beforehand(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    Database.open(data.robot_db).close()
    broken = Migration(NEWEST + 1, "broken.sql", "INSERT INTO nowhere VALUES (1);\n")
    for module in ("robot.migrate", "robot.upgrade"):
        monkeypatch.setattr(f"{module}.shipped_migrations", lambda: [*shipped_migrations(), broken])
    before = contents(data)
    for words in (("upgrade", "--check"), ("upgrade",)):
        done = robot(*words)
        assert exit_code(done) == 1
        assert "problem: The migrations fail on a copy of the database: no such table: nowhere." in done.output
    assert contents(data) == before


def test_no_verb_migrates_under_a_host_that_runs(data: DataDir) -> None:
    old_database(data.robot_db, 5)
    with DataDirLock(data):
        for words in (("upgrade",), ("user", "list")):
            done = robot(*words)
            assert isinstance(done.exception, Exception)
            assert "Another robot is running" in str(_sentence(done.exception))
    assert check_version(data.robot_db) == 5
    assert "ada" in robot("user", "list").output
    assert check_version(data.robot_db) == NEWEST


def test_a_damaged_database_is_said_to_be_so(data: DataDir) -> None:
    data.robot_db.write_bytes(b"no database, however long one looks at it " * 200)
    done = robot("upgrade", "--check")
    assert isinstance(done.exception, Exception)
    assert "restore it from a backup" in str(_sentence(done.exception))
