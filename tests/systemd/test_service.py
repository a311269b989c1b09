"""`robot serve` as `robot.service` and `robot.socket` run it: activated by a socket, watched, confined."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.harness import environment, robot_command


def own_mounts_work() -> bool:
    """Whether we may make a file system read-only for one process: root may, outside of most containers."""
    tried = subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL, timeout=10, check=False)
    return tried.returncode == 0


pytestmark = [
    pytest.mark.flow,
    pytest.mark.alone,
    pytest.mark.skipif(not own_mounts_work(), reason="a read-only file system of one's own needs root and its rights"),
    pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd's list of system calls is needed"),
]

UNIT = Path(__file__).parents[2] / "systemd" / "robot.service"
SANDBOX = Path(__file__).with_name("sandbox.py")
ANSWER_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
WATCHDOG_US = 1_000_000

# What ProtectSystem=strict and PrivateTmp leave: one directory to keep things in, and one for passing files.
READ_ONLY = 'mount --bind "$0" "$0" && mount -t tmpfs tmpfs /var/tmp && mount -o remount,bind,ro / && exec "$@"'


@dataclass
class Manager:
    """The part of systemd that this test needs: it holds the socket, starts the service, hears what it says."""

    data: Path
    listener: socket.socket
    ears: socket.socket
    log: Path

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port

    @property
    def config(self) -> Path:
        return self.data / "robot.toml"

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """The service, ready; killed with the block when it did not end before."""
        settings = {
            "NOTIFY_SOCKET": str(self.ears.getsockname()),
            "WATCHDOG_USEC": str(WATCHDOG_US),
            "ROBOT_DATA": str(self.data),
            "ROBOT_PORT": str(self.port),
            "ROBOT_CONFIG": str(self.config),
            "ROBOT_ISOLATION": "required",
        }
        self.config.touch()
        sandbox = [sys.executable, str(SANDBOX), str(UNIT), str(self.listener.fileno())]
        robot = [sys.executable, "-m", "robot", "serve"]
        with self.log.open("a") as log:
            process = subprocess.Popen(
                ["unshare", "--mount", "--", "sh", "-c", READ_ONLY, str(self.data), *sandbox, *robot],
                env=environment(settings),
                stdout=log,
                stderr=log,
                pass_fds=[self.listener.fileno()],
            )
        try:
            self.wait_until_said("READY=1")
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def wait_until_said(self, state: str) -> None:
        while True:
            try:
                said = self.ears.recv(4096).decode()
            except TimeoutError as error:
                raise AssertionError(f"{state} was not said:\n{self.log.read_text('utf-8')}") from error
            if state in said.splitlines():
                return

    def get(self, host: str, path: str) -> httpx2.Response:
        return httpx2.get(
            f"http://127.0.0.1:{self.port}{path}", headers={"Host": f"{host}:{self.port}"}, timeout=ANSWER_TIMEOUT_S
        )


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    data = tmp_path / "data"
    data.mkdir()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ears,
    ):
        ears.bind(str(tmp_path / "notify"))
        ears.settimeout(ANSWER_TIMEOUT_S)
        yield Manager(data, listener, ears, tmp_path / "log")


def test_the_confined_service_hosts_a_wiki(manager: Manager) -> None:
    made = robot_command("wiki", "create", "notes", "--visibility", "public", data=manager.data, port=manager.port)
    assert made.returncode == 0, made.stderr
    with manager.running() as service:
        assert manager.get("robot.localhost", "/healthz").status_code == 200
        page = manager.get("notes.robot.localhost", "/Home")
        assert page.status_code == 200, manager.log.read_text("utf-8")
        found = manager.get("notes.robot.localhost", "/api/v1/semantic-search?q=agents")
        assert found.status_code == 200, found.text
        manager.wait_until_said("WATCHDOG=1")

        manager.config.write_text("slow_request = 3\n")
        service.send_signal(signal.SIGHUP)
        manager.wait_until_said("RELOADING=1")
        manager.wait_until_said("READY=1")
        assert "settings read anew: taken over: slow_request" in manager.log.read_text("utf-8")

        began = time.monotonic()
        service.send_signal(signal.SIGTERM)
        manager.wait_until_said("STOPPING=1")
        assert service.wait(STOP_TIMEOUT_S) == 0
        assert time.monotonic() - began < 10
    assert "onnxruntime" not in manager.log.read_text("utf-8")


def test_a_restart_refuses_no_connection(manager: Manager) -> None:
    with manager.running() as service:
        service.send_signal(signal.SIGTERM)
        assert service.wait(STOP_TIMEOUT_S) == 0
    with socket.create_connection(("127.0.0.1", manager.port), timeout=ANSWER_TIMEOUT_S) as early:
        early.sendall(f"GET /healthz HTTP/1.1\r\nHost: robot.localhost:{manager.port}\r\n\r\n".encode())
        with manager.running():
            assert early.recv(4096).startswith(b"HTTP/1.1 200 ")
