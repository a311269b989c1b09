"""What robot tells systemd about itself (sd_notify(3)); nothing where no service manager listens."""

from __future__ import annotations

import os
import socket

import trio

LISTEN_FDS_START = 3


def notify(state: str) -> None:
    """Send one state, such as `READY=1`, to the service manager, if there is one."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.connect(address)
        sock.sendall(state.encode())


def watchdog_interval_s() -> float | None:
    """Half of the time after which systemd takes a silent robot for hung; None where it does not watch."""
    period = os.environ.get("WATCHDOG_USEC", "")
    if not period.isdigit() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(period) / 2_000_000


async def keep_watchdog_quiet(*, task_status: trio.TaskStatus[None]) -> None:
    """Prove to systemd, if it watches, that the event loop still turns."""
    task_status.started()
    interval_s = watchdog_interval_s()
    while interval_s is not None:
        notify("WATCHDOG=1")
        await trio.sleep(interval_s)


def passed_descriptors() -> list[int]:
    """The listening sockets that systemd opened for us, none without socket activation (sd_listen_fds(3))."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(os.environ.get("LISTEN_FDS", "0"))
    descriptors = list(range(LISTEN_FDS_START, LISTEN_FDS_START + count))
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return descriptors
