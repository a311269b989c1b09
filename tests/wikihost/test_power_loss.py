"""The power fails at any step of a write: what the disk may hold then is a wiki as before or as after it.

A file system promises what was synced, and nothing else. Of the rest it may have kept nothing, or the names without the
bytes (as ext4 does), so both images are made of each moment. An acknowledged write is in both.
"""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.wikihost.disk_steps import Step, count_steps, each_step
from tests.wikihost.wikis import git
from tests.wikihost.write_paths import WRITE_PATHS, Stage, make_stage
from wikihost.content import Content
from wikihost.writer import Writer

# Every eleventh step; set ROBOT_TEST_EACH_STEP=1 for all.
STRIDE = 1 if os.environ.get("ROBOT_TEST_EACH_STEP") else 11


@dataclass
class Disk:
    """What the disk below `root` has promised to keep: bytes of files by inode, and names in folders."""

    root: Path
    kept: dict[int, bytes] = field(default_factory=dict)
    names: dict[Path, dict[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """All that is there now is old, and safe."""
        for folder, _, files in os.walk(self.root):
            self._keep_names(Path(folder))
            for name in files:
                self._keep_bytes(Path(folder, name))

    def watch(self, step: Step, call: Any) -> Any:
        result = call()
        if step.name == "fsync":
            synced = Path(os.readlink(f"/proc/self/fd/{step.arguments[0]}"))
            if synced.is_dir():
                self._keep_names(synced)
            else:
                self._keep_bytes(synced)
        return result

    def image_of_synced(self, target: Path) -> None:
        """What is there when all else is lost."""
        made: dict[int, Path] = {}
        for folder, names in self.names.items():
            if not self._is_kept(folder):
                continue
            place = target / folder.relative_to(self.root)
            place.mkdir(exist_ok=True)
            for name, inode in names.items():
                if folder / name not in self.names and inode in self.kept:
                    self._put(inode, place / name, made)

    def image_of_names(self, target: Path) -> None:
        """What is there when all names are kept, and of the files only what was synced."""
        made: dict[int, Path] = {}
        for folder, _, files in os.walk(self.root):
            place = target / Path(folder).relative_to(self.root)
            place.mkdir(exist_ok=True)
            for name in files:
                if name.startswith("catalog.db"):
                    shutil.copy(Path(folder, name), place)  # SQLite's own steps are not seen here
                else:
                    self._put(Path(folder, name).stat().st_ino, place / name, made)

    def _put(self, inode: int, file: Path, made: dict[int, Path]) -> None:
        """Write a file, or make it another name of what was written."""
        if inode in made:
            file.hardlink_to(made[inode])
        else:
            file.write_bytes(self.kept.get(inode, b""))
        made[inode] = file

    def _is_kept(self, folder: Path) -> bool:
        while folder != self.root:
            if folder.name not in self.names.get(folder.parent, {}):
                return False
            folder = folder.parent
        return True

    def _keep_names(self, folder: Path) -> None:
        self.names[folder] = {entry.name: entry.inode() for entry in os.scandir(folder)}
        for entry in os.scandir(folder):
            if stat.S_ISDIR(entry.stat().st_mode):
                self.names.setdefault(folder / entry.name, {})

    def _keep_bytes(self, file: Path) -> None:
        self.kept[file.stat().st_ino] = file.read_bytes()


@pytest.fixture(scope="module")
def stage(memory: Path) -> Stage:
    return make_stage(memory / "stage" / "data")


@pytest.mark.parametrize("path", ["create", "rename", "attach", "take_in", "browser_save", "browser_rename"])
def test_the_disk_keeps_a_whole_wiki(
    stage: Stage, memory_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = WRITE_PATHS[path]
    whole, copy = stage.copy(memory_path / "whole"), stage.copy(memory_path / "copy")
    steps = count_steps(lambda: write(whole))
    before, after = stage.tree, whole.tree
    disk = Disk(copy.root)

    def look_now_and_then(step: Step, call: Any) -> Any:
        if step.number % STRIDE == len(path) % STRIDE:
            images_of(disk, memory_path / f"step {step.number:03}")
        return disk.watch(step, call)

    with each_step(look_now_and_then):
        write(copy)
    images_of(disk, memory_path / f"step {steps:03} done")
    monkeypatch.setattr("wikihost.worktree._boot_id", lambda: "another boot")
    images = sorted(memory_path.glob("step */*"))
    assert len(images) >= 2 * (steps // STRIDE)
    seen = set()
    for image in images:
        recovered = Stage(image, stage.pushed)
        assert recovered.tree in ((after,) if "done" in str(image) else (before, after)), image
        seen.add(recovered.tree)
        assert_recovers(recovered)
    assert seen == {before, after}


class Killed(BaseException):
    """Stands for `kill -9`: nothing that is written handles it."""


def test_objects_of_a_killed_writer_are_as_safe_as_ones_own(stage: Stage, memory_path: Path) -> None:
    """They are there, so they are not stored again; but it may have died before their folder was synced."""
    copy, image = stage.copy(memory_path / "copy"), memory_path / "image"
    disk = Disk(copy.root)

    def die_after_the_first_object(step: Step, call: Any) -> Any:
        result = disk.watch(step, call)
        if step.name == "rename":
            raise Killed
        return result

    with pytest.raises(Killed), each_step(die_after_the_first_object):
        WRITE_PATHS["create"](copy)
    with each_step(disk.watch):
        WRITE_PATHS["create"](copy)
    image.mkdir()
    disk.image_of_synced(image)
    recovered = Stage(image, stage.pushed)
    assert recovered.tree == copy.tree
    assert_recovers(recovered)


def images_of(disk: Disk, target: Path) -> None:
    for name, make in (("synced", disk.image_of_synced), ("names", disk.image_of_names)):
        (target / name).mkdir(parents=True)
        make(target / name)


def assert_recovers(stage: Stage) -> None:
    tree = stage.tree
    with Writer(stage.home).locked():
        assert git(stage.home, "status", "--porcelain", "--untracked-files=all") == ""
    assert git(stage.home, "fsck", "--strict", "--no-dangling") == ""
    content = Content(stage.home)
    assert all(content.read_page(page.path).text for page in content.list_pages())
    content.close()
    assert stage.tree == tree
