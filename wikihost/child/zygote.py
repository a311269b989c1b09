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
from typing import Any, get_args

from wikihost.child import selftest
from wikihost.child.lifeline import die_with_parent
from wikihost.child.logs import log_to_core
from wikihost.child.worker import run_worker
from wikihost.isolation.confinement import Confinement, Isolation
from wikihost.isolation.limits import limits_for
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

    def __init__(self, control: socket.socket, server: Any | None, confinement: Confinement | None) -> None:
        self._control = control
        self._server = server
        self._confinement = confinement
        self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self, ready: ZygoteReady) -> None:
        """Fork and reap until core closes its end."""
        wake_read, wake_write = self._wake
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
            for ours in (self._control.detach(), *self._wake):
                os.close(ours)
            run_worker(
                self._server,
                self._confinement,
                order.spec,
                socket.socket(fileno=listener),
                socket.socket(fileno=events),
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
    log_to_core(options.log_level)
    control = socket.socket(fileno=options.control)
    confinement = _confinement(options)
    server, reason = None, options.import_after_fork
    if not reason:
        try:
            server = selftest.load_template(options.scratch)
            confinement = _proven(server, options, confinement)
        except Exception as error:
            logger.exception("late binding does not work with this Otter Wiki; workers import it after the fork")
            _start_over(f"{type(error).__name__}: {error}")
    # What is here now is never garbage: a collection in a worker then leaves the shared pages alone.
    gc.collect()
    gc.freeze()
    Zygote(control, server, confinement).run(ZygoteReady(late_binding=server is not None, reason=reason))


def _confinement(options: argparse.Namespace) -> Confinement | None:
    """What workers are kept in. They know the numbers of core and of this process, and send no signals to those."""
    if options.isolation == "off":
        return None
    return Confinement(limits_for(options.memory_bytes, options.workers), [options.parent, os.getpid()])


def _proven(server: Any, options: argparse.Namespace, confinement: Confinement | None) -> Confinement | None:
    """The confinement, or None where Otter Wiki does not work in it, and the settings rather have it work."""
    try:
        selftest.check_binding(server, options.scratch, confinement)
    except selftest.BindingFailed:
        if confinement is None or options.isolation != "try":
            raise
        selftest.check_binding(server, options.scratch, None)
        logger.warning("workers are NOT isolated: Otter Wiki, as it is installed here, does not work when they are")
        return None
    return confinement


def _start_over(reason: str) -> None:
    """Become a zygote that has not imported Otter Wiki; same process, so core notices nothing."""
    os.execv(sys.executable, [*sys.orig_argv, "--import-after-fork", reason[:500]])  # noqa: S606 -- our own command line


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="wikihost.child.zygote")
    parser.add_argument("--control", type=int, required=True, help="descriptor of the control channel")
    parser.add_argument("--parent", type=int, required=True, help="process that this one must not outlive")
    parser.add_argument("--scratch", type=Path, required=True, help="empty directory for the template wiki")
    parser.add_argument("--log-level", default="WARNING")
    parser.add_argument("--isolation", choices=get_args(Isolation), default="try")
    parser.add_argument("--workers", type=int, required=True, help="how many may be awake at once")
    parser.add_argument("--memory-bytes", type=int, required=True, help="what each process of a worker may have")
    parser.add_argument("--import-after-fork", default="", metavar="REASON", help="why late binding is not used")
    return parser.parse_args()


if __name__ == "__main__":
    main()
