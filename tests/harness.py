"""Starts the real robot in a process of its own, as `make demo` does, and talks to it over loopback."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import httpx2

from tests import demo_data

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
INDEXED_WITHIN_S = 300.0
"""Indexing gives way to whatever else runs on the machine, so a busy one may keep it waiting for minutes."""
_FIRST_PORT = 18_000
_PORTS_PER_WORKER = 3_000
_MOST_WORKERS = 4


def free_port() -> int:
    """A port that was free a moment ago, outside the range that the kernel hands out to clients.

    The two that follow are left alone, too. Tests that run side by side look in ranges of their own.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _FIRST_PORT + _PORTS_PER_WORKER * (worker % _MOST_WORKERS)
    for port in range(first + os.getpid() % 500, first + _PORTS_PER_WORKER, 7):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


class RobotFailed(AssertionError):
    """robot ended before it was ready; carries what it wrote to stderr."""


@dataclass
class Robot:
    """A running robot. `platform` and `wiki` are origins such as http://demo.robot.localhost:18080."""

    process: subprocess.Popen[str]
    port: int
    data: Path
    stderr_file: Path
    platform: str
    wiki: str
    signin_link: str
    token: str
    pid: int

    def wiki_origin(self, slug: str) -> str:
        return f"http://{slug}.robot.localhost:{self.port}"

    def put_in_force(self, domain: str, slug: str = "demo") -> None:
        """Give a wiki a domain of its own, as if DNS had shown that it may have it."""
        with contextlib.closing(sqlite3.connect(self.data / "robot.db")) as db, db:
            db.execute(
                "INSERT OR REPLACE INTO domains (wiki_id, domain, challenge, created_at, verified_at, checked_at)"
                " SELECT id, ?1, 'c', ?2, ?2, ?2 FROM wikis WHERE slug = ?3",
                (domain, int(time.time()), slug),
            )

    def client(self, origin: str | None = None, *, cookies: Mapping[str, str] | None = None) -> httpx2.Client:
        """An HTTP client of one origin (the demo wiki's by default), as a script has it: no redirects followed."""
        host = urlsplit(origin or self.wiki).netloc
        headers = {"Host": host}
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return httpx2.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30, follow_redirects=False
        )

    def agent(self, token: str | None = None, origin: str | None = None) -> httpx2.Client:
        """A client of a wiki with a bearer token (the demo's by default)."""
        client = self.client(origin)
        client.headers["Authorization"] = f"Bearer {token or self.token}"
        return client

    def stderr(self) -> str:
        return self.stderr_file.read_text("utf-8")

    def login_link(self) -> str:
        """A fresh one-time sign-in link, made by the command line while the server runs."""
        done = robot_command("login-link", data=self.data, port=self.port)
        assert done.returncode == 0, done.stderr
        return next(word for word in done.stdout.split() if "/auth/link?" in word)

    def sign_in(self, origin: str | None = None, link_address: str | None = None) -> dict[str, str]:
        """Cookies of a signed-in browser: the platform's, or with `origin` that wiki's after the hand-off.

        It is the operator's, or that of the person for whom the sign-in link was made.
        """
        platform: dict[str, str] = {}
        link = urlsplit(link_address or self.login_link())
        with self.client(self.platform) as client:
            answer = client.get(f"{link.path}?{link.query}")
            assert answer.status_code in (302, 303), answer.text
            platform.update(answer.cookies)
        if origin is None:
            return platform
        return self.hand_off(origin, platform)

    def hand_off(self, origin: str, platform: dict[str, str]) -> dict[str, str]:
        """Cookies of the wiki at `origin`, in a browser that has these of the platform."""
        wiki: dict[str, str] = {}
        address = f"{origin}/auth/start?next=/"
        for _ in range(6):
            parts = urlsplit(address)
            jar = wiki if parts.netloc == urlsplit(origin).netloc else platform
            with self.client(f"{parts.scheme}://{parts.netloc}", cookies=jar) as client:
                answer = client.get(f"{parts.path}?{parts.query}")
            jar.update(answer.cookies)
            if parts.path == "/auth/finish":
                assert answer.status_code in (302, 303), answer.text
                return wiki
            address = str(answer.headers["location"])
            if address.startswith("/"):
                address = f"{parts.scheme}://{parts.netloc}{address}"
        raise AssertionError(f"the hand-off did not end: {address}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> float:
        """Send a signal and wait; returns the seconds that it took to end."""
        began = time.monotonic()
        self.process.send_signal(how)
        self.process.wait(STOP_TIMEOUT_S)
        return time.monotonic() - began


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without any setting of robot; what this machine's /etc/robot says is not read."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ROBOT_")}
    return clean | {"PYTHONUTF8": "1", "ROBOT_CONFIG": os.devnull} | dict(extra or {})


def robot_argv(*words: str, module: str = "robot") -> list[str]:
    return [sys.executable, "-m", module, *words]


def robot_command(
    *words: str, data: Path, port: int, env: Mapping[str, str] | None = None, timeout_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run one verb of the command line to its end."""
    settings = {"ROBOT_DATA": str(data), "ROBOT_PORT": str(port)}
    return subprocess.run(
        robot_argv(*words),
        env=environment(settings | dict(env or {})),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@contextlib.contextmanager
def running_robot(
    data: Path,
    *,
    port: int | None = None,
    env: Mapping[str, str] | None = None,
    preexec: tuple[str, ...] = (),
    module: str = "robot",
    first_start: bool = False,
) -> Iterator[Robot]:
    """`robot demo --json` on `data` until the block ends; killed when it does not end by itself.

    Where there is no data yet, it is a copy of what a first start leaves, unless a `first_start` is wanted.
    `preexec` is put before the command, such as ("prlimit", "--fsize=1000000"). `module` is run in robot's place.
    """
    port = port or free_port()
    if not first_start and not (data / "robot.db").exists():
        demo_data.copy_to(data, _start_once)
    data.mkdir(parents=True, exist_ok=True)
    stderr_file = data.parent / f"{data.name}.stderr"
    with stderr_file.open("a") as stderr:
        process = subprocess.Popen(
            [*preexec, *robot_argv("demo", "--port", str(port), "--data", str(data), "--json", module=module)],
            env=environment(env),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    try:
        yield _wait_until_ready(process, port, data, stderr_file)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _start_once(data: Path) -> None:
    """Let robot make the demo wiki and index it."""
    with running_robot(data, first_start=True) as robot:
        done = robot_command("reindex", "demo", data=data, port=robot.port, timeout_s=INDEXED_WITHIN_S)
        assert done.returncode == 0, done.stderr


def _wait_until_ready(process: subprocess.Popen[str], port: int, data: Path, stderr_file: Path) -> Robot:
    assert process.stdout is not None
    line = _read_line(process.stdout, process)
    if not line:
        process.wait(STOP_TIMEOUT_S)
        raise RobotFailed(stderr_file.read_text("utf-8"))
    said = json.loads(line)
    return Robot(
        process=process,
        port=port,
        data=data,
        stderr_file=stderr_file,
        platform=said["platform"],
        wiki=said["wiki"],
        signin_link=said["signin_link"],
        token=said["token"],
        pid=said["pid"],
    )


def _read_line(stream: IO[str], process: subprocess.Popen[str]) -> str:
    """The first line of a pipe; ends with "" when the process does, and kills it when it is far too slow."""
    timer = threading.Timer(START_TIMEOUT_S, process.kill)
    timer.start()
    try:
        return stream.readline()
    finally:
        timer.cancel()
