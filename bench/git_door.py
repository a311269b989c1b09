"""git's door: clones beside `git http-backend` on the same repository, a large push, and memory under 100 MB."""

from __future__ import annotations

import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import process_tree
from bench.figures import Figure, mib, ms
from bench.host import Host, Planted
from bench.http_backend import Backend, running_backend
from bench.http_client import Visitor

MOST_OF_BACKEND = 1.2
LATEST_PUSHED_S = 3.0
MOST_GROWTH_BYTES = 30_000_000

PUSHED_PAGES = 500
FILE_BYTES = 4 * 2**20
FILES = 24  # a push may have 100 MiB
_CORE_POLL_S = 0.005
_GIT_POLL_S = 0.05
# git without the settings of whoever runs this.
_SURROUNDINGS = {
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Bench",
    "GIT_AUTHOR_EMAIL": "bench@wiki.example",
    "GIT_COMMITTER_NAME": "Bench",
    "GIT_COMMITTER_EMAIL": "bench@wiki.example",
}


def git(place: Path, *words: str, stdin: bytes | None = None) -> None:
    """Run a visitor's git in `place`."""
    surroundings = {"PATH": os.environ["PATH"], **_SURROUNDINGS}
    subprocess.run(["git", *words], cwd=place, env=surroundings, input=stdin, check=True)


@dataclass(frozen=True, slots=True)
class Clone:
    """What one clone took: the server's CPU, and the time of the whole `git clone`."""

    cpu_s: float
    wall_s: float


def clone(url: str, server: int, place: Path) -> Clone:
    """Clone into `place`, without files, which are the client's work alone."""
    before = process_tree.cpu_s(server)
    began = time.perf_counter()
    git(place.parent, "clone", "--quiet", "--no-checkout", url, str(place))
    wall_s = time.perf_counter() - began
    return Clone(process_tree.cpu_s(server) - before, wall_s)


def measure_clones(
    host: Host, wiki: Planted, scratch: Path, repetitions: int, say: Callable[[str], None]
) -> list[Figure]:
    """The row "clone over HTTP against `git http-backend` on the same repository"."""
    with running_backend(wiki.repo.parent) as peer:
        rounds = [_clone_both(host, wiki, peer, scratch / f"clones-{number}") for number in range(repetitions + 1)]
    ours, theirs = zip(*rounds[1:], strict=True)  # what a first clone loads is not what this is about
    wall_s, peer_wall_s = (statistics.median(one.wall_s for one in many) for many in (ours, theirs))
    cpu_s, peer_cpu_s = (statistics.fmean(one.cpu_s for one in many) for many in (ours, theirs))
    said = f"{ms(wall_s)}, {ms(cpu_s)} of CPU: {wall_s / peer_wall_s:.2f}×, {cpu_s / peer_cpu_s:.2f}× of CPU"
    say(f"clone: {said}; http-backend {ms(peer_wall_s)}, {ms(peer_cpu_s)} of CPU")
    return [
        Figure(
            f"clone over HTTP, {wiki.slug}, beside bare `git http-backend` on the same repository",
            "1.3 s",
            f"http-backend: {ms(peer_wall_s)}, {ms(peer_cpu_s)} of CPU",
            said,
            "≤ 1.2× of time and of CPU",
            wall_s <= MOST_OF_BACKEND * peer_wall_s and cpu_s <= MOST_OF_BACKEND * peer_cpu_s,
        )
    ]


def _clone_both(host: Host, wiki: Planted, peer: Backend, place: Path) -> tuple[Clone, Clone]:
    place.mkdir()
    ours = clone(host.git_url(wiki), host.pid, place / "ours")
    return ours, clone(peer.git_url(f"{wiki.repo.name}/.git"), peer.pid, place / "theirs")


def measure_large_push(host: Host, wiki: Planted, scratch: Path, say: Callable[[str], None]) -> list[Figure]:
    """The row "catalog after a 500-page push", as its author sees it: pushed, and shown by the API."""
    place = scratch / "pushed"
    git(scratch, "clone", "--quiet", host.git_url(wiki), str(place))
    git(place, "fast-import", "--quiet", stdin=b"".join(_commits_of_pages()))
    with Visitor(host.port, wiki.host, {"Authorization": f"Bearer {wiki.token}"}) as agent:
        agent.get_page("/api/v1/pages?limit=1")
        before = process_tree.cpu_s(host.pid)
        began = time.perf_counter()
        git(place, "push", "--quiet", "origin", "pushed:main")
        pushed_s = time.perf_counter() - began
        agent.get_page(f"/api/v1/pages/Pushed/Page%20{PUSHED_PAGES - 1}")
        shown_s = time.perf_counter() - began
    cpu_s = process_tree.cpu_s(host.pid) - before
    said = f"{ms(shown_s)}, push {ms(pushed_s)} of it, {ms(cpu_s)} of CPU"
    say(f"push of {PUSHED_PAGES} pages: {said}")
    return [
        Figure(
            f"`git push` of {PUSHED_PAGES} pages, a commit each, to {wiki.slug} → the API shows the last",
            "",
            "",
            said,
            "≤ 3 s",
            shown_s <= LATEST_PUSHED_S,
        )
    ]


def _commits_of_pages() -> Iterator[bytes]:
    """A stream for `git fast-import`: a branch `pushed` on `main`, a new page a commit."""
    who = b"Bench <bench@wiki.example> 1800000000 +0000"
    for number in range(PUSHED_PAGES):
        text = (
            f"# Page {number}\n\nPushed, see [[Pushed/Page {number - 1}]].\n\n".encode() + b"Some words of it. " * 300
        )
        yield b"commit refs/heads/pushed\ncommitter " + who + b"\ndata 4\nPage\n"
        if number == 0:
            yield b"from refs/heads/main\n"
        yield f'M 100644 inline "Pushed/Page {number}.md"\ndata {len(text)}\n'.encode() + text + b"\n"


@dataclass(slots=True)
class Growth:
    """How much more memory core, and its git processes together, had at most than at the start."""

    core_bytes: int = 0
    git_bytes: int = 0


@contextmanager
def watched(core: int) -> Iterator[Growth]:
    """Look at the memory of a server's core and of its git processes while the block runs."""
    growth, done = Growth(), threading.Event()
    start_bytes = process_tree.rss_bytes(core)

    def watch_core() -> None:
        while not done.wait(_CORE_POLL_S):
            growth.core_bytes = max(growth.core_bytes, process_tree.rss_bytes(core) - start_bytes)

    def watch_git() -> None:
        while not done.wait(_GIT_POLL_S):
            growth.git_bytes = max(growth.git_bytes, process_tree.named_bytes(core, "git"))

    watchers = [threading.Thread(target=watch) for watch in (watch_core, watch_git)]
    for watcher in watchers:
        watcher.start()
    try:
        yield growth
    finally:
        done.set()
        for watcher in watchers:
            watcher.join()


def measure_memory(host: Host, wiki: Planted, scratch: Path, say: Callable[[str], None]) -> list[Figure]:
    """The row "memory while 100 MB is pushed and cloned"."""
    place = scratch / "much"
    git(scratch, "clone", "--quiet", host.git_url(wiki), str(place))
    _commit_much(place)
    with watched(host.pid) as pushing:
        git(place, "push", "--quiet", "origin", "HEAD:main")
    with watched(host.pid) as cloning:
        git(scratch, "clone", "--quiet", "--no-checkout", host.git_url(wiki), str(scratch / "again"))
    figures = []
    for done, growth in (("pushed", pushing), ("cloned", cloning)):
        said = f"core +{mib(growth.core_bytes)}, git's processes {mib(growth.git_bytes)}"
        name = f"memory while {FILES * FILE_BYTES // 2**20} MiB are {done}: core (RSS), git's processes (PSS)"
        say(f"{name}: {said}")
        kept = max(growth.core_bytes, growth.git_bytes) <= MOST_GROWTH_BYTES
        figures.append(Figure(name, "whole pack in RAM", "", said, "each ≤ + 30 MB", kept))
    return figures


def _commit_much(place: Path) -> None:
    """A small change that has been pushed, so that core has loaded what a push needs, and a large one that has not."""
    (place / "small.bin").write_bytes(b"small")
    git(place, "add", "small.bin")
    git(place, "commit", "--quiet", "--message", "Small")
    git(place, "push", "--quiet", "origin", "HEAD:main")
    # It is the server's memory that is looked at: let the client pack with as little work as possible.
    for setting in ("core.compression=0", "pack.compression=0", "core.bigFileThreshold=1m"):
        git(place, "config", *setting.split("="))
    for number in range(FILES):
        (place / f"large {number}.bin").write_bytes(os.urandom(FILE_BYTES))
    git(place, "add", ".")
    git(place, "commit", "--quiet", "--message", "Large")
