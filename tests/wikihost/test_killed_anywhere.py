"""A writer that is killed before any single step leaves the wiki as before its write, or as after it."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wikihost.disk_steps import count_steps, dying_at, each_step
from tests.wikihost.test_catalog import rebuilt, synced
from tests.wikihost.wikis import git, in_child, wait_child
from tests.wikihost.write_paths import SOMEBODY, WRITE_PATHS, Stage, make_stage
from wikihost.content import Content
from wikihost.writer import Writer

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

# All steps together are over 600. This leaves 200 of them; set ROBOT_TEST_EACH_STEP=1 for all.
STRIDE = 1 if os.environ.get("ROBOT_TEST_EACH_STEP") else 3


@pytest.fixture(scope="module")
def stage(memory: Path) -> Stage:
    return make_stage(memory / "stage" / "data")


def copies(stage: Stage, place: Path) -> Iterator[Stage]:
    """One fresh copy after another; each is gone when the next is asked for."""
    for number in itertools.count():
        copy = stage.copy(place / str(number))
        yield copy
        shutil.rmtree(copy.root, ignore_errors=True)  # catalogs that are being closed take their files along


@pytest.mark.parametrize("path", WRITE_PATHS)
def test_a_write_is_done_or_not_done(stage: Stage, memory_path: Path, path: str) -> None:
    write, fresh = WRITE_PATHS[path], copies(stage, memory_path)
    whole = next(fresh)
    steps = count_steps(lambda: write(whole))
    before, after = stage.tree, whole.tree
    assert before != after
    seen = set()
    # How many there are differs a little with the commit's id. The last one here is never reached.
    for step in [*range(len(path) % STRIDE, steps, STRIDE), 2 * steps]:
        copy = next(fresh)

        def write_until_killed(pipe: int, copy: Stage = copy, step: int = step) -> None:
            with each_step(dying_at(step)):
                write(copy)
            os.write(pipe, b"done")

        status, said = wait_child(*in_child(write_until_killed))
        assert (status, said) in ((signal.SIGKILL, b""), (0, b"done")), f"step {step}"
        assert copy.tree in ((after,) if said else (before, after)), f"step {step}"
        seen.add(copy.tree)
        assert_usable(copy)
        if step % 5 == 0:
            assert synced(copy.home) == rebuilt(copy.home)
    assert seen == {before, after}


def assert_usable(stage: Stage) -> None:
    """The next writer finds all in order, and so do readers."""
    tree = stage.tree
    with Writer(stage.home).locked():
        assert stage.tree == tree
        assert git(stage.home, "status", "--porcelain", "--untracked-files=all") == ""
    content = Content(stage.home)
    pages = [page.path for page in content.list_pages()]
    assert [content.read_page(name).text for name in pages]
    content.write_page("After all", "Goes on.\n", base=None, author=SOMEBODY)
    content.close()
    assert git(stage.home, "fsck", "--strict", "--no-dangling") == ""
