"""What is acknowledged stays, whatever ends the writer: signals, a full disk, other writers."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.wikihost.test_quota import counted
from tests.wikihost.wikis import ADA, assert_sound, git, in_child, make_wiki, wait_child
from wikihost.content import Content
from wikihost.errors import Conflict, StorageFull
from wikihost.layout import WikiHome
from wikihost.repo import Repository
from wikihost.usage import Ledger
from wikihost.writer import Writer

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

ROUNDS = 30
WRITERS = 8


@pytest.fixture
def home(tmp_path: Path) -> WikiHome:
    return make_wiki(tmp_path / "wiki", {"Home": "home\n", "Counter": ""})


def test_killed_writers_lose_nothing_that_they_acknowledged(home: WikiHome) -> None:
    chance = random.Random(7)
    acknowledged: list[str] = []
    for round_number in range(ROUNDS):
        delay_s = chance.uniform(0.01, 0.25)

        def save_until_killed(pipe: int, number: int = round_number, delay_s: float = delay_s) -> None:
            content = Content(home)
            signal.setitimer(signal.ITIMER_REAL, delay_s)
            for turn in range(1_000):
                name = f"Saved/{number}-{turn}"
                content.write_page(name, f"{name}\n", base=None, author=ADA)
                os.write(pipe, f"{name}\n".encode())

        status, output = wait_child(*in_child(save_until_killed))
        assert os.WIFSIGNALED(status)
        assert os.WTERMSIG(status) == signal.SIGALRM
        acknowledged += output.decode().split()
        repository = Repository(home.repo)
        assert Ledger(home.usage).usage(repository, repository.head()) == counted(home)
    assert len(acknowledged) > ROUNDS / 2
    with Content(home).writer.locked():
        assert_sound(home)
    names = set(git(home, "ls-tree", "-r", "--name-only", "HEAD").splitlines())
    assert {f"{name}.md" for name in acknowledged} <= names
    content = Content(home)
    assert {page.path + ".md" for page in content.list_pages()} == names
    assert all(content.read_page(name).text == f"{name}\n" for name in acknowledged)


def save_with_base(home: WikiHome, number: int, base: str) -> str:
    try:
        return Content(home).write_page("Home", f"by {number}\n", base=base, author=ADA).revision
    except Conflict as conflict:
        return f"conflict {conflict.current_revision}"


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_of_writers_with_one_base_exactly_one_wins(home: WikiHome, kind: str) -> None:
    base = Content(home).read_page("Home").revision
    before = int(git(home, "rev-list", "--count", "HEAD"))
    pool: ThreadPoolExecutor | ProcessPoolExecutor
    if kind == "threads":
        pool = ThreadPoolExecutor(WRITERS)
    else:
        pool = ProcessPoolExecutor(WRITERS, mp_context=multiprocessing.get_context("fork"))
    with pool:
        futures = [pool.submit(save_with_base, home, number, base) for number in range(WRITERS)]
        results = [future.result(60) for future in futures]
    head = git(home, "rev-parse", "HEAD")
    assert sorted(results, key=len) == [head] + [f"conflict {head}"] * (WRITERS - 1)
    assert int(git(home, "rev-list", "--count", "HEAD")) == before + 1
    assert_sound(home)


def count_up(home: WikiHome, number: int) -> None:
    """Ten saves of one page, each on top of all others: read again after each conflict."""
    content = Content(home)
    saved = 0
    while saved < 10:
        page = content.read_page("Counter")
        try:
            text = f"{page.text}{number}-{saved}\n"
            content.write_page("Counter", text, base=page.revision, author=ADA)
        except Conflict:
            continue
        saved += 1


def test_writers_that_try_again_keep_all_their_saves(home: WikiHome) -> None:
    with ProcessPoolExecutor(WRITERS, mp_context=multiprocessing.get_context("fork")) as pool:
        for future in [pool.submit(count_up, home, number) for number in range(WRITERS)]:
            future.result(120)
    lines = Content(home).read_page("Counter").text.split()
    assert sorted(lines) == sorted(f"{number}-{turn}" for number in range(WRITERS) for turn in range(10))
    assert git(home, "rev-list", "--count", "HEAD") == str(1 + WRITERS * 10)
    assert_sound(home)


@pytest.mark.parametrize("limit_bytes", [0, 60, 120])
def test_a_file_size_limit_fails_the_save_and_leaves_nothing_behind(home: WikiHome, limit_bytes: int) -> None:
    """The limit stops another step of the commit each time: blob, tree, commit, all with EFBIG."""
    before = git(home, "rev-parse", "HEAD")

    def save(pipe: int) -> None:
        writer = Writer(home)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
        try:
            writer.commit({"Home.md": b"small"}, author=ADA, message=random.Random(1).randbytes(40).hex())
        except StorageFull as error:
            os.write(pipe, str(error).encode())

    status, output = wait_child(*in_child(save))
    assert status == 0
    assert output == b"The disk is full; nothing was saved."
    assert git(home, "rev-parse", "HEAD") == before
    assert not list(home.git_dir.rglob("tmp_obj_*"))
    Writer(home).commit({"Home.md": b"small"}, author=ADA, message="room again")
    sizes = [path.stat().st_size for path in home.git_dir.glob("objects/??/*")]
    assert limit_bytes < max(sizes)
    assert_sound(home)


def test_a_disk_that_fills_up_after_the_commit_does_not_unsay_it(home: WikiHome) -> None:
    """The compressed objects fit below the limit, the file in the work tree and the catalog do not."""

    def save(pipe: int) -> None:
        content = Content(home)
        content.sync()
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))
        written = content.write_page("New", "x" * 50_000, base=None, author=ADA)
        os.write(pipe, written.head.encode())

    status, output = wait_child(*in_child(save))
    assert status == 0
    assert git(home, "rev-parse", "HEAD") == output.decode()
    assert not (home.repo / "New.md").exists()
    content = Content(home)
    assert len(content.read_page("New").text) == 50_000
    content.write_page("Home", "1", base=content.read_page("Home").revision, author=ADA)
    assert_sound(home)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_refuses_saves_keeps_reads_and_recovers(small_disk: Path) -> None:
    home = make_wiki(small_disk / "wiki")
    content = Content(home)
    saved: list[str] = []

    def fill() -> None:
        for number in range(1_000):
            text = random.Random(number).randbytes(8_192).hex()
            content.write_page(f"Page {number}", text, base=None, author=ADA)
            saved.append(f"Page {number}")

    with pytest.raises(StorageFull):
        fill()
    assert len(saved) > 10
    assert git(home, "fsck", "--strict", "--no-dangling") == ""
    names = set(git(home, "ls-tree", "-r", "--name-only", "HEAD").splitlines())
    assert names == {"Home.md", *(f"{name}.md" for name in saved)}
    assert content.read_page("Home").text == "# Home\n"
    with pytest.raises(StorageFull):
        content.write_page("Another", random.Random(0).randbytes(8_192).hex(), base=None, author=ADA)
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    content.write_page("Another", "text", base=None, author=ADA)
    assert len(content.list_pages()) == len(saved) + 2
    assert_sound(home)
    content.close()
