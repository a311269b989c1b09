"""One request and its answer as the front sees them pass: how far they came, and how long the client took."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import perf_counter

from proxy.asgi import Message, Receive, Scope, Send
from robot.finished import Finished, Observer, Phase
from robot.underway import Underway

log = logging.getLogger(__name__)

_NAME = b"x-request-id"


class Exchange:
    """What passes between a client and the doors. Every answer is given the name of its request."""

    def __init__(self, request: Underway, receive: Receive, send: Send) -> None:
        self._request = request
        self._receive = receive
        self._send = send
        self._status = 0
        self._sent_bytes = 0
        self._is_whole = False

    @property
    def has_begun(self) -> bool:
        """Whether the client got anything yet, so that no other answer can be given."""
        return self._status != 0

    async def receive(self) -> Message:
        """The `receive` for the doors. The wait for a client to leave is nobody's time."""
        began = perf_counter()
        message = await self._receive()
        if message["type"] == "http.request":
            self._request.took(Phase.RECEIVING, perf_counter() - began)
        return message

    async def send(self, message: Message) -> None:
        """The `send` for the doors."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message = {**message, "headers": [*message["headers"], (_NAME, self._request.request_id.encode())]}
        else:
            self._sent_bytes += len(message.get("body", b""))
        began = perf_counter()
        await self._send(message)
        self._request.took(Phase.SENDING, perf_counter() - began)
        if message["type"] == "http.response.body":
            self._is_whole = not message.get("more_body", False)

    def tell(self, observers: Sequence[Observer], scope: Scope, network: str) -> None:
        """Tell what became of it, now that nothing more will be sent."""
        request = self._request
        finished = Finished(
            request_id=request.request_id,
            face=request.face,
            method=scope["method"],
            path=scope["path"],
            status=self._status,
            is_whole=self._is_whole,
            seconds=perf_counter() - request.began,
            phases=dict(request.phases),
            sent_bytes=self._sent_bytes,
            wiki=request.wiki,
            actor=request.actor,
            network=network,
        )
        for observe in observers:
            try:
                observe(finished)
            except Exception:
                # The answer is out: whoever only watches must not make it a failure.
                log.exception("the request was not noted")
