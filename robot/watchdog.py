"""Proves to systemd that this host answers whoever connects, which is what it is there for.

A loop that turns while nothing is accepted any more, for want of descriptors or through a fault of ours, is as dead as
one that hangs. So the host asks itself for `/healthz`, through its own listening socket.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence

import trio

from robot import sdnotify

log = logging.getLogger(__name__)

TRIES = 3
"""How often the host is asked before systemd takes it for hung."""

_QUESTION = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_YES = b"HTTP/1.1 200 "


class Watchdog:
    """Asks at the first of `sockets`, on which this process listens."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._socket = sockets[0]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Say `WATCHDOG=1` after each answer, until cancelled; where systemd does not watch, end at once."""
        task_status.started()
        period_s, failures = sdnotify.watchdog_period_s(), 0
        while period_s is not None:
            failures = 0 if await self.answers(period_s / TRIES / 2) else failures + 1
            if not failures:
                sdnotify.mention("WATCHDOG=1")
            elif failures > 1:  # the first may be the end of the process that has begun
                log.error("this host does not answer its own request; systemd restarts it if that goes on")
            await trio.sleep(period_s / TRIES)

    async def answers(self, deadline_s: float) -> bool:
        """Whether the host answers itself within the deadline."""
        with trio.move_on_after(deadline_s):
            try:
                return await self._ask()
            except (OSError, trio.BrokenResourceError) as error:
                log.warning("this host cannot connect to itself: %s", error)
        return False

    async def _ask(self) -> bool:
        async with await self._connect() as stream:
            await stream.send_all(_QUESTION)
            said = b""
            while len(said) < len(_YES):
                more = await stream.receive_some()
                if not more:
                    return False
                said += more
            return said.startswith(_YES)

    async def _connect(self) -> trio.SocketStream:
        if self._socket.family == socket.AF_UNIX:
            return await trio.open_unix_socket(self._socket.getsockname())
        host, port = self._socket.getsockname()[:2]
        own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (not to bind to)
        return await trio.open_tcp_stream(own, port)
