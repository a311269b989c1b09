"""The disk fills up in a push, or takes no writes any more: each door says so, reads go on, and so do writes later."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.doors import Doors, open_doors
from tests.fault.test_full_disk import full
from tests.git_door.client import Git
from tests.harness import running_robot
from tests.processes import git, small_disk, wait_until
from wikihost.layout import DataDir

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root"),
]

DISK_MIB = 32
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """A wiki on a disk of its own, awake at all doors."""
    place = tmp_path_factory.mktemp("broken") / "disk"
    with small_disk(place, DISK_MIB) as disk, running_robot(disk / "data") as robot, open_doors(robot) as opened:
        assert opened.browser.get("/").status_code == 200
        assert opened.put("Here", "Beforehand.").status_code == 201
        yield opened


def assert_sound(doors: Doors) -> None:
    assert git(doors.home.repo, "fsck", "--strict", "--no-dangling") == ""
    assert git(doors.home.repo, "status", "--porcelain", "--untracked-files=all") == ""
    assert not list((doors.robot.data / "transfers").glob("*"))


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """What a file system makes of itself after an error of its disk; for whoever opens a file there from now on."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("room_bytes", [0, 200_000, 3 * MIB])
def test_a_push_that_finds_no_room(doors: Doors, tmp_path: Path, room_bytes: int) -> None:
    """Nowhere, in its spool, or where it is unpacked: 4 MiB are pushed, and need twice that."""
    copy = doors.clone(tmp_path / "copy")
    before = git(doors.home.repo, "rev-parse", "HEAD")
    copy.write({f"Large {room_bytes}.bin": os.urandom(2 * MIB), f"Large {room_bytes}.md": "x"})
    disk = doors.robot.data.parent
    with full(disk):
        with (disk / "ballast").open("r+b") as ballast:
            ballast.truncate((disk / "ballast").stat().st_size - room_bytes)
        assert re.search("507|disk is full", copy.fails("push"))
        assert git(doors.home.repo, "rev-parse", "HEAD") == before
        assert doors.page("Here")["content"] == "Beforehand."
    wait_until(lambda: not list((doors.robot.data / "transfers").glob("*")), 10, "the transfer is put away")
    assert_sound(doors)
    copy("push", "-q")
    assert doors.page(f"Large {room_bytes}")["content"] == "x"
    assert_sound(doors)


def test_a_wiki_that_cannot_be_written_is_read(doors: Doors, tmp_path: Path) -> None:
    """Its repository, its catalog and Otter Wiki's database refuse."""
    copy = doors.clone(tmp_path / "copy")
    copy.write({"Later.md": "x"})
    with read_only(doors.home.root):
        for refused in (
            doors.put("Nowhere", "x"),
            doors.rest.put("/api/v1/pages/Here/attachments/f.bin", content=b"x"),
            doors.rest.delete("/api/v1/pages/Here"),
        ):
            assert (refused.status_code, refused.json()["code"]) == (500, "storage_failed")
            assert "nothing was saved" in refused.json()["error"]
        done, said, _ = doors.tool("write_note", path="Nowhere", content="x")
        assert (done, "nothing was saved" in said) == (False, True)
        saved = doors.save("Nowhere", "What was typed.")
        assert (saved.status_code, "What was typed." in saved.text) == (503, True)
        draft = doors.browser.post(
            "/Here/draft", data={"content": "x", "revision": ""}, headers={"Sec-Fetch-Site": "same-origin"}
        )
        assert draft.status_code == 503
        assert "503" in copy.fails("push")
        assert_read(doors, tmp_path / "clone")
    assert_goes_on(doors, copy)


def test_transfers_that_cannot_be_written_stop_git_only(doors: Doors, tmp_path: Path) -> None:
    copy = doors.clone(tmp_path / "copy")
    copy.write({"Pushed later.md": "x"})
    with read_only(DataDir(doors.robot.data).transfers):
        assert "503" in copy.fails("push")
        assert "503" in Git(tmp_path).fails("clone", doors.address, "clone")
        assert doors.put("Elsewhere", "x").status_code == 201
    assert_goes_on(doors, copy)


def assert_read(doors: Doors, place: Path) -> None:
    assert doors.page("Here")["content"].strip() == "Beforehand."
    assert doors.rest.get("/api/v1/search?q=beforehand").json()["total"] == 1
    assert doors.tool("read_note", path="Here")[0]
    for path in ("/Here", "/-/changelog", "/Here/history"):
        assert doors.browser.get(path).status_code == 200, path
    doors.clone(place)


def assert_goes_on(doors: Doors, copy: Git) -> None:
    assert doors.save("Here", "Beforehand.").status_code == 302
    copy("pull", "-q", "--rebase")
    copy("push", "-q")
    assert_sound(doors)
