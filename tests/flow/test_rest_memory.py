"""Files that come and go over REST are in files while clients dawdle, and not in the memory of the host."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.harness import Robot
from tests.processes import wait_until
from wikihost.attachments import MAX_ATTACHMENT_BYTES

pytestmark = [pytest.mark.flow, pytest.mark.alone]

CLIENTS = 30
# A file is in memory whole while it is stored or read, a few at once; and the first save loads the model of the search.
ALLOWED_GROWTH = CLIENTS * MAX_ATTACHMENT_BYTES / 2
DEADLINE_S = 30.0
FILE = "/api/v1/pages/Home/attachments/large.bin"


def test_slow_clients_hold_no_memory(own_robot: Robot) -> None:
    robot, data = own_robot, os.urandom(MAX_ATTACHMENT_BYTES)
    before = resident_bytes(robot.pid)
    uploads = [begin(robot, f"PUT {FILE}?dry_run=1", data[:-1], length=len(data)) for _ in range(CLIENTS)]
    wait_until(lambda: large_files(robot.pid) == CLIENTS, DEADLINE_S, "files of all uploads")
    assert resident_bytes(robot.pid) - before < ALLOWED_GROWTH
    for each in uploads:
        each.sendall(data[-1:])
        assert each.recv(12) == b"HTTP/1.1 200"
        each.close()
    with robot.client() as http:
        assert http.put(FILE, content=data, headers=bearer(robot), timeout=60).status_code == 201
        assert http.get(f"{FILE}?raw=1", headers=bearer(robot), timeout=60).content == data
    before = resident_bytes(robot.pid)
    downloads = [begin(robot, f"GET {FILE}?raw=1") for _ in range(CLIENTS)]
    wait_until(lambda: large_files(robot.pid) == CLIENTS, DEADLINE_S, "files of all downloads")
    assert resident_bytes(robot.pid) - before < ALLOWED_GROWTH
    for each in downloads:
        each.close()


def bearer(robot: Robot) -> dict[str, str]:
    return {"Authorization": f"Bearer {robot.token}"}


def begin(robot: Robot, line: str, body: bytes = b"", *, length: int = 0) -> socket.socket:
    """Send a request and read nothing of the answer."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(DEADLINE_S)
    connection.connect(("127.0.0.1", robot.port))
    host = f"demo.robot.localhost:{robot.port}"
    head = f"{line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {robot.token}\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def large_files(pid: int) -> int:
    """How many files without a name are open that are as large as ours, but for what is not flushed yet."""
    found = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            facts = entry.stat()
        except FileNotFoundError:
            continue
        found += facts.st_nlink == 0 and facts.st_size > MAX_ATTACHMENT_BYTES - 64 * 1024
    return found


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
