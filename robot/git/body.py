"""A request body as git sends it: perhaps zipped, never larger than allowed, read piece by piece."""

from __future__ import annotations

import zlib

import trio

from proxy.asgi import Headers, Receive, values_of
from proxy.guard import BodyRefused, BodyTooLarge

_PIECE_BYTES = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class ClientLeft(Exception):
    """The client closed the connection before its request was complete."""


class BodyUnreadable(BodyRefused):
    """The body is not encoded as its headers say."""


class Body:
    """Reads one request body. `max_bytes` holds before and after unzipping."""

    def __init__(self, receive: Receive, headers: Headers, *, max_bytes: int) -> None:
        encodings = [value.strip().lower() for value in values_of(headers, b"content-encoding")]
        if encodings not in ([], [b"identity"], [b"gzip"], [b"x-gzip"]):
            raise BodyUnreadable("the body's encoding is not known; gzip is")
        zipped = bool(encodings) and encodings != [b"identity"]
        self._unzip = zlib.decompressobj(_GZIP) if zipped else None
        self._receive = receive
        self._max_bytes = max_bytes
        self._given_bytes = 0
        self._received_bytes = 0
        self._rest = b""
        self._ended = False

    async def read(self) -> bytes:
        """The next bytes, empty at the end. Raises `BodyRefused` and its kinds, `ClientLeft`."""
        piece = await (self._next() if self._unzip is None else self._next_unzipped(self._unzip))
        self._given_bytes += len(piece)
        if self._given_bytes > self._max_bytes:
            raise BodyTooLarge(f"the body is larger than {self._max_bytes} bytes when unzipped")
        return piece

    async def wait_for_leaving(self) -> None:
        """Return when the client is gone; only after the end was read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _next_unzipped(self, unzip: zlib._Decompress) -> bytes:
        while True:
            await trio.lowlevel.checkpoint()
            try:
                piece = unzip.decompress(self._rest, _PIECE_BYTES)
            except zlib.error:
                raise BodyUnreadable("the body is not gzip") from None
            self._rest = unzip.unconsumed_tail
            if piece:
                return piece
            if unzip.eof:
                while await self._next():
                    pass  # what follows the end is nobody's
                return b""
            if self._ended:
                raise BodyUnreadable("the zipped body is cut off")
            self._rest = await self._next()

    async def _next(self) -> bytes:
        while not self._ended:
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientLeft
            self._ended = not message.get("more_body", False)
            piece: bytes = message.get("body", b"")
            self._received_bytes += len(piece)
            if self._received_bytes > self._max_bytes:
                raise BodyTooLarge(f"the body is larger than {self._max_bytes} bytes")
            if piece:
                return piece
        return b""
