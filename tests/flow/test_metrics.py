"""What a running host tells of itself: to programs over HTTP, and at the terminal."""

from __future__ import annotations

import pytest

from robot.metrics.summary import Figures
from tests.harness import Robot, robot_command
from tests.mcp_message import tool_call

pytestmark = pytest.mark.flow


def figures(robot: Robot) -> Figures:
    with robot.client(f"http://127.0.0.1:{robot.port}") as prometheus:
        answer = prometheus.get("/metrics")
    assert answer.status_code == 200
    return Figures(answer.text)


def test_a_running_host_counts_what_is_done(robot: Robot) -> None:
    before = figures(robot)
    with robot.agent() as agent, robot.client() as browser:
        for path in ("/Home", "/Home", "/-/changelog"):
            assert browser.get(path).status_code == 200
        assert agent.post(**tool_call("read_note", path="Home")).status_code == 200
        made = agent.put("/api/v1/pages/Counted", json={"content": "once"})
        assert made.status_code == 201
        assert agent.request("DELETE", "/api/v1/pages/Counted").status_code == 200
    after = figures(robot)

    def grown(name: str, **labels: str) -> float:
        return (after.one(name, **labels) or 0) - (before.one(name, **labels) or 0)

    assert grown("robot_requests_total", face="pages", status="2xx") >= 3
    assert grown("robot_requests_total", face="mcp", status="2xx") >= 1
    assert grown("robot_agent_calls_total", door="mcp", operation="read_note", outcome="ok") >= 1
    assert grown("robot_changes_total") >= 2
    assert grown("robot_page_cache_total", found="yes") >= 1
    assert grown("robot_phase_seconds_total", phase="worker") > 0
    assert after.total("robot_wake_seconds_count") >= 1
    assert after.total("robot_loop_delay_seconds_count") >= 1
    assert after.one("robot_workers", state="ready") == after.one("robot_workers_awake")
    assert after.one("robot_zygote_up") == after.one("robot_database_up") == 1


def test_the_terminal_shows_the_same(robot: Robot) -> None:
    shown = robot_command("stats", data=robot.data, port=robot.port)
    assert shown.returncode == 0, shown.stderr
    for line in ("robot", "wikis", "people", "requests", "changes", "index", "backup", "disk", "process", "troubles"):
        assert f"\n{line}" in f"\n{shown.stdout}"
