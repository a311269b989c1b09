"""Makes the faults happen that a schedule names, to a service and its processes."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Over

from bench.host import Planted
from bench.service import Service
from bench.stopping import PIPELINED_REQUESTS, SMALLEST_BUFFER_BYTES
from tests.fault.test_full_disk import full
from tests.processes import children_of, descendants_of, kill, lives, wait_until, zygotes_of
from tests.soak.clock import MovedClock
from tests.soak.schedule import Event, Fault

ORPHANS_S = 10.0
STALLED = 20


@dataclass(slots=True)
class Chaos:
    """Does one thing after another. `restarts_s` collects how long each start took, and stops with it."""

    service: Service
    clock: MovedClock
    wikis: list[Planted]
    disk: Path
    over: Over
    restarts_s: list[float]

    def cause(self, event: Event) -> None:
        """Do it, and return when it is over. Raises AssertionError when a process outlives what it belongs to."""
        match event.fault:
            case Fault.KILL_WORKER:
                self._to_a_worker(event, signal.SIGKILL)
            case Fault.KILL_ZYGOTE:
                for pid in zygotes_of(self.service.pid):
                    self._kill_with_all_below(pid)
            case Fault.KILL_CORE:
                self._restart(signal.SIGKILL)
            case Fault.RESTART:
                self._restart(signal.SIGTERM)
            case Fault.FILL_DISK:
                with full(self.disk):
                    self.over.wait(event.lasts_s)
            case Fault.SET_CLOCK:
                self.clock.set(event.offset_s)
            case Fault.HANG_WORKER:
                hung = self._to_a_worker(event, signal.SIGSTOP)
                self.over.wait(event.lasts_s)
                if hung is not None:
                    with suppress(ProcessLookupError):
                        kill(hung, signal.SIGCONT)
            case Fault.STALL_READERS:
                with _stalled_readers(self.service.port, self.wikis[event.wiki]):
                    self.over.wait(event.lasts_s)

    def _to_a_worker(self, event: Event, how: signal.Signals) -> int | None:
        """Send a signal to one of the workers that there are; which, if any."""
        workers = [pid for zygote in zygotes_of(self.service.pid) for pid in children_of(zygote)]
        if not workers:
            return None
        pid = workers[event.wiki % len(workers)]
        with suppress(ProcessLookupError):
            kill(pid, how)
        return pid

    def _kill_with_all_below(self, pid: int) -> None:
        family = descendants_of(pid)
        with suppress(ProcessLookupError):
            kill(pid)
        _assert_gone(family)

    def _restart(self, how: signal.Signals) -> None:
        family = descendants_of(self.service.pid)
        self.restarts_s.append(self.service.restart(how))
        _assert_gone(family)


def _assert_gone(family: list[int]) -> None:
    wait_until(lambda: not any(map(lives, family)), ORPHANS_S, "the end of what was below a process that was killed")


@contextmanager
def _stalled_readers(port: int, wiki: Planted) -> Iterator[None]:
    """Connections that asked for much and take nothing."""
    asked = f"GET /-/index HTTP/1.1\r\nHost: {wiki.host}:{port}\r\n\r\n".encode() * PIPELINED_REQUESTS
    with ExitStack() as stack:
        for _ in range(STALLED):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALLEST_BUFFER_BYTES)
            sock.settimeout(10)
            sock.connect(("127.0.0.1", port))
            sock.sendall(asked)
        yield
