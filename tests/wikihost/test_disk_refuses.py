"""The disk refuses any single step of a write: the answer is true, nothing is half-done, and the next write goes on."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.wikihost.disk_steps import Step, count_steps, each_step, failing_from
from tests.wikihost.wikis import assert_sound
from tests.wikihost.write_paths import SOMEBODY, WRITE_PATHS, Stage, make_stage
from wikihost.content import Content
from wikihost.errors import StorageFailed, StorageFull
from wikihost.objects import NotSynced

# Every thirteenth step of each write; set ROBOT_TEST_EACH_STEP=1 for all.
STRIDE = 1 if os.environ.get("ROBOT_TEST_EACH_STEP") else 13
# One that works when it is tried again, and one that never will in this write.
FAILURES = [(errno.EIO, 1), (errno.ENOSPC, 1_000)]


@pytest.fixture(scope="module")
def stage(memory: Path) -> Stage:
    return make_stage(memory / "stage" / "data")


def failure_of(write: Any, stage: Stage, step: int, error: int, steps: int) -> Exception | None:
    """What the write raises when the disk refuses these steps; None when it is acknowledged."""
    try:
        with each_step(failing_from(step, error, steps=steps)):
            write(stage)
    except (StorageFull, StorageFailed) as failed:
        return failed
    return None


@pytest.mark.parametrize(("error", "many"), FAILURES, ids=["EIO once", "ENOSPC from then on"])
@pytest.mark.parametrize("path", WRITE_PATHS)
def test_what_is_said_is_true(stage: Stage, memory_path: Path, path: str, error: int, many: int) -> None:
    write = WRITE_PATHS[path]
    whole = stage.copy(memory_path / "whole")
    steps = count_steps(lambda: write(whole))
    before, after = stage.tree, whole.tree
    refused = 0
    for step in range(len(path) % STRIDE, steps, STRIDE):
        copy = stage.copy(memory_path / "copy")
        failed = failure_of(write, copy, step, error, many)
        if failed is None:
            assert copy.tree == after, f"step {step}"
        elif isinstance(failed.__cause__, NotSynced):
            assert "look before you repeat it" in str(failed)
        else:
            assert isinstance(failed, StorageFull if error == errno.ENOSPC else StorageFailed)
            assert copy.tree == before, f"step {step}"
            refused += 1
        assert_goes_on(copy)
        shutil.rmtree(copy.root, ignore_errors=True)
    assert refused


def assert_goes_on(stage: Stage) -> None:
    content = Content(stage.home)
    content.write_page("After all", "Goes on.\n", base=None, author=SOMEBODY)
    assert content.read_page("After all").text == "Goes on.\n"
    content.close()
    assert_sound(stage.home)


@pytest.mark.parametrize("path", ["update", "take_in", "browser_save"])
def test_a_branch_that_moved_is_not_called_unsaved(stage: Stage, memory_path: Path, path: str) -> None:
    """fsync of the branch's folder fails: readers see the change already, and a power loss may take it back."""
    copy = stage.copy(memory_path / "copy")
    refs, moved = copy.home.git_dir / "refs" / "heads", False

    def break_last_sync(step: Step, call: Any) -> Any:
        nonlocal moved
        result = call()
        if moved and step.name == "fsync":
            moved = False
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        moved = moved or (step.name == "rename" and (refs / "main").read_text().strip() != stage.head)
        return result

    with pytest.raises(StorageFailed, match="look before you repeat it"), each_step(break_last_sync):
        WRITE_PATHS[path](copy)
    assert copy.tree != stage.tree
    assert_goes_on(copy)
