"""What the judges' play knows of a client: where it runs, and the three things it does there."""

from __future__ import annotations

import json
import os
import select
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from tests.judges.toolchain import clean_environment, resolving

CALL_S = 60.0
"""For one call of any client, with its start and on a busy machine."""


class Agent(Protocol):
    """A client that is connected to a wiki, or that connects anew for each call."""

    def sign_in(self) -> None:
        """Connect for the first time. With OAuth this ends when a person has consented."""

    def tools(self) -> set[str]:
        """The names of the wiki's tools, as this client lists them."""

    def call(self, tool: str, **arguments: str) -> str:
        """Call a tool and give back its text; an `AssertionError` when it failed."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A home of its own for one client: nothing of this machine's user, and one wiki to connect to.

    With a `token` the client sends that; without one it has to find out by itself how to sign in.
    """

    home: Path
    address: str
    token: str | None
    opened: Path

    @property
    def env(self) -> dict[str, str]:
        """Names resolve, and what the client would show in a browser is written to `opened` instead."""
        host = urlsplit(self.address).hostname or ""
        names = {host, host.partition(".")[2]}
        tools = self.home / "bin"
        return {
            **clean_environment(self.home, tools),
            **resolving(sorted(names), self.home / "hosts"),
            "BROWSER": str(tools / "xdg-open"),
        }

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}


Client = Callable[[Desk], AbstractContextManager[Agent]]


def desk(home: Path, address: str, token: str | None = None) -> Desk:
    """A new desk under `home`, whose browser is a script that writes the address it is given into a pipe."""
    tools, opened = home / "bin", home / "opened"
    tools.mkdir(parents=True)
    os.mkfifo(opened)
    script = tools / "xdg-open"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" > {opened}\n')
    script.chmod(0o755)
    return Desk(home, address, token, opened)


def wait_for_browser(at: Desk, deadline_s: float = CALL_S) -> str:
    """The address that the client opens in its person's browser."""
    pipe = os.open(at.opened, os.O_RDONLY | os.O_NONBLOCK)
    try:
        ready, _, _ = select.select([pipe], [], [], deadline_s)
        assert ready, f"the client opened no browser within {deadline_s:.0f} s"
        return os.read(pipe, 65_536).decode().strip()
    finally:
        os.close(pipe)


def run(command: list[str], at: Desk, **env: str) -> str:
    """What a program prints that ends by itself; fails with all it said when it ends badly."""
    done = subprocess.run(
        command, cwd=at.home, env=at.env | env, capture_output=True, text=True, timeout=CALL_S, check=False
    )
    assert done.returncode == 0, f"{Path(command[-1]).name} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


class Conversation:
    """A running program that answers each line of JSON with one."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log

    def say(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """The next line; the program is killed when it is far too slow."""
        assert self._process.stdout is not None
        timer = threading.Timer(CALL_S, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        assert line, f"it ended, or said nothing for {CALL_S:.0f} s: {self._log.read_text()[-4_000:]}"
        heard: dict[str, Any] = json.loads(line)
        return heard


@contextmanager
def conversation(command: list[str], at: Desk, **env: str) -> Iterator[Conversation]:
    """A program that runs until the block ends."""
    log = at.home / "stderr"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command,
            cwd=at.home,
            env=at.env | env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    with process:
        try:
            yield Conversation(process, log)
        finally:
            process.kill()
