"""Core's end of the channel between core and one worker."""

from __future__ import annotations

import socket

import trio

from wikihost.worker_protocol import MAX_MESSAGE_BYTES, Message, encode


class EventChannel:
    """Any task may send; one hears. Closed with the block that it is entered by."""

    def __init__(self, ours: socket.socket) -> None:
        self._socket = trio.socket.from_stdlib_socket(ours)
        self._turn = trio.Lock()  # Trio lets one task at a time wait until a socket takes more

    async def send(self, message: Message) -> None:
        """Wait until the worker's side has room, and send. Raises OSError when it has ended."""
        packet = encode(message)
        async with self._turn:
            await self._socket.send(packet)

    async def receive(self) -> bytes:
        """The next packet, empty when the worker has ended."""
        try:
            return await self._socket.recv(MAX_MESSAGE_BYTES)
        except ConnectionResetError:
            return b""

    def __enter__(self) -> EventChannel:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
