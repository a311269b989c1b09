"""Clients that take their time are dropped; others notice nothing, and the host stops in time all the same."""

from __future__ import annotations

import contextlib
import fcntl
import signal
import socket
import threading
import time

import httpx2
import pytest

from tests.harness import Robot

pytestmark = [pytest.mark.fault, pytest.mark.alone]

HEAD_DEADLINE_S = 10.0
STOP_BUDGET_S = 2.0


def connect(robot: Robot, *, receive_buffer: int | None = None) -> socket.socket:
    sock = socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(60)
    sock.connect(("127.0.0.1", robot.port))
    return sock


def seconds_until_dropped(sock: socket.socket, drip: bytes, every_s: float) -> float:
    """Send `drip` byte by byte until the server closes the connection."""
    began = time.monotonic()
    sock.settimeout(every_s)
    for byte in drip * 100:
        try:
            sock.sendall(bytes([byte]))
            while sock.recv(4096):
                pass
        except TimeoutError:
            continue
        except OSError:
            break
        else:
            break
    return time.monotonic() - began


def test_a_slow_head_is_dropped_and_others_are_served(robot: Robot) -> None:
    slow = [connect(robot) for _ in range(50)]
    for sock in slow:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: demo.")
    with robot.client() as browser:
        for _ in range(5):
            assert browser.get("/").status_code == 200
    assert seconds_until_dropped(slow[0], b"x", 0.5) < HEAD_DEADLINE_S + 3
    for sock in slow[1:]:
        sock.settimeout(5)
        assert sock.recv(1) == b""
        sock.close()


def test_a_slow_body_is_dropped(robot: Robot) -> None:
    head = (
        "PUT /api/v1/pages/Slow HTTP/1.1\r\n"
        f"Host: demo.robot.localhost\r\nAuthorization: Bearer {robot.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    )
    with connect(robot) as sock:
        sock.sendall(head.encode())
        assert seconds_until_dropped(sock, b"x", 0.5) < 30
    with robot.agent() as agent:
        assert agent.get("/api/v1/pages/Slow").status_code == 404


def test_a_body_over_the_limit_is_refused_before_it_is_read(robot: Robot) -> None:
    head = (
        "POST /Big/save HTTP/1.1\r\nHost: demo.robot.localhost\r\nContent-Type: text/plain\r\n"
        "Content-Length: 99999999999\r\nConnection: close\r\n\r\n"
    )
    with connect(robot) as sock:
        sock.sendall(head.encode())
        assert sock.recv(4096).split(b" ")[1] == b"413"


def big_page(robot: Robot) -> str:
    """A page of a megabyte, which no socket buffer of a stalled reader holds."""
    with robot.agent() as agent:
        answer = agent.put("/api/v1/pages/Big", json={"content": "word " * 180_000})
        assert answer.status_code == 201, answer.text
    return "/api/v1/pages/Big"


def stalled_reader(robot: Robot, path: str) -> socket.socket:
    """Asks for much, takes a little, and then nothing any more."""
    sock = connect(robot, receive_buffer=4096)
    request = f"GET {path} HTTP/1.1\r\nHost: demo.robot.localhost\r\nAuthorization: Bearer {robot.token}\r\n\r\n"
    sock.sendall(request.encode() * 8)
    assert sock.recv(100).startswith(b"HTTP/1.1 200")
    return sock


def test_shutdown_with_idle_streaming_and_stalled_clients(own_robot: Robot) -> None:
    stalled = stalled_reader(own_robot, big_page(own_robot))
    idle = [connect(own_robot) for _ in range(100)]
    for sock in idle:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
    half = connect(own_robot)
    half.sendall(b"GET / HTTP/1.1\r\nHost:")
    assert own_robot.stop(signal.SIGINT) < STOP_BUDGET_S
    assert own_robot.process.returncode == 0, own_robot.stderr()
    for sock in (stalled, half, *idle):
        sock.close()


def test_two_signals_are_as_good_as_one(own_robot: Robot) -> None:
    stalled = stalled_reader(own_robot, big_page(own_robot))
    own_robot.process.send_signal(signal.SIGTERM)
    assert own_robot.stop() < STOP_BUDGET_S
    assert own_robot.process.returncode == 0, own_robot.stderr()
    stalled.close()


def test_a_request_in_flight_is_finished_at_shutdown(own_robot: Robot) -> None:
    """A save that was sent before SIGTERM is answered, and in git."""
    answers: list[int] = []

    def save() -> None:
        with own_robot.agent() as agent:
            answers.append(agent.put("/api/v1/pages/Last words", json={"content": "x" * 500_000}).status_code)

    thread = threading.Thread(target=save)
    head_arrived = connect(own_robot)
    thread.start()
    head_arrived.sendall(
        (
            "PUT /api/v1/pages/Slowly HTTP/1.1\r\nHost: demo.robot.localhost\r\n"
            f"Authorization: Bearer {own_robot.token}\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n"
        ).encode()
    )
    thread.join()
    own_robot.process.send_signal(signal.SIGTERM)
    head_arrived.sendall(b'{"content": "end"}')
    received = head_arrived.recv(4096)
    assert received.split(b" ")[1] == b"201", received
    own_robot.process.wait(10)
    assert answers == [201]


def test_writes_that_wait_for_a_lock_do_not_hold_the_stop(own_robot: Robot) -> None:
    lock = next((own_robot.data / "wikis").glob("*/write.lock"))
    answers: list[int] = []

    def save(number: int) -> None:
        with own_robot.agent() as agent, contextlib.suppress(httpx2.HTTPError):  # the connection may be cut
            answers.append(agent.put(f"/api/v1/pages/Waiting {number}", json={"content": "x"}).status_code)

    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = [threading.Thread(target=save, args=(number,)) for number in range(5)]
        for thread in waiting:
            thread.start()
        with own_robot.agent() as agent:
            # Requests are answered in the order of their arrival: the saves have arrived.
            assert agent.get("/api/v1/health").status_code == 200
        assert own_robot.stop() < 4
    for thread in waiting:
        thread.join()
    assert 201 not in answers
    assert own_robot.process.returncode == 0, own_robot.stderr()
