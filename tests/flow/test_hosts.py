"""Which host is which: never a default wiki, whatever the Host header says."""

from __future__ import annotations

import re

import pytest

from tests.harness import Robot, robot_command
from tests.raw import get, send_raw

pytestmark = pytest.mark.flow

DEMO_TEXT = b"robot handbook"
RANDOM = re.compile(r"[0-9a-f]{64}|(?<=nonce=)[\w-]{43}|(?<=x-request-id: )[0-9a-f]{16}")


@pytest.mark.parametrize(
    "host",
    [
        "demo.robot.localhost:{port}",
        "demo.robot.localhost",
        "DEMO.Robot.LocalHost:{port}",
        "demo.robot.localhost.:{port}",
        "demo.robot.localhost:443",
    ],
)
def test_every_spelling_of_the_demo_reaches_it(robot: Robot, host: str) -> None:
    answer = get(robot.port, host.format(port=robot.port))
    assert answer.status == 200
    assert DEMO_TEXT in answer.body


@pytest.mark.parametrize("host", ["robot.localhost:{port}", "ROBOT.localhost.", "robot.localhost"])
def test_every_spelling_of_the_platform_reaches_it(robot: Robot, host: str) -> None:
    answer = get(robot.port, host.format(port=robot.port))
    assert answer.status == 200
    assert b"Otter Wiki" in answer.body


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("nosuch.robot.localhost", 404),
        ("a.demo.robot.localhost", 404),
        ("evil.example", 421),
        ("127.0.0.1", 421),
        ("[::1]", 421),
        ("[::1]:80", 421),
        ("localhost", 421),
        ("demorobot.localhost", 421),
        ("demo.robot.localhost.evil.example", 421),
        ("xn--dmo-5ka.robot.localhost", 404),
        ("demo.robot.localhost@evil.example", 400),
        ("user@demo.robot.localhost", 400),
        ("demo.robot.localhost:99999", 400),
        ("demo.robot.localhost:x", 400),
        ("demo..robot.localhost", 400),
        (".robot.localhost", 400),
        ("-a.robot.localhost", 400),
        ("de mo.robot.localhost", 400),
        ("demo_.robot.localhost", 400),
        ("d%65mo.robot.localhost", 400),
        ("", 400),
    ],
)
def test_other_hosts_are_refused(robot: Robot, host: str, status: int) -> None:
    answer = get(robot.port, host)
    assert answer.status == status
    assert DEMO_TEXT not in answer.body


@pytest.mark.parametrize(
    "lines",
    [
        "Host: demo.robot.localhost\r\nHost: robot.localhost\r\n",
        "Host: demo.robot.localhost\r\nHost: demo.robot.localhost\r\n",
        "",
    ],
)
def test_two_hosts_or_none_are_refused(robot: Robot, lines: str) -> None:
    answer = send_raw(robot.port, f"GET / HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
    assert answer is not None
    assert answer.status == 400
    assert DEMO_TEXT not in answer.body


def test_forwarded_host_is_not_believed(robot: Robot) -> None:
    lines = ("X-Forwarded-Host: demo.robot.localhost", "Forwarded: host=demo.robot.localhost", "X-Host: demo")
    answer = get(robot.port, "evil.example", "/", *lines)
    assert answer.status == 421


def test_a_private_wiki_and_a_missing_one_look_the_same_to_strangers(robot: Robot) -> None:
    made = robot_command("wiki", "create", "hidden", "--name", "Hidden", data=robot.data, port=robot.port)
    assert made.returncode == 0, made.stderr
    # Before and after it was deleted, while it can be had back; then for good.
    for deletion in ((), ("--for-good",)):
        for path in (
            "/",
            "/Home",
            "/api/v1/pages",
            "/api/v1/pages/Home",
            "/mcp",
            "/auth/start",
            "/-/search?query=x",
            "/robots.txt",
        ):
            for accept in ("*/*", "text/html"):
                seen = [seen_by_stranger(robot, slug, path, accept) for slug in ("hidden", "absent")]
                assert seen[0] == seen[1], path
        deleted = robot_command("wiki", "delete", "hidden", "--yes", *deletion, data=robot.data, port=robot.port)
        assert deleted.returncode == 0, deleted.stderr


def seen_by_stranger(robot: Robot, slug: str, path: str, accept: str) -> tuple[int, list[str], bytes]:
    """Everything of an answer but its date, its random values and the wiki's own address."""
    answer = get(robot.port, f"{slug}.robot.localhost", path, f"Accept: {accept}")
    plain = RANDOM.sub("RANDOM", answer.head.replace(slug, "SLUG"))
    lines = sorted(line for line in plain.lower().split("\r\n") if not line.startswith("date:"))
    return answer.status, lines, RANDOM.sub("RANDOM", answer.body.decode().replace(slug, "SLUG")).encode()


@pytest.mark.parametrize("header", ["Service-Worker: script", "Sec-Fetch-Dest: serviceworker"])
def test_no_wiki_has_a_service_worker(robot: Robot, header: str) -> None:
    """It would answer in the wiki's name in visitors' browsers when the page that brought it is long gone."""
    for path in ("/Home", "/Home/worker.js", "/static/js/otterwiki.js", "/auth/start"):
        assert get(robot.port, "demo.robot.localhost", path, header).status == 403
