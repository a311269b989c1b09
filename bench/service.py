"""robot as `robot.socket` and `robot.service` run it: its listening socket outlives each of its processes.

`python bench/service.py FD COMMAND…` becomes the command with that listening socket (sd_listen_fds(3)).
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

START_LIMIT_S = 60.0
STOP_LIMIT_S = 20.0
BACKLOG = 1024
LOG_TAIL_CHARS = 4000

_LISTEN_FDS_START = 3
_DATAGRAM_BYTES = 4096


class ServiceFailed(Exception):
    """robot ended, or said nothing, before what was waited for; with the end of its log."""


class Service:
    """The part of systemd that a restart needs: it holds the socket, starts and stops robot, hears what it says.

    `environment` is the whole of what robot gets; `program` is the module that is run with the word `serve`; `log` is
    the file of its log, beside the data if not said. One process at a time, and one thread that starts and stops it.
    """

    def __init__(
        self, data: Path, environment: Mapping[str, str], program: str = "robot", log: Path | None = None
    ) -> None:
        self.log = log or data.with_suffix(".log")
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.process: subprocess.Popen[bytes] | None = None
        self._data = data
        self._environment = environment
        self._program = program
        self._ears = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ears.bind(str(data.with_suffix(".notify")))

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port

    @property
    def pid(self) -> int:
        """The process that runs now. Raises ServiceFailed when none does."""
        if self.process is None:
            raise ServiceFailed("robot was not started")
        return self.process.pid

    def start(self) -> None:
        """Start robot and wait until it is ready. Raises ServiceFailed."""
        self.begin()
        self.wait_until_said("READY=1")

    def begin(self) -> None:
        """Start robot and do not wait."""
        self._forget_what_was_said()
        surroundings = {**self._environment, "ROBOT_DATA": str(self._data), "ROBOT_PORT": str(self.port)}
        surroundings["NOTIFY_SOCKET"] = str(self._ears.getsockname())
        command = [sys.executable, __file__, str(self.listener.fileno())]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*command, sys.executable, "-m", self._program, "serve"],
                env=surroundings,
                stdout=log,
                stderr=log,
                pass_fds=[self.listener.fileno()],
                start_new_session=True,
            )

    def wait_until_said(self, state: str) -> None:
        """Wait for a line of what robot tells systemd, from the last start on. Raises ServiceFailed."""
        deadline = time.monotonic() + START_LIMIT_S
        process = self.process
        assert process is not None
        pidfd = os.pidfd_open(process.pid)
        try:
            while True:
                patience_s = max(0.0, deadline - time.monotonic())
                heard, _, _ = select.select([self._ears.fileno(), pidfd], [], [], patience_s)
                if self._ears.fileno() in heard:
                    if state in self._ears.recv(_DATAGRAM_BYTES).decode().splitlines():
                        return
                elif heard or time.monotonic() >= deadline:
                    raise ServiceFailed(f"{state} was not said:\n{self.log_tail()}")
        finally:
            os.close(pidfd)

    def send(self, how: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(how)

    def wait(self) -> int:
        """Wait until robot has ended; its exit code. Raises subprocess.TimeoutExpired."""
        assert self.process is not None
        return self.process.wait(STOP_LIMIT_S)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> float:
        """Signal, and wait until it has ended; returns the seconds. Raises subprocess.TimeoutExpired."""
        began = time.monotonic()
        self.send(how)
        self.wait()
        return time.monotonic() - began

    def restart(self, how: signal.Signals = signal.SIGTERM) -> float:
        """As `systemctl restart`: returns the seconds from the signal until it is ready again."""
        began = time.monotonic()
        self.stop(how)
        self.start()
        return time.monotonic() - began

    def log_tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-LOG_TAIL_CHARS:]

    def close(self) -> None:
        """End what still runs, and let the socket go."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.listener.close()
        self._ears.close()
        self._data.with_suffix(".notify").unlink(missing_ok=True)

    def _forget_what_was_said(self) -> None:
        while select.select([self._ears], [], [], 0)[0]:
            self._ears.recv(_DATAGRAM_BYTES)


def _become(listener: int, command: list[str]) -> None:
    os.dup2(listener, _LISTEN_FDS_START, inheritable=True)
    os.environ |= {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "http", "LISTEN_PID": str(os.getpid())}
    os.execv(command[0], command)


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
