"""A crowd at one wiki leaves room for the others, and nothing is kept of a wiki that nobody asks for."""

from __future__ import annotations

import os
import subprocess
import sys

import trio
import trio.testing

from robot.git.process import NICENESS, git_process
from robot.shares import Shares


async def test_a_wiki_waits_for_itself_only() -> None:
    shares, running, end = Shares(2), list[str](), trio.Event()

    async def ask(wiki: str) -> None:
        async with shares.turn(wiki):
            running.append(wiki)
            await end.wait()

    async with trio.open_nursery() as nursery:
        for wiki in ["busy"] * 5 + ["other"]:
            nursery.start_soon(ask, wiki)
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(running) == ["busy", "busy", "other"]
        end.set()
    assert sorted(running) == ["busy"] * 5 + ["other"]
    assert shares._taken == {}


async def test_whoever_gave_up_waiting_takes_nothing_along() -> None:
    shares = Shares(1)
    async with shares.turn("busy"):
        with trio.move_on_after(0):
            async with shares.turn("busy"):
                raise AssertionError("both have the turn")
        with trio.move_on_after(0):
            async with shares.turn("busy"):
                raise AssertionError("both have the turn")
    async with shares.turn("busy"):
        pass
    assert shares._taken == {}


async def test_git_gives_way_to_pages_and_calls() -> None:
    """Within the session of core: niceness means nothing between sessions where the kernel groups by them."""
    async with git_process(
        ["cat-file", "--batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        environment={"GIT_DIR": "/nonexistent"},
    ) as git:
        assert os.getpriority(os.PRIO_PROCESS, git.pid) == max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0))
        assert (os.getsid(git.pid), os.getpgid(git.pid)) == (os.getsid(0), git.pid)


PRIORITY_OF_GIT = """
import os, subprocess, trio
from robot.git.process import git_process
async def main():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    async with git_process(["cat-file", "--batch"], environment={"GIT_DIR": "/nonexistent"}, **pipes) as git:
        print(os.getpriority(os.PRIO_PROCESS, git.pid))
trio.run(main)
"""


def test_git_runs_where_robot_gives_way_more_than_git_would() -> None:
    """Such as `nice robot backup`: only root may take that back, anybody else is refused and had no git at all."""
    niced = ["nice", "-n", "19", sys.executable, "-c", PRIORITY_OF_GIT]
    assert subprocess.run(niced, check=True, capture_output=True, text=True).stdout == "19\n"
