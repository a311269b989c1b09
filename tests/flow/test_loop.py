"""Nothing that a request does may hold the event loop for more than 50 ms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import INDEXED_WITHIN_S, robot_command, running_robot

pytestmark = [pytest.mark.flow, pytest.mark.alone]

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


def test_no_request_holds_the_loop(tmp_path: Path) -> None:
    with running_robot(tmp_path / "data", env={"ROBOT_LOG_LEVEL": "debug"}, first_start=True) as robot:
        platform = robot.sign_in()
        with robot.client(robot.platform, cookies=platform) as dashboard:
            for path in (
                "/",
                "/app/",
                "/app/create",
                "/app/wiki/demo",
                "/app/wiki/demo/agents",
                "/app/search?q=agents+connect",
            ):
                assert dashboard.get(path).status_code == 200, path
            form = {"slug": "second", "name": "Second", "description": "", "visibility": "public"}
            assert dashboard.post("/app/create", data=form, headers=SAME_ORIGIN).status_code in (302, 303)
        with robot.client() as browser, robot.agent() as agent:
            for path in ("/", "/-/index", "/-/changelog", "/-/search?query=token"):
                assert browser.get(path).status_code == 200, path
            big = {"content": "A line of a large page.\n" * 30_000}
            made = agent.put("/api/v1/pages/Large", json=big)
            assert made.status_code == 201
            edited = {"content": "Another line of it.\n" * 30_000, "revision": made.json()["revision"]}
            assert agent.put("/api/v1/pages/Large", json=edited).status_code == 200
            for path in (
                "pages",
                "pages/Large",
                "search?q=line",
                "semantic-search?q=connect an agent",
                "reindex/status",
            ):
                assert agent.get(f"/api/v1/{path}").status_code == 200, path
        done = robot_command("reindex", "second", data=robot.data, port=robot.port, timeout_s=INDEXED_WITHIN_S)
        assert done.returncode == 0, done.stderr
        log = robot.stderr()
    assert "debug" in log, "the log is not at the level that watches the loop"
    assert [line for line in log.splitlines() if "the loop was held" in line] == []
