"""Decisions about a request before anything answers it, and the limits on its body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio

from proxy.asgi import Headers, Message, Receive, Scope, Send, values_of

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
FINAL_SEND_S: Final = 30.0
BODY_GRACE_S: Final = 15.0
"""What a client may lag behind the minimum rate, and so also the longest pause within a body."""
BODY_MIN_BYTES_PER_S: Final = 500


class BodyRefused(Exception):
    """A request body broke a limit; `status` is what to answer if nothing was answered yet."""

    status: int = 400


class BodyTooSlow(BodyRefused):
    """The client sends its body slower than the minimum rate."""

    status = 408


class BodyTooLarge(BodyRefused):
    """The body is, or says it will be, larger than allowed."""

    status = 413


def malformed(scope: Scope) -> str | None:
    """Say what is wrong with a request's head that the parser lets pass, or None; answered with 400.

    h11 keeps Content-Length next to Transfer-Encoding, which two readers frame differently (RFC 9112 6.1),
    and passes absolute, authority and asterisk targets on as paths (RFC 9112 3.2).
    """
    headers: Headers = scope["headers"]
    names = {name for name, _ in headers}
    if b"content-length" in names and b"transfer-encoding" in names:
        return "both Content-Length and Transfer-Encoding"
    if scope["http_version"] not in ("1.0", "1.1"):
        return "not HTTP/1.x"
    if b"transfer-encoding" in names and scope["http_version"] == "1.0":
        return "Transfer-Encoding in HTTP/1.0"
    if scope["method"] in ("CONNECT", "TRACE"):
        return "method not served"
    if not scope["raw_path"].startswith(b"/"):
        return "request target is not a path"
    return None


def same_origin_ok(method: str, headers: Headers, own_origin: str) -> bool:
    """Decide whether a request may change something, by where the browser says it comes from.

    `own_origin` is scheme, host and port as the browser writes them, such as `https://notes.example.org`. What browsers
    say about the initiator (Fetch metadata, W3C; Origin, RFC 6454) replaces CSRF tokens. A client that says nothing
    is no browser and may pass when it sent no cookie. A bearer token is never sent by a browser on its own, so without
    a cookie it passes; Basic credentials are, so they do not.
    """
    if method in SAFE_METHODS:
        return True
    has_cookie = any(name == b"cookie" for name, _ in headers)
    if not has_cookie and _has_bearer(headers):
        return True
    sites = values_of(headers, b"sec-fetch-site")
    if sites:
        return len(sites) == 1 and sites[0] in (b"same-origin", b"none")
    origins = values_of(headers, b"origin")
    if origins:
        return len(origins) == 1 and origins[0] == own_origin.encode("ascii")
    return not has_cookie


def is_sent_by_another_page(headers: Headers) -> bool:
    """Whether a page elsewhere has the browser send this, by no link or form that somebody used (W3C Fetch Metadata).

    Such a page cannot read the answer, but learns from the time that it takes.
    """
    sites = values_of(headers, b"sec-fetch-site")
    if not sites or sites in ([b"same-origin"], [b"none"]):
        return False
    return values_of(headers, b"sec-fetch-user") != [b"?1"]


def _has_bearer(headers: Headers) -> bool:
    credentials = values_of(headers, b"authorization")
    return len(credentials) == 1 and credentials[0][:7].lower() == b"bearer "


def check_declared_length(headers: Headers, max_bytes: int) -> None:
    """Raise `BodyTooLarge` when Content-Length already says so, before a byte of the body is read."""
    lengths: Sequence[bytes] = values_of(headers, b"content-length")
    if lengths and int(lengths[0]) > max_bytes:
        raise BodyTooLarge(f"the body would be {int(lengths[0])} bytes; at most {max_bytes} are taken")


def shield_final_send(send: Send, deadline_s: float = FINAL_SEND_S) -> Send:
    """Wrap `send` so that the message that ends a response is sent even when its sender is cancelled.

    quart-trio cancels the task that sends the end of a response when the client says that it will go, and Hypercorn
    then never learns that the response is complete. Everything before stays cancellable: a reader that stalls
    must not hold its request for ever.
    """

    async def shielded(message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            with trio.move_on_after(deadline_s, shield=True):
                await send(message)
        else:
            await send(message)

    return shielded


class PacedReceive:
    """`receive` with a minimum rate and a maximum size for the body.

    Only the time spent waiting for the client counts, so a reader of ours that is slow itself blames nobody. After the
    body's end it waits for as long as the client stays.
    """

    def __init__(
        self,
        receive: Receive,
        *,
        max_bytes: int | None = None,
        min_bytes_per_s: float = BODY_MIN_BYTES_PER_S,
        grace_s: float = BODY_GRACE_S,
    ) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._min_bytes_per_s = min_bytes_per_s
        self._grace_s = self._budget_s = grace_s
        self._received_bytes = 0
        self._complete = False

    async def __call__(self) -> Message:
        """Return the next message; raises `BodyTooSlow`, `BodyTooLarge`."""
        if self._complete:
            return await self._receive()
        began = trio.current_time()
        try:
            with trio.fail_after(self._budget_s):
                message = await self._receive()
        except trio.TooSlowError:
            raise BodyTooSlow(f"the body came slower than {self._min_bytes_per_s:g} bytes a second") from None
        if message["type"] != "http.request":
            self._complete = True
            return message
        size = len(message.get("body", b""))
        self._received_bytes += size
        earned_s = size / self._min_bytes_per_s - (trio.current_time() - began)
        self._budget_s = min(max(self._budget_s + earned_s, 0.0), self._grace_s)
        self._complete = not message.get("more_body", False)
        if self._max_bytes is not None and self._received_bytes > self._max_bytes:
            raise BodyTooLarge(f"the body is larger than {self._max_bytes} bytes")
        return message
