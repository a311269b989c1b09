"""A worker dies in the middle of a long answer: the client sees that it is cut, and the log says so in one line."""

from __future__ import annotations

import httpx2
import pytest

from tests.harness import Robot
from tests.processes import OF_THE_WORKER, kill, wait_until, workers_of

pytestmark = pytest.mark.fault

ATTACHMENT_BYTES = 8 * 1024 * 1024


def test_an_answer_cut_short_is_seen_as_that(own_robot: Robot) -> None:
    cookies = own_robot.sign_in(own_robot.wiki)
    with own_robot.client(cookies=cookies) as browser:
        uploaded = browser.post(
            "/Home/attachments",
            files={"file": ("long.bin", b"x" * ATTACHMENT_BYTES, "application/octet-stream")},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        assert uploaded.status_code in (200, 302, 303), uploaded.text
        with browser.stream("GET", "/Home/a/long.bin") as answer:
            assert answer.status_code == 200
            pieces = answer.iter_raw(4096)
            received = len(next(pieces))
            kill(workers_of(own_robot.pid)[0])
            with pytest.raises(httpx2.RemoteProtocolError):
                received += sum(len(piece) for piece in pieces)
        assert received < ATTACHMENT_BYTES
        wait_until(lambda: browser.get(OF_THE_WORKER).status_code == 200, 10, "the wiki answers again")
    assert "Traceback" not in own_robot.stderr()
