"""What robot tells systemd about itself (sd_notify(3)); nothing where no service manager listens."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from enum import StrEnum

LISTEN_FDS_START = 3


class Stage(StrEnum):
    """What start and stop do, in this order; READY follows the last of start, STOPPING comes before those of stop."""

    DATABASE = "starting: opening the database"
    DOORS = "starting: loading what answers"
    INTERRUPTED = "starting: clearing up after what was interrupted"
    PARTS = "starting: the last parts"
    IN_FLIGHT = "stopping: requests in flight are finished"
    WORKERS = "stopping: workers and the search index end"
    LAST_WRITES = "stopping: the last writes"


def notify(state: str) -> None:
    """Send one state, such as `READY=1`, to the service manager, if there is one; waits until it has room for it."""
    _send(state, 0)


def mention(state: str) -> None:
    """Send one state that nothing depends on, unless the service manager has no room for it.

    It has room for ten or so, and one that is busy, or starting anew, reads none: the whole host would wait for it.
    """
    with suppress(BlockingIOError):
        _send(state, socket.MSG_DONTWAIT)


def _send(state: str, flags: int) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.connect(address)
        sock.sendall(state.encode(), flags)


def say_stage(stage: Stage) -> None:
    """Say how far start or stop is: `systemctl status` shows it, and who asks why it takes so long reads it there."""
    mention(f"STATUS={stage}")


def is_heard() -> bool:
    """Whether a service manager listens."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def watchdog_period_s() -> float | None:
    """The time after which systemd takes a silent robot for hung; None where it does not watch."""
    period = os.environ.get("WATCHDOG_USEC", "")
    if not period.isdigit() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(period) / 1_000_000


def passed_descriptors() -> list[int]:
    """The listening sockets that systemd opened for us, none without socket activation (sd_listen_fds(3))."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(os.environ.get("LISTEN_FDS", "0"))
    descriptors = list(range(LISTEN_FDS_START, LISTEN_FDS_START + count))
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return descriptors
