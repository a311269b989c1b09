"""Backpressure for request bodies: Quart takes in what a client sends as fast as it comes, whoever reads it."""

from __future__ import annotations

from typing import cast

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGIReceiveEvent
from quart import request

_AHEAD_BYTES = 128 * 1024
_KEY = "robot.inflow"


class Inflow:
    """Wraps `receive`, and lets it run ahead of who reads the body by so much only."""

    def __init__(self, receive: ASGIReceiveCallable) -> None:
        self._receive = receive
        self._ahead = 0
        self._taken = trio.Event()

    def scope(self) -> dict[str, Inflow]:
        """What goes into the scope, for `took` to be called from a handler."""
        return {_KEY: self}

    async def receive(self) -> ASGIReceiveEvent:
        while self._ahead > _AHEAD_BYTES:
            self._taken = trio.Event()
            await self._taken.wait()
        message = await self._receive()
        if message["type"] == "http.request":
            self._ahead += len(message["body"])
        return message

    def took(self, count: int) -> None:
        self._ahead -= count
        self._taken.set()


def inflow() -> Inflow:
    """That of the request at hand."""
    scope = cast("dict[str, object]", request.scope)
    return cast("Inflow", scope[_KEY])
