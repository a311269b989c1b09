"""Packing a wiki's repository, while it is used and when the packing is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import trio
import trio.testing

from robot.upkeep import HABITS, Habits, Upkeep, pack
from tests.processes import wait_until
from tests.wikihost.wikis import ADA, assert_sound, git, make_wiki
from wikihost import packing
from wikihost.content import Content
from wikihost.errors import StorageFailed
from wikihost.layout import DataDir, WikiHome
from wikihost.pushes import note_push
from wikihost.repo import Repository
from wikihost.transfer import sweep_transfers

WIKI = "w_packed"
SAVES = 24


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path)


@pytest.fixture
def home(data: DataDir) -> WikiHome:
    made = make_wiki(data.wiki(WIKI).root, {"Home": "# Home\n"})
    content = Content(made)
    for number in range(SAVES):
        content.writer.commit({f"Page {number % 7}.md": f"{number}\n".encode()}, author=ADA, message=f"Save {number}")
    content.close()
    return made


def loose_of(home: WikiHome) -> set[str]:
    return {path.parent.name + path.name for path in home.git_dir.glob("objects/[0-9a-f][0-9a-f]/*")}


def packs_of(home: WikiHome) -> set[str]:
    return {path.name for path in home.git_dir.glob("objects/pack/*.pack")}


def open_deleted_files() -> list[str]:
    links = [os.readlink(link.path) for link in os.scandir("/proc/self/fd") if os.path.islink(link.path)]
    return [link for link in links if link.endswith(" (deleted)") and ".pack" in link]


async def test_loose_objects_become_one_pack_and_everything_is_still_there(data: DataDir, home: WikiHome) -> None:
    content = Content(home)
    before, history = content.read_page("Page 1"), git(home, "log", "--format=%H", "--raw")
    loose = loose_of(home)
    removed = await pack(data, home, HABITS.deadline_s)
    assert removed.loose == len(loose) >= 3 * SAVES
    assert loose_of(home) == set()
    assert len(packs_of(home)) == 1
    assert git(home, "log", "--format=%H", "--raw") == history
    assert content.read_page("Page 1") == before
    content.writer.commit({"Page 1.md": b"after\n"}, author=ADA, message="After")
    first = packs_of(home)
    removed = await pack(data, home, HABITS.deadline_s)
    assert (removed.packs, len(packs_of(home)), packs_of(home) & first) == (1, 1, set())
    assert content.read_page("Page 1").text == "after\n"
    content.writer.commit({"Page 1.md": b"again\n"}, author=ADA, message="Again")
    assert open_deleted_files() == [], "the space of packs that are gone is free"
    assert_sound(home)
    assert list(data.transfers.iterdir()) == []


async def test_notes_of_pushes_are_packed_too(data: DataDir, home: WikiHome) -> None:
    head = git(home, "rev-parse", "HEAD")
    note_push(Repository(home.repo), ADA, onto=git(home, "rev-parse", "HEAD^"), new=head)
    await pack(data, home, HABITS.deadline_s)
    assert loose_of(home) == set()
    assert "Pushed by Ada Ferry" in git(home, "log", "-1", "--notes=robot", "--format=%N")
    assert_sound(home)


async def test_what_the_branch_does_not_reach_stays(data: DataDir, home: WikiHome) -> None:
    other = git(home, "commit-tree", "HEAD^{tree}", "-m", "of another branch")
    git(home, "branch", "other", other)
    await pack(data, home, HABITS.deadline_s)
    assert loose_of(home) == {other}
    assert_sound(home)


async def test_a_pack_with_an_index_of_the_old_format_stays(data: DataDir, home: WikiHome) -> None:
    """What is in it cannot be told, and may be reached by no branch."""
    other = git(home, "commit-tree", "HEAD^{tree}", "-m", "of no branch")
    made = git(home, "pack-objects", "--index-version=1", str(home.git_dir / "objects/pack/pack"), text=f"{other}\n")
    (home.git_dir / "objects" / other[:2] / other[2:]).unlink()
    removed = await pack(data, home, HABITS.deadline_s)
    assert removed.packs == 0
    assert f"pack-{made}.pack" in packs_of(home)
    assert git(home, "cat-file", "-t", other) == "commit"


async def test_large_packs_are_left_alone(data: DataDir, home: WikiHome, monkeypatch: pytest.MonkeyPatch) -> None:
    git(home, "repack", "-q", "-d")
    (large,) = packs_of(home)
    monkeypatch.setattr(packing, "LARGE_PACK_BYTES", (home.git_dir / "objects/pack" / large).stat().st_size)
    writer = Content(home).writer
    for number in range(2):
        writer.commit({"New.md": f"new {number}\n".encode()}, author=ADA, message="New")
        removed = await pack(data, home, HABITS.deadline_s)
        assert (removed.loose, removed.packs) == (3, number), "the small pack is packed again"
        assert large in packs_of(home)
    assert_sound(home)


async def test_writers_and_clones_go_on_meanwhile(data: DataDir, home: WikiHome, tmp_path: Path) -> None:
    done = threading.Event()
    said: list[str] = []

    def write() -> None:
        content = Content(home)
        while not done.is_set():
            name = f"Meanwhile {len(said)}"
            content.write_page(name, f"{name}\n", base=None, author=ADA)
            said.append(name)

    def clone() -> None:
        for number in range(3):
            git(home, "clone", "-q", "--no-local", str(home.repo), str(tmp_path / f"clone-{number}"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, write)
        async with trio.open_nursery() as clones:
            clones.start_soon(trio.to_thread.run_sync, clone)
            for _ in range(4):
                await pack(data, home, HABITS.deadline_s)
        done.set()
    content = Content(home)
    assert len(said) > 4
    assert all(content.read_page(name).text == f"{name}\n" for name in said)
    assert_sound(home)


def test_killed_at_any_moment_it_leaves_the_wiki_whole(data: DataDir, home: WikiHome) -> None:
    program = f"""
import sys, trio
from pathlib import Path
from robot.upkeep import pack
from wikihost.layout import DataDir
data = DataDir(Path({str(data.root)!r}))
print("ready", flush=True)
while True:
    trio.run(pack, data, data.wiki({WIKI!r}), 60)
    print("packed", flush=True)
"""
    chance = random.Random(5)
    content, history = Content(home), 0
    for number in range(6):
        content.writer.commit({f"Round {number}.md": b"text\n"}, author=ADA, message="Round")
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True)
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(chance.uniform(0.0, 0.12))
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        assert content.read_page(f"Round {number}").text == "text\n"
        assert git(home, "fsck", "--strict", "--no-dangling") == ""
        commits = int(git(home, "rev-list", "--count", "HEAD"))
        assert commits > history
        history = commits
    sweep_transfers(data)
    trio.run(pack, data, home, HABITS.deadline_s)
    assert (len(packs_of(home)), loose_of(home)) == (1, set())
    assert_sound(home)


async def test_a_disk_that_refuses_the_pack_loses_nothing(
    data: DataDir, home: WikiHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    loose = loose_of(home)

    def refuse(folder: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("wikihost.objects.sync", refuse)
    with pytest.raises(StorageFailed):
        await pack(data, home, HABITS.deadline_s)
    assert loose_of(home) == loose
    assert_sound(home)


async def test_cancelled_it_leaves_nothing_behind(data: DataDir, home: WikiHome) -> None:
    loose = loose_of(home)
    with trio.CancelScope() as scope:
        scope.cancel()
        await pack(data, home, HABITS.deadline_s)
    assert scope.cancelled_caught
    assert loose_of(home) == loose
    assert not data.transfers.exists() or list(data.transfers.iterdir()) == []


async def test_a_wiki_with_many_loose_objects_is_packed_once_it_rests(data: DataDir, home: WikiHome) -> None:
    upkeep = Upkeep(data, Habits(loose_objects=0, rest_s=0.05, latest_s=60.0))
    async with trio.open_nursery() as nursery:
        await nursery.start(upkeep.run)
        upkeep.notify("w_deleted")  # a wiki that is gone stops nobody
        upkeep.notify(WIKI)
        await trio.to_thread.run_sync(wait_until, lambda: not loose_of(home), 30, "packed")
        nursery.cancel_scope.cancel()
    assert_sound(home)


async def test_a_wiki_that_never_rests_is_packed_all_the_same(data: DataDir, home: WikiHome) -> None:
    upkeep = Upkeep(data, Habits(loose_objects=0, rest_s=60.0, latest_s=0.05))
    async with trio.open_nursery() as nursery:
        await nursery.start(upkeep.run)

        def has_no_loose_objects() -> bool:
            trio.from_thread.run_sync(upkeep.notify, WIKI)
            return not loose_of(home)

        await trio.to_thread.run_sync(wait_until, has_no_loose_objects, 30, "packed")
        nursery.cancel_scope.cancel()


async def test_few_loose_objects_are_left_alone(data: DataDir, home: WikiHome) -> None:
    assert packing.count_loose(home) < HABITS.loose_objects
    upkeep = Upkeep(data, Habits(rest_s=0.0))
    async with trio.open_nursery() as nursery:
        await nursery.start(upkeep.run)
        upkeep.notify(WIKI)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert packs_of(home) == set()
