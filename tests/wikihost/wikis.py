"""Small wikis for tests, and the questions that real git answers about them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from wikihost.layout import WikiHome
from wikihost.lifecycle import create_wiki
from wikihost.values import Author

ADA = Author("Ada Ferry", "ada@users.example", {"Robot-Via": "rest"})


def make_wiki(place: Path, pages: Mapping[str, str] | None = None) -> WikiHome:
    home = WikiHome(place)
    create_wiki(home, name="Test", description="A wiki.", author=ADA, pages=pages or {"Home": "# Home\n"})
    return home


def git(home: WikiHome, *arguments: str, text: str | None = None) -> str:
    """Run the real git in the wiki's work tree, without the machine's configuration."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Git",
        "GIT_AUTHOR_EMAIL": "git@users.example",
        "GIT_COMMITTER_NAME": "Git",
        "GIT_COMMITTER_EMAIL": "git@users.example",
    }
    done = subprocess.run(
        ["git", "-c", "core.quotePath=false", *arguments],
        cwd=home.repo,
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.rstrip("\n")


def refs_of(home: WikiHome) -> Mapping[str, str]:
    """Every reference of the repository, by full name, with what it is at."""
    lines = git(home, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ") for line in lines)


def assert_sound(home: WikiHome) -> None:
    """git finds no fault with the repository, and work tree, index and head agree."""
    assert git(home, "fsck", "--strict", "--no-dangling") == ""
    assert git(home, "status", "--porcelain", "--untracked-files=all") == ""
    left = [path.name for path in home.git_dir.rglob("*") if path.suffix == ".lock" or path.name.startswith("robot-i")]
    assert left == []


def in_child(work: Callable[[int], None]) -> tuple[int, int]:
    """Fork; the child runs `work(fd)` and exits. Its pid, and the end of the pipe that has what it wrote to fd."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reader)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            work(writer)
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    return pid, reader


def wait_child(pid: int, reader: int) -> tuple[int, bytes]:
    """Everything that the child wrote, once it has ended; its status as `waitpid` gives it."""
    with open(reader, "rb") as pipe:
        output = pipe.read()
    return os.waitpid(pid, 0)[1], output
