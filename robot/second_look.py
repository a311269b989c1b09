"""A request whose body comes in pieces is judged once more when all of it is there.

It was let in by its head, and its body may take hours: who was suspended, removed or lowered, or signed out meanwhile,
must not write then.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.asgi import Message, Receive
from proxy.guard import BodyRefused


class RightEnded(BodyRefused):
    """Whoever sends the body was let in when they began, and would not be now."""

    status = 403


def judged_at_its_end(receive: Receive, is_let_in_still: Callable[[], bool]) -> Receive:
    """`receive` that asks before it gives the last piece of several away, and raises `RightEnded`."""
    is_first = True

    async def receive_judged() -> Message:
        nonlocal is_first
        message = await receive()
        is_last = message["type"] == "http.request" and not message.get("more_body", False)
        if is_last and not is_first and not is_let_in_still():
            raise RightEnded("you may not do this any more, so nothing was done")
        is_first = False
        return message

    return receive_judged
