"""A worker that was taken over reaches its own wiki and nothing else; where isolation is off, each attempt succeeds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import wikihost
from tests.wikihost.escape_run import plugged_in
from tests.wikihost.escapes import ATTEMPTS
from tests.wikihost.fleets import ask, hosted, running_fleet
from wikihost.content import Content
from wikihost.errors import StorageFailed
from wikihost.isolation import landlock, places
from wikihost.isolation.trial import try_isolation
from wikihost.layout import DataDir, WikiHome
from wikihost.references import read_references

ROOT = Path(__file__).parents[2]
NOBODY = 65534
SYSTEM_PYTHON = Path("/usr/bin/python3.11")
NEEDY = """
import pluggy

class plugin:
    @pluggy.HookimplMarker("otterwiki")
    def setup(app):
        app.before_request(lambda: open({path!r}).close())
"""
# The kernel counts root's tasks, and holds it to nothing.
NOT_FOR_ROOT = {"start ever more tasks"}


@dataclass(frozen=True, slots=True)
class Whose:
    """Who runs the fleet, and by which Python; root's own may be out of others' reach."""

    uid: int
    python: str

    def run(self, isolation: str, place: Path) -> dict[str, Any]:
        place.chmod(0o700)
        os.chown(place, self.uid, -1)
        command = [self.python, "-m", "tests.wikihost.escape_run", isolation, str(place)]
        libraries = [entry for entry in sys.path if entry.endswith("site-packages")]
        environment: Mapping[str, str] = {
            **{"PATH": os.environ["PATH"], "HOME": str(place), "PYTHONDONTWRITEBYTECODE": "1"},
            "PYTHONPATH": os.pathsep.join([str(ROOT), *libraries]),
        }
        user = {} if self.uid == os.getuid() else {"user": self.uid, "group": self.uid, "extra_groups": []}
        done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True, **user)  # type: ignore[call-overload]
        outcome: dict[str, Any] = json.loads(done.stdout)
        assert outcome["late binding"]
        assert outcome["after"] == [302, 200]  # both workers are well
        assert outcome["attempts"].keys() == ATTEMPTS.keys()
        return outcome


def an_ordinary_user() -> Whose:
    if os.getuid() != 0:
        return Whose(os.getuid(), sys.executable)
    open_to_all = all(parent.stat().st_mode & 1 for parent in (ROOT, *ROOT.parents))
    if not (open_to_all and SYSTEM_PYTHON.exists() and sys.version_info[:2] == (3, 11)):
        pytest.skip("no other user than root reaches Python and this code here")
    return Whose(NOBODY, str(SYSTEM_PYTHON))


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that an ordinary user reaches: pytest's own are for root alone."""
    with TemporaryDirectory(prefix="robot-test-") as path:
        yield Path(path)


def test_a_worker_of_an_ordinary_user_cannot_leave_its_wiki(place: Path) -> None:
    attempts = an_ordinary_user().run("required", place)["attempts"]
    assert [name for name, outcome in attempts.items() if outcome == "done"] == []


def test_every_attempt_succeeds_without_isolation(place: Path) -> None:
    attempts = an_ordinary_user().run("off", place)["attempts"]
    assert {name: outcome for name, outcome in attempts.items() if outcome != "done"} == {}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be root")
def test_a_worker_of_root_cannot_leave_its_wiki(tmp_path: Path) -> None:
    attempts = Whose(0, sys.executable).run("try", tmp_path)["attempts"]
    assert {name for name, outcome in attempts.items() if outcome == "done"} == NOT_FOR_ROOT


async def test_otter_wiki_that_needs_more_runs_unconfined_where_it_may(tmp_path: Path) -> None:
    """For instance with a plugin that reads a file of the machine at each request."""
    needed = tmp_path / "needed"
    needed.write_text("needed")
    plugin = tmp_path / "needy.py"
    plugin.write_text(NEEDY.format(path=str(needed)))
    wiki = hosted(tmp_path)
    with plugged_in(plugin, tmp_path / "plugins"):
        async with running_fleet(tmp_path / "run") as fleet, fleet.lease(wiki) as worker:
            assert fleet.late_binding
            assert (await ask(worker, "/Home")).status == 200


def test_this_machine_isolates_workers_and_says_so(tmp_path: Path) -> None:
    assert [piece.lacks for piece in try_isolation(DataDir(tmp_path))] == ["", "", ""]


def test_a_kernel_without_landlock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    files, calls, signals = try_isolation(DataDir(tmp_path))
    assert "does not offer Landlock" in files.lacks
    assert not calls.lacks
    assert "Linux 6.12" in signals.lacks


def test_a_kernel_that_only_pretends_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "restrict", lambda *_: None)
    files, calls, _ = try_isolation(DataDir(tmp_path))
    assert files.lacks == "it could read another file"
    assert not calls.lacks


def by_its_git_directory(mine: WikiHome, other: WikiHome) -> None:
    shutil.rmtree(mine.git_dir)
    mine.git_dir.write_text(f"gitdir: {other.git_dir}\n")


def by_its_objects(mine: WikiHome, other: WikiHome) -> None:
    (mine.git_dir / "objects" / "info").mkdir(exist_ok=True)
    (mine.git_dir / "objects" / "info" / "alternates").write_text(f"{other.git_dir / 'objects'}\n")


def by_its_branches(mine: WikiHome, other: WikiHome) -> None:
    (mine.git_dir / "commondir").write_text(f"{other.git_dir}\n")


@pytest.mark.parametrize("leads", [by_its_git_directory, by_its_objects, by_its_branches])
def test_core_is_not_led_to_another_wiki(tmp_path: Path, leads: Callable[[WikiHome, WikiHome], None]) -> None:
    """What whoever took a worker over can do: write anything into its own wiki, and wait for core to read it."""
    mine, other = hosted(tmp_path, "mine").home, hosted(tmp_path, "other", {"Secret": "secret\n"}).home
    leads(mine, other)
    content = Content(mine)
    with pytest.raises(StorageFailed, match="repository"):
        content.head()
    content.close()
    with pytest.raises(StorageFailed, match="repository"):
        read_references(mine, wait_s=1.0)  # as backups, sealed copies and clones do


def test_a_data_directory_among_programs_is_refused() -> None:
    code = Path(wikihost.__file__).parent
    files = try_isolation(DataDir(code / "data"))[0]
    assert f"lies in {code}" in files.lacks
    assert places.overlapping(code.parent / "data") is None
