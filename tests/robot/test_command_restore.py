"""`robot restore` and `robot wiki clone`, on a data directory of their own: what they say, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trio
from click import UsageError
from click.testing import CliRunner

from robot.backup.directory import DirectoryStore
from robot.backup.manifest import list_backups, read_manifest, write_manifest
from robot.backup.taking import Order, take_backup
from robot.cli import _sentence, cli, main
from robot.commands.opened import open_platform
from robot.settings import load
from tests.robot.backup_stage import RETENTION, Heard

Say = Callable[..., str]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Calls a verb; returns its exit code with what it prints, or the sentence that it fails with."""
    monkeypatch.setenv("ROBOT_DATA", str(tmp_path / "data"))

    def call(*words: str) -> str:
        done = CliRunner().invoke(cli, words, standalone_mode=False)
        if not isinstance(done.exception, Exception):
            return f"{done.exit_code}: {done.output}"
        return f"{type(done.exception).__name__}: {_sentence(done.exception)}"

    return call


@pytest.fixture
def backup(say: Say, tmp_path: Path) -> Path:
    """A backup of a host with one wiki, `notes`."""
    assert say("wiki", "create", "notes").startswith("0")
    place = tmp_path / "backup"
    place.mkdir()
    with open_platform(None) as opened:
        domain = load(None).settings.domain
        order = Order(opened.data, opened.db, domain, DirectoryStore(place), None, RETENTION)
        trio.run(partial(take_backup, order, Heard()))
    return place


def test_a_whole_host_from_the_command_line(say: Say, backup: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    assert "robot.localhost\t1 wiki\t" in say("restore", "--list", str(backup))
    assert "data is not empty (robot.db is there)" in say("restore", str(backup))
    said = say("restore", str(backup), "--to", str(there))
    assert said.startswith("0")
    assert f"robot.localhost is in {there}, with 1 wiki." in said
    assert "everybody signs in again" in said
    assert (there / "robot.db").exists()
    assert "There is no directory" in say("restore", str(tmp_path / "nowhere"))
    (run,) = [manifest.stem for manifest in (backup / "manifests").iterdir()]
    assert "0: " in say("restore", "--check", str(backup), "--at", run)
    assert "is not there" in say("restore", "--check", str(backup), "--at", run.replace("-", "-a")[:-1])
    (backup / "manifests" / f"{run}.json").write_text("{}")
    assert f"{run}\tThe backup {run} at {backup} has a manifest that is damaged" in say(
        "restore", "--list", str(backup)
    )


def test_whatever_a_backup_says_no_terminal_obeys_it(
    say: Say, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who may write where backups lie is not to write to the screen of who restores them."""
    store, codes = DirectoryStore(backup), "\x1b[2J\x07"
    (run,) = list_backups(store)
    manifest = read_manifest(store, run)
    forged = {"domain": f"a{codes}", "robot": f"b{codes}", "problems": {"w": f"c{codes}"}}
    write_manifest(store, manifest.model_copy(update=forged))
    said = [say("restore", "--list", str(backup)), say("restore", str(backup), "--to", str(tmp_path / "there"))]
    said.append(say("restore", "--check", str(backup)))
    assert [codes in each for each in said] == [False] * 3
    assert [r"\x1b[2J\x07" in each for each in said] == [True] * 3
    write_manifest(
        store, manifest.model_copy(update={"wikis": (manifest.wikis[0].model_copy(update={"slug": codes}),)})
    )
    monkeypatch.setattr("sys.argv", ["robot", "restore", str(backup), "--wiki", "other"])
    with pytest.raises(SystemExit):
        main()
    assert r"it has: \x1b[2J\x07" in capsys.readouterr().err


def test_a_check_that_finds_damage_fails(say: Say, backup: Path, tmp_path: Path) -> None:
    (bundle,) = backup.rglob("*.bundle")
    bundle.unlink()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    said = say("restore", "--check", str(backup), "--to", str(scratch))
    assert said.startswith("1")
    assert f"damaged    {bundle.relative_to(backup)}: is missing" in said
    assert list(scratch.iterdir()) == []
    assert "is missing" in say("restore", str(backup), "--to", str(tmp_path / "there"))


def test_one_wiki_from_the_command_line(say: Say, backup: Path) -> None:
    assert "The address notes is taken. `--as` takes it beside" in say("restore", str(backup), "--wiki", "notes")
    said = say("restore", str(backup), "--wiki", "notes", "--as", "notes-then")
    assert "notes is at http://notes-then.robot.localhost:8080, private.\n  owner: keeper" in said
    assert "no wiki other" in say("restore", str(backup), "--wiki", "other")
    assert "nobody named eve" in say("restore", str(backup), "--wiki", "notes", "--as", "third", "--owner", "eve")
    assert "http://notes-copy.robot.localhost:8080" in say("wiki", "clone", "notes", "notes-copy")
    assert "is taken" in say("wiki", "clone", "notes", "notes-copy")
    assert "There is no wiki other" in say("wiki", "clone", "other", "another")
    listed = say("wiki", "list")
    assert [line.count("4 of 5000 pages") for line in listed.splitlines()] == [1, 1, 1]


@pytest.mark.parametrize("words", [("--list", "--check"), ("--as", "other"), ("--wiki", "notes", "--to", "there")])
def test_what_does_not_go_together_is_refused(say: Say, words: tuple[str, ...]) -> None:
    assert say("restore", "anywhere", *words).startswith(UsageError.__name__)
