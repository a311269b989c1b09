"""A data directory into which a backup is restored: nothing of somebody's goes, nothing half is taken for whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from robot.datadir import DataDirError, DataDirLock, being_restored, prepare
from wikihost.layout import DataDir


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data")


def fill(data: DataDir) -> None:
    data.wiki("w").root.mkdir(parents=True)
    data.robot_db.write_text("people")


def test_robot_starts_there_only_when_all_is_there(data: DataDir) -> None:
    with being_restored(data):
        fill(data)
        with pytest.raises(DataDirError, match=r"run `robot restore` again"):
            prepare(data)
        with pytest.raises(DataDirError, match="Another robot"), being_restored(data):
            pass
    prepare(data)
    assert data.robot_db.read_text() == "people"


def test_a_directory_with_a_file_is_refused_and_left_alone(data: DataDir) -> None:
    prepare(data)
    note = data.wikis / "note"
    note.write_text("mine")
    with pytest.raises(DataDirError, match=r"is not empty \(wikis/note is there\)"), being_restored(data):
        pass
    assert note.read_text() == "mine"
    prepare(data)


def test_folders_that_check_made_are_no_obstacle(data: DataDir) -> None:
    with DataDirLock(data):
        pass
    with being_restored(data):
        fill(data)


def test_where_a_robot_runs_nothing_is_restored(data: DataDir) -> None:
    with DataDirLock(data), pytest.raises(DataDirError, match="Another robot is running"), being_restored(data):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a directory of somebody else's")
def test_a_directory_of_another_user_is_refused(data: DataDir) -> None:
    data.root.mkdir()
    os.chown(data.root, 65534, 65534)
    with pytest.raises(DataDirError, match="belongs to the user nobody"), being_restored(data):
        pass
    # A lock or a folder that a verb of root's leaves would keep the service and its backups out.
    with pytest.raises(DataDirError, match=r"run it as nobody \(runuser -u nobody -- robot …\)"):
        prepare(data)
    assert list(data.root.iterdir()) == []


def test_a_directory_that_cannot_be_looked_at_is_named_with_its_mend(tmp_path: Path) -> None:
    with pytest.raises(DataDirError, match=r"cannot be written: .* Make it writable for this user"):
        prepare(DataDir(tmp_path / ("x" * 300)))


def test_what_failed_leaves_it_empty(data: DataDir) -> None:
    def fail() -> None:
        with being_restored(data):
            fill(data)
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        fail()
    assert [path for path in data.root.iterdir() if path != data.lock] == []


KILLED = """
import os, signal, sys
from pathlib import Path
from robot.datadir import being_restored
from wikihost.layout import DataDir
data = DataDir(Path(sys.argv[1]))
with being_restored(data):
    data.wiki("old").root.mkdir(parents=True)
    data.robot_db.touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_killed_is_no_host_and_can_be_begun_anew(data: DataDir) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(data.root)], check=False)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(DataDirError, match="was interrupted"):
        prepare(data)
    with being_restored(data):
        assert not data.robot_db.exists()
        fill(data)
    assert [home.name for home in data.wikis.iterdir()] == ["w"]
    prepare(data)
