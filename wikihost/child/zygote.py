"""The zygote: Otter Wiki imported once, and forked for each wiki that wakes.

`python -m wikihost.child.zygote --control FD --parent PID --scratch DIR`. Single-threaded, so that a fork copies a
whole process; it never serves a request itself. It is the parent of the workers and reaps them.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from wikihost.child import selftest
from wikihost.child.lifeline import die_with_parent
from wikihost.child.worker import run_worker
from wikihost.worker_protocol import (
    MAX_DESCRIPTORS,
    MAX_MESSAGE_BYTES,
    Exited,
    Message,
    Spawn,
    Spawned,
    SpawnFailed,
    ZygoteReady,
    decode,
    encode,
)

logger = logging.getLogger("robot.zygote")


class Zygote:
    """Answers core on `control`; `server` is the imported Otter Wiki, or None when workers import it themselves."""

    def __init__(self, control: socket.socket, server: Any | None) -> None:
        self._control = control
        self._server = server

    def run(self, ready: ZygoteReady) -> None:
        """Fork and reap until core closes its end."""
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._send(ready)
        control = self._control.fileno()
        while True:
            readable, _, _ = select.select([control, wake_read], [], [])
            if wake_read in readable:
                os.read(wake_read, 4096)
                self._reap()
            if control in readable and not self._answer():
                return

    def _answer(self) -> bool:
        """Do one thing that core asks for; False when core is gone."""
        packet, descriptors, _, _ = socket.recv_fds(self._control, MAX_MESSAGE_BYTES, MAX_DESCRIPTORS)
        if not packet:
            return False
        try:
            message = decode(packet)
            if isinstance(message, Spawn) and len(descriptors) == MAX_DESCRIPTORS:
                self._spawn(message, *descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _spawn(self, order: Spawn, listener: int, events: int) -> None:
        zygote_pid = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._send(SpawnFailed(order.request, f"fork: {error.strerror}"))
            return
        if pid == 0:
            die_with_parent(zygote_pid)
            signal.set_wakeup_fd(-1)
            self._control.close()
            run_worker(
                self._server, order.spec, socket.socket(fileno=os.dup(listener)), socket.socket(fileno=os.dup(events))
            )
        # The child is not reaped before the next turn of the loop, so its pid is still its own here.
        pidfd = os.pidfd_open(pid)
        try:
            self._send(Spawned(order.request, pid), pidfd)
        finally:
            os.close(pidfd)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._send(Exited(pid, os.waitstatus_to_exitcode(status)))

    def _send(self, message: Message, *descriptors: int) -> None:
        try:
            socket.send_fds(self._control, [encode(message)], descriptors)
        except (BrokenPipeError, ConnectionResetError):
            sys.exit(0)


def main() -> None:
    options = _arguments()
    die_with_parent(options.parent)
    # Told by core's end of file, never by a signal that was meant for core.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    logging.basicConfig(format="%(levelname)s %(name)s %(message)s", level=options.log_level)
    control = socket.socket(fileno=options.control)
    server, reason = None, options.import_after_fork
    if not reason:
        try:
            server = selftest.load_template(options.scratch)
            selftest.check_binding(server, options.scratch)
        except Exception as error:
            logger.exception("late binding does not work with this Otter Wiki; workers import it after the fork")
            _start_over(f"{type(error).__name__}: {error}")
    # What is here now is never garbage: a collection in a worker then leaves the shared pages alone.
    gc.collect()
    gc.freeze()
    Zygote(control, server).run(ZygoteReady(late_binding=server is not None, reason=reason))


def _start_over(reason: str) -> None:
    """Become a zygote that has not imported Otter Wiki; same process, so core notices nothing."""
    os.execv(sys.executable, [*sys.orig_argv, "--import-after-fork", reason[:500]])  # noqa: S606 -- our own command line


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="wikihost.child.zygote")
    parser.add_argument("--control", type=int, required=True, help="descriptor of the control channel")
    parser.add_argument("--parent", type=int, required=True, help="process that this one must not outlive")
    parser.add_argument("--scratch", type=Path, required=True, help="empty directory for the template wiki")
    parser.add_argument("--log-level", default="WARNING")
    parser.add_argument("--import-after-fork", default="", metavar="REASON", help="why late binding is not used")
    return parser.parse_args()


if __name__ == "__main__":
    main()
