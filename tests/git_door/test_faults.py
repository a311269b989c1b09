"""git over HTTP when something goes wrong, or is very large."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.doors import open_doors
from tests.git_door.client import Git, address, environment
from tests.harness import Robot, running_robot
from tests.processes import children_of, command_of, git, kill, wait_until, wiki_repo

pytestmark = pytest.mark.fault

MIB = 1024 * 1024
GROWTH_BYTES = 30 * MIB


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def watched(pid: int) -> Iterator[list[int]]:
    """The resident sizes of a process, looked at every few milliseconds while the block runs."""
    seen = [resident_bytes(pid)]
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.005):
            seen.append(resident_bytes(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def gits_of(pid: int) -> list[int]:
    return [child for child in children_of(pid) if command_of(child).startswith("git ")]


@pytest.mark.alone
def test_a_hundred_megabytes_are_pushed_and_cloned_with_flat_memory(own_robot: Robot, tmp_path: Path) -> None:
    here = Git(tmp_path)
    copy = here.clone(address(own_robot, own_robot.token), "copy")
    copy.write({"Small.md": "x"})
    copy("push", "-q")  # what a first push loads is not what this is about
    for number in range(24):
        (copy.place / f"data {number}.bin").write_bytes(os.urandom(4 * MIB))
    for name, value in (("core.compression", "0"), ("core.bigFileThreshold", "1m"), ("pack.compression", "0")):
        copy("config", name, value)  # it is the server that is looked at
    copy("add", ".")
    copy("commit", "-q", "-m", "Much")
    with watched(own_robot.pid) as seen:
        copy("push", "-q")
    assert max(seen) - seen[0] < GROWTH_BYTES, f"push: {(max(seen) - seen[0]) / MIB:.1f} MiB more"
    with watched(own_robot.pid) as seen:
        again = here.clone(address(own_robot), "again")
    assert max(seen) - seen[0] < GROWTH_BYTES, f"clone: {(max(seen) - seen[0]) / MIB:.1f} MiB more"
    assert again.head() == copy.head()


def test_too_large_a_push_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with running_robot(tmp_path / "data", env={"ROBOT_MAX_PUSH_BYTES": str(MIB), "ROBOT_MAX_BODY_BYTES": "65536"}) as (
        robot
    ):
        copy = Git(tmp_path).clone(address(robot, robot.token), "copy")
        start = copy.head()
        copy.write({"large.bin": os.urandom(2 * MIB)})
        assert "413" in copy.fails("push")
        copy("reset", "-q", "--hard", start)
        copy.write({"medium.bin": os.urandom(100_000)})
        assert "at most 65,536" in copy.fails("push")
        copy("reset", "-q", "--hard", start)
        copy.write({"zeros.bin": bytes(64 * MIB)})  # a few kilobytes on the wire
        assert "at most 65,536" in copy.fails("push")
        assert Git(tmp_path)("ls-remote", address(robot), "HEAD").split()[0] == start
        wait_until(lambda: not list((robot.data / "transfers").glob("*")), 10, "transfers are put away")


def test_git_ends_with_its_request(own_robot: Robot, tmp_path: Path) -> None:
    copy = Git(tmp_path).clone(address(own_robot, own_robot.token), "copy")
    copy.write({f"data {number}.bin": os.urandom(2 * MIB) for number in range(8)})
    copy("push", "-q")
    command = ["git", "clone", "-q", address(own_robot), "again"]
    clone = subprocess.Popen(command, cwd=tmp_path, env=environment(), start_new_session=True)
    wait_until(lambda: bool(gits_of(own_robot.pid)) or clone.poll() is not None, 10, "git works")
    os.killpg(clone.pid, 9)
    clone.wait()
    transfers = own_robot.data / "transfers"
    wait_until(lambda: not gits_of(own_robot.pid) and not list(transfers.glob("*")), 10, "git ended")


@pytest.mark.parametrize("moment", ["spooling", "unpacking", "answering"])
def test_killed_in_a_push_the_wiki_is_as_before_or_after(tmp_path: Path, moment: str) -> None:
    data = tmp_path / "data"
    with running_robot(data) as robot:
        copy = Git(tmp_path).clone(address(robot, robot.token), "copy")
        before = copy.head()
        after = copy.write({"Cut.md": "x", **{f"data {number}.bin": os.urandom(4 * MIB) for number in range(5)}})
        push = subprocess.Popen(["git", "push", "-q"], cwd=copy.place, env=environment(), stderr=subprocess.DEVNULL)
        reached: dict[str, Callable[[], object]] = {
            "spooling": lambda: list((data / "transfers").glob("*/body")),
            "unpacking": lambda: list((data / "transfers").glob("*/.git/objects/pack/*")),
            "answering": lambda: git(wiki_repo(data), "rev-parse", "HEAD").strip() == after,
        }
        wait_until(lambda: bool(reached[moment]()) or push.poll() is not None, 20, moment)
        kill(robot.pid)
        push.wait(20)
    with running_robot(data, port=robot.port) as robot:
        assert not list((data / "transfers").glob("*"))
        head = Git(tmp_path)("ls-remote", address(robot), "HEAD").split()[0]
        assert head in (before, after)
        with robot.agent() as script:
            expected = 200 if head == after else 404
            assert script.get("/api/v1/pages/Cut").status_code == expected
            assert script.put("/api/v1/pages/Alive", json={"content": "Yes."}).status_code == 201
        if head == before:
            copy("pull", "-q", "--rebase")
            copy("push", "-q")
        assert git(wiki_repo(data), "fsck", "--strict", "--no-dangling") == ""
        assert git(wiki_repo(data), "status", "--porcelain") == ""


def test_hooks_of_a_wiki_never_run(robot: Robot, tmp_path: Path) -> None:
    """Nobody can put them there from outside; should they be there all the same, they are no program of ours."""
    with open_doors(robot) as doors:
        hooks, ran = doors.home.git_dir / "hooks", tmp_path / "ran"
        hooks.mkdir()
        for name in ("pre-receive", "update", "post-receive", "post-update", "reference-transaction", "post-checkout"):
            (hooks / name).write_text(f"#!/bin/sh\ntouch '{ran}'\n")
            (hooks / name).chmod(0o755)
        git(doors.home.repo, "config", "core.hooksPath", str(hooks))
        copy = doors.clone(tmp_path / "copy")
        copy.write({"Pushed.md": "x"})
        copy("push", "-q")
        assert doors.put("Put", "x").status_code == 201
        assert doors.save("Saved", "x").status_code == 302
        assert not ran.exists()


def test_a_branch_that_its_operator_moves_back_is_followed(robot: Robot, tmp_path: Path) -> None:
    """A forced push is refused. With a plain git on the machine the branch can go anywhere, and all views go along."""
    with open_doors(robot) as doors:
        assert doors.browser.get("/").status_code == 200
        kept = doors.put("Kept", "The lighthouse.").json()["revision"]
        for number in range(3):
            assert doors.put(f"Undone {number}", "The lighthouse, undone.").status_code == 201
        git(doors.home.repo, "update-ref", "refs/heads/main", kept)
        assert doors.rest.get("/api/v1/pages/Undone 1").status_code == 404
        found = doors.rest.get("/api/v1/search?q=lighthouse").json()["results"]
        assert [hit["path"] for hit in found] == ["Kept"]
        assert doors.save("Next", "x").status_code == 302
        assert "Undone" not in doors.browser.get("/-/changelog").text
        assert doors.browser.get("/Undone 2").status_code == 404
        assert not (doors.clone(tmp_path / "copy").place / "Undone 0.md").exists()
        assert git(doors.home.repo, "status", "--porcelain", "--untracked-files=all") == ""
