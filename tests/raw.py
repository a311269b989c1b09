"""HTTP by hand, for requests that no client library would send."""

from __future__ import annotations

import socket
from dataclasses import dataclass

ANSWER_S = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """All that came back until the server closed the connection, or the first response's end."""

    status: int
    head: str
    body: bytes


def send_raw(port: int, request: bytes) -> Answer | None:
    """Send the bytes, read until the connection ends; None when nothing came back.

    Ask for `Connection: close`, or the answer takes as long as the server keeps the connection.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) as sock:
        sock.sendall(request)
        received = b""
        while data := _receive(sock):
            received += data
    if not received:
        return None
    head, _, body = received.partition(b"\r\n\r\n")
    return Answer(int(head.split()[1]), head.decode("latin-1"), body)


def get(port: int, host: str, path: str = "/", *lines: str) -> Answer:
    """GET with exactly these extra header lines."""
    text = "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *lines, "Connection: close", "", ""])
    answer = send_raw(port, text.encode("latin-1"))
    assert answer is not None, "the server said nothing"
    return answer


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except ConnectionResetError:
        return b""
