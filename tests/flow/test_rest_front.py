"""What is refused before the REST API is reached is refused as it refuses: in JSON, whoever asks."""

from __future__ import annotations

import json

import pytest

from robot.rest.problems import PROBLEMS
from tests.harness import Robot
from tests.raw import get, send_raw

pytestmark = pytest.mark.flow

BROWSER = "Accept: text/html"


@pytest.mark.parametrize(
    ("path", "lines", "status"),
    [
        ("/api/v1/pages/%2e%2e/x", (), 400),
        ("/api/v1/pages//x", (), 400),
        ("/api/v1/health", ("Content-Length: 1", "Transfer-Encoding: chunked"), 400),
        ("/api/v1/pages", ("Content-Length: 99999999999",), 413),
        ("/api/v1/pages", ("Sec-Fetch-Dest: serviceworker",), 403),
        ("/api/v1/pages", ("Authorization: Bearer robot_wrong",), 401),
        ("/api/v1/pages?access_token=robot_x", (), 401),
        ("/api/v1/nothing", ("Authorization: Basic eDp5",), 401),
    ],
)
def test_every_refusal_is_json_also_for_browsers(robot: Robot, path: str, lines: tuple[str, ...], status: int) -> None:
    answer = get(robot.port, f"demo.robot.localhost:{robot.port}", path, BROWSER, *lines)
    assert answer.status == status
    assert "content-type: application/json" in answer.head.lower()
    said = json.loads(answer.body)
    assert PROBLEMS[said["code"]].status == status
    assert said["error"]
    assert ("www-authenticate" in answer.head.lower()) is (status == 401)


def test_a_write_from_another_site_is_refused_in_json(robot: Robot) -> None:
    lines = ["PUT /api/v1/pages/X HTTP/1.1", f"Host: demo.robot.localhost:{robot.port}", "Cookie: a=b", BROWSER]
    request = "\r\n".join([*lines, "Sec-Fetch-Site: cross-site", "Content-Length: 0", "Connection: close", "", ""])
    answer = send_raw(robot.port, request.encode())
    assert answer is not None
    assert (answer.status, json.loads(answer.body)["code"]) == (403, "cross_site")


def test_a_missing_wiki_answers_strangers_as_a_private_one(robot: Robot) -> None:
    """What anybody may ask says nothing of whether the wiki is there."""
    document = get(robot.port, f"demo.robot.localhost:{robot.port}", "/api/v1/openapi.json").body
    missing = f"nosuch.robot.localhost:{robot.port}"
    assert json.loads(get(robot.port, missing, "/api/v1/health").body) == {"status": "ok"}
    assert get(robot.port, missing, "/api/v1/openapi.json").body == document
    assert json.loads(get(robot.port, missing, "/api/v1/pages").body)["code"] == "unauthorized"
