"""An import whose process is killed at any moment: the wiki is as before or as after it, and the start sweeps the rest.

Deaths at each single step are in `test_killed_anywhere`; these are at random, so they meet git and SQLite at work too.
"""

from __future__ import annotations

import os
import random
import select
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from tests.processes import wait_until
from tests.wikihost.test_killed_anywhere import assert_usable
from tests.wikihost.wikis import in_child, wait_child
from tests.wikihost.write_paths import Stage, import_files, make_stage
from wikihost.content import Content
from wikihost.layout import DataDir
from wikihost.transfer import held_directory, sweep_transfers

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

KILLS = 12


def test_killed_at_any_moment(tmp_path: Path) -> None:
    stage, chance = make_stage(tmp_path / "stage"), random.Random(7)
    whole = stage.copy(tmp_path / "whole")

    def work(pipe: int) -> None:
        os.write(pipe, b"!")
        import_files(whole)

    began = time.monotonic()
    assert wait_child(*in_child(work)) == (0, b"!")
    lasted_s = time.monotonic() - began
    outcomes = {stage.tree: "before", whole.tree: "after"}
    killed = 0
    for number in range(KILLS):
        copy = stage.copy(tmp_path / f"copy {number}")

        def work_on_copy(pipe: int, copy: Stage = copy) -> None:
            os.write(pipe, b"!")
            import_files(copy)

        process, pipe = in_child(work_on_copy)
        select.select([pipe], [], [])
        time.sleep(chance.uniform(0, lasted_s))
        os.kill(process, signal.SIGKILL)
        status, _ = wait_child(process, pipe)
        killed += status == signal.SIGKILL
        assert copy.tree in outcomes
        # Its git outlives it until it reads the end of the pipe, and may still make a file meanwhile.
        wait_until(partial(is_swept, DataDir(copy.root)), 10, "all is swept")
        assert_usable(copy)
        import_files(copy)
        assert Content(copy.home).read_page("Deep/Note").text
    assert killed


def is_swept(data: DataDir) -> bool:
    sweep_transfers(data)
    return not list(data.transfers.iterdir())


def test_a_host_that_starts_leaves_the_import_of_another_process_alone(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    root, left = data.transfers / "import-1", data.transfers / "import-2"
    with held_directory(root):
        left.mkdir()
        sweep_transfers(data)
        assert (root.exists(), left.exists()) == (True, False)
    assert not root.exists()

    def hold(pipe: int) -> None:
        with held_directory(root):
            os.write(pipe, b"!")
            signal.pause()

    process, pipe = in_child(hold)
    select.select([pipe], [], [])
    sweep_transfers(data)
    assert root.exists()
    os.kill(process, signal.SIGKILL)
    wait_child(process, pipe)
    sweep_transfers(data)
    assert not root.exists()
