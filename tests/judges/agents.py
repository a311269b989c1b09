"""What the judges' play knows of a client: where it runs, and the three things it does there."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from tests.judges.toolchain import clean_environment, resolving, write_hosts

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

    With a `token` the client sends that; without one it has to find out by itself how to sign in. `roots` is a file
    with certificates to trust.
    """

    home: Path
    address: str
    opened: Path
    token: str | None = None
    roots: Path | None = None

    @property
    def env(self) -> dict[str, str]:
        """Names resolve, and what the client would show in a browser is written to `opened` instead."""
        tools = self.home / "bin"
        return {
            **clean_environment(self.home, tools),
            **resolving(self.home / "hosts"),
            "BROWSER": str(tools / "xdg-open"),
            **({"NODE_EXTRA_CA_CERTS": str(self.roots), "SSL_CERT_FILE": str(self.roots)} if self.roots else {}),
        }

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}


Client = Callable[[Desk], AbstractContextManager[Agent]]


def desk(home: Path, address: str, *, token: str | None = None, roots: Path | None = None) -> Desk:
    """A new desk under `home`, whose browser is a script that notes the address it is given."""
    tools, opened = home / "bin", home / "opened"
    tools.mkdir(parents=True)
    script = tools / "xdg-open"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >> {opened}\n')
    script.chmod(0o755)
    opened.touch()
    host = urlsplit(address).hostname or ""
    write_hosts([host, host.partition(".")[2]], home / "hosts")
    return Desk(home, address, opened, token, roots)


def opened_by(at: Desk) -> list[str]:
    """The addresses that the client opened in its person's browser so far."""
    return at.opened.read_text().splitlines()


def run(command: list[str], at: Desk, **env: str) -> str:
    """What a program prints that ends by itself; fails with all it said when it ends badly."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=at.home, env=at.env | env, stdout=pipe, stderr=pipe, text=True)
    timer = threading.Timer(CALL_S, process.kill)
    timer.start()
    with process:
        said, complaints = process.communicate()
    timer.cancel()
    assert process.returncode == 0, f"it ended with {process.returncode}: {said}{complaints}"
    return said


def run_at_terminal(command: list[str], at: Desk, **env: str) -> str:
    """The same for a program that wants a person before it."""
    ours, its = pty.openpty()
    process = subprocess.Popen(command, cwd=at.home, env=at.env | env, stdin=its, stdout=its, stderr=its)
    os.close(its)
    timer = threading.Timer(CALL_S, process.kill)
    timer.start()
    said = bytearray()
    with process, suppress(OSError):  # the other end of a terminal ends with EIO
        while piece := os.read(ours, 65_536):
            said += piece
    timer.cancel()
    os.close(ours)
    assert process.returncode == 0, f"it ended with {process.returncode}: {said.decode(errors='replace')}"
    return said.decode(errors="replace")


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
def listening(command: list[str], at: Desk) -> Iterator[subprocess.Popen[str]]:
    """A program that is read while it runs; killed when it is far too slow."""
    process = subprocess.Popen(
        command, cwd=at.home, env=at.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    timer = threading.Timer(CALL_S, process.kill)
    timer.start()
    with process:
        try:
            yield process
        finally:
            timer.cancel()
            process.kill()


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
