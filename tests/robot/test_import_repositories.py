"""git repositories from elsewhere: a real git server behind https, and bundles that real git made."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import trio

from robot.fetch import Door, FetchRefused
from robot.imports.repositories import Repositories
from tests.git_door.client import Git
from tests.robot.tls_server import HOST, Server, git_answer, reply, tls_server
from wikihost.imports.values import ImportRefused
from wikihost.repo import Repository

LIMIT = 8 * 1024 * 1024


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """A repository with two commits, `notes` below `tmp_path`."""
    (tmp_path / "served").mkdir()
    Git(tmp_path)("init", "-q", "-b", "main", "served/notes")
    git = Git(tmp_path / "served" / "notes")
    git.write({"home.md": "# Home\n", "home/pic.png": b"\x89PNG"}, "First")
    git.write({"other.md": "See [[Home]].\n"}, "Second")
    return git


@pytest.fixture
def server(tmp_path: Path, git: Git) -> Iterator[Server]:
    with tls_server(tmp_path, git_answer(tmp_path / "served")) as running:
        yield running


def files(root: Path, commit: str) -> set[str]:
    repository = Repository(root)
    try:
        return {path for path, _ in repository.files(commit)}
    finally:
        repository.git.free()


async def test_a_repository_comes_with_its_history(server: Server, git: Git, tmp_path: Path) -> None:
    root = tmp_path / "fetched"
    commit = await Repositories(server.door(), LIMIT).fetch(server.url("/notes/.git"), root)
    assert commit == git.head()
    assert files(root, commit) == {"home.md", "home/pic.png", "other.md"}
    assert Git(root)("rev-list", "--count", commit) == "2"
    assert Git(root)("fsck", "--strict") == ""


async def test_git_asks_the_address_that_was_judged_and_no_other(server: Server, git: Git, tmp_path: Path) -> None:
    # No resolver but ours knows this name: only what we tell git leads it anywhere.
    for number, address in enumerate(("127.0.0.1", "127.0.0.2")):
        server.seen.clear()
        repositories = Repositories(server.door({HOST: [address]}), LIMIT)
        if address == "127.0.0.1":
            assert await repositories.fetch(server.url("/notes/.git"), tmp_path / str(number)) == git.head()
            assert any(path.endswith("git-upload-pack") for path in server.seen)
        else:
            with pytest.raises(FetchRefused):
                await repositories.fetch(server.url("/notes/.git"), tmp_path / str(number))
            assert not server.seen


async def test_nothing_of_the_environment_leads_git_elsewhere(
    server: Server, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitconfig").write_text('[url "https://127.0.0.9/"]\n\tinsteadOf = https://\n')
    for name, value in {
        "HOME": str(tmp_path),
        "https_proxy": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
        "GIT_SSL_NO_VERIFY": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.proxy",
        "GIT_CONFIG_VALUE_0": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    commit = await Repositories(server.door(), LIMIT).fetch(server.url("/notes/.git"), tmp_path / "fetched")
    assert commit == git.head()
    strange = Door(resolve=server.door().resolve, allows=server.door().allows)
    with pytest.raises(FetchRefused, match="certificate"):
        await Repositories(strange, LIMIT).fetch(server.url("/notes/.git"), tmp_path / "again")


async def test_loopback_is_blocked_for_git_too(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchRefused, match="public internet"):
        await Repositories(Door(), LIMIT).fetch(f"https://127.0.0.1:{server.port}/notes/.git", tmp_path / "fetched")
    assert not server.seen


async def test_a_redirect_is_followed_when_asking_and_never_by_git(server: Server, git: Git, tmp_path: Path) -> None:
    behind = git_answer(tmp_path / "served")

    def moved(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.startswith("/old/"):
            reply(handler, 301, Location=server.url(handler.path.replace("/old/", "/notes/.git/")))
        else:
            behind(handler)

    server.answer = moved
    commit = await Repositories(server.door(), LIMIT).fetch(server.url("/old"), tmp_path / "fetched")
    assert commit == git.head()

    asked = 0

    def turns(handler: BaseHTTPRequestHandler) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            behind(handler)
        else:
            reply(handler, 302, Location=f"https://127.0.0.2:{server.port}/inside/info/refs")

    server.answer = turns
    with pytest.raises(ImportRefused, match="git could not fetch"):
        await Repositories(server.door(), LIMIT).fetch(server.url("/notes/.git"), tmp_path / "turned")


async def test_what_is_no_repository_is_said_so(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchRefused, match="404"):
        await Repositories(server.door(), LIMIT).fetch(server.url("/nothing"), tmp_path / "a")
    server.answer = lambda handler: reply(handler, 200, b"<p>hello", "text/html")
    with pytest.raises(FetchRefused, match="another kind"):
        await Repositories(server.door(), LIMIT).fetch(server.url("/"), tmp_path / "b")


async def test_a_repository_that_is_too_large_is_refused(server: Server, git: Git, tmp_path: Path) -> None:
    git.write({"big.bin": os.urandom(300_000)}, "Big")
    with pytest.raises(ImportRefused):
        await Repositories(server.door(), 100_000).fetch(server.url("/notes/.git"), tmp_path / "fetched")
    assert sum(path.stat().st_size for path in (tmp_path / "fetched").rglob("*") if path.is_file()) < 400_000


async def test_objects_that_come_one_by_one_are_bounded_together(server: Server, git: Git, tmp_path: Path) -> None:
    """When a server does not speak git's protocol the second time, git fetches file after file."""
    for number in range(12):
        git.write({f"{number}.bin": os.urandom(60_000)}, "More")
    git("update-server-info")
    behind, place, over = git_answer(tmp_path / "served"), git.place / ".git", threading.Event()
    asked = given = 0

    def dumb(handler: BaseHTTPRequestHandler) -> None:
        nonlocal asked, given
        path, _, query = handler.path.removeprefix("/notes/.git/").partition("?")
        asked += bool(query)
        if query and asked == 1:
            behind(handler)
        elif (place / path).is_file():
            given += (place / path).stat().st_size
            if given > 660_000:
                over.wait(60)  # nobody waits for the rest
            reply(handler, 200, (place / path).read_bytes())
        else:
            reply(handler, 404)

    server.answer = dumb
    try:
        with trio.fail_after(20), pytest.raises(ImportRefused, match="larger than"):
            await Repositories(server.door(), 300_000).fetch(server.url("/notes/.git"), tmp_path / "fetched")
    finally:
        over.set()


async def test_bundles(git: Git, tmp_path: Path) -> None:
    bundle = tmp_path / "notes.bundle"
    git("bundle", "create", "-q", str(bundle), "main")
    root = tmp_path / "unpacked"
    assert await Repositories(Door(), LIMIT).unpack(bundle, root) == git.head()
    assert files(root, git.head()) == {"home.md", "home/pic.png", "other.md"}


async def test_bundles_that_are_refused(git: Git, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    git("bundle", "create", "-q", str(whole), "main")
    git("bundle", "create", "-q", str(part), "main~1..main")
    data = whole.read_bytes()
    pack = data.index(b"\n\n") + 2
    tag = f"{git.head()} refs/tags/v1\n".encode()
    cases = {
        "end of a history": part.read_bytes(),
        "not a git bundle": b"hello",
        "cut off": b"# v2 git bundle\n" + b"x" * 1000,
        "damaged": b"# v2 git bundle\nnonsense\n\n",
        "no branch": b"# v2 git bundle\n" + tag + b"\n" + data[pack:],
        "of a kind": b"# v3 git bundle\n@object-format=sha256\n\n",
        "found fault": data[:-30],
        "git found fault": data[:pack].replace(git.head().encode(), b"1" * 40) + data[pack:],
    }
    for number, (words, content) in enumerate(cases.items()):
        file = tmp_path / f"case{number}"
        file.write_bytes(content)
        with pytest.raises(ImportRefused, match=words):
            await Repositories(Door(), LIMIT).unpack(file, tmp_path / f"root{number}")


def bad_bundle(git: Git, bundle: Path) -> None:
    """A bundle of a commit with a file called `.git`."""
    blob = git("rev-parse", "HEAD:home.md")
    entries = f"100644 blob {blob}\t.git\n"
    tree = subprocess.run(
        ["git", "mktree"], cwd=git.place, input=entries, capture_output=True, text=True, check=True
    ).stdout.strip()
    git("update-ref", "refs/heads/main", git("commit-tree", "-m", "bad", tree))
    git("bundle", "create", "-q", str(bundle), "main")


async def test_objects_that_fsck_refuses_do_not_come_in(git: Git, tmp_path: Path) -> None:
    bundle = tmp_path / "bad.bundle"
    bad_bundle(git, bundle)
    with pytest.raises(ImportRefused, match="hasDotgit"):
        await Repositories(Door(), LIMIT).unpack(bundle, tmp_path / "root")
