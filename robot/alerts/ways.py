"""What a way is by which messages leave the host."""

from __future__ import annotations

from typing import Protocol

from robot.alerts.message import Message

SEND_S = 30.0
"""How long sending one message may take, whoever answers how slowly."""


class NotSent(Exception):
    """The message did not go; the sentence says why, without any secret."""


class Way(Protocol):
    """A way out. `name` is the same at each start; messages wait under it."""

    @property
    def name(self) -> str: ...

    async def send(self, message: Message) -> None:
        """Send it, within `SEND_S`. Raises `NotSent`."""
