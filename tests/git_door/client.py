"""Real git as a user has it, against a running robot; no configuration of the machine takes part."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.harness import Robot, robot_command

TIMEOUT_S = 60


@dataclass
class Git:
    """git in one place. `git("clone", …)` fails loudly, `git.fails(…)` returns what it said."""

    place: Path

    def __call__(self, *words: str, **more: str) -> str:
        done = self.run(*words, **more)
        assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def fails(self, *words: str, **more: str) -> str:
        done = self.run(*words, **more)
        assert done.returncode != 0, f"git {' '.join(words)} was to fail: {done.stdout}"
        return done.stderr

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *words],
            cwd=self.place,
            env=environment(more),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def clone(self, address: str, name: str, *options: str) -> Git:
        self("clone", "-q", *options, address, name)
        return Git(self.place / name)

    def write(self, files: Mapping[str, str | bytes], message: str = "Change") -> str:
        """Commit files; the commit."""
        for path, text in files.items():
            file = self.place / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
            self("add", "-f", "--", path)
        self("commit", "-q", "-m", message)
        return self.head()

    def head(self) -> str:
        return self("rev-parse", "HEAD")


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Grace",
        "GIT_AUTHOR_EMAIL": "grace@users.example",
        "GIT_COMMITTER_NAME": "Grace",
        "GIT_COMMITTER_EMAIL": "grace@users.example",
        "LC_ALL": "C.UTF-8",
        **(more or {}),
    }


def address(robot: Robot, token: str | None = None, slug: str = "demo") -> str:
    """Where a wiki is cloned from; git resolves *.localhost itself."""
    user = f"git:{token}@" if token else ""
    return f"http://{user}{slug}.robot.localhost:{robot.port}/.git"


def new_token(robot: Robot, slug: str, *options: str) -> str:
    done = robot_command("token", "create", slug, *options, data=robot.data, port=robot.port)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def new_wiki(robot: Robot, slug: str, *options: str) -> str:
    """Make a wiki; a token that writes to it."""
    done = robot_command("wiki", "create", slug, *options, data=robot.data, port=robot.port)
    assert done.returncode == 0, done.stderr
    return new_token(robot, slug)
