"""The MCP conformance suite on a fixture wiki behind robot's own doors: nothing is expected to fail."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Robot, running_robot
from tests.judges.toolchain import HERE, node

pytestmark = pytest.mark.judge

SUITE = "@modelcontextprotocol/conformance/dist/index.js"
DEADLINE_S = 120

OF_AN_EXTENSION = re.compile(r"tasks-")
"""Scenarios of the tasks extension, which no revision requires and robot does not announce. They run all the same."""

NEEDS_A_SESSION = {
    "tools-call-with-logging",
    "tools-call-sampling",
    "tools-call-elicitation",
    "elicitation-sep1034-defaults",
    "elicitation-sep1330-enums",
}
"""In these the server speaks before it answers, which robot never does; before 2026-07-28 that takes a session."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the suite ended: its exit code, the scenarios that passed and failed, and all that it said."""

    code: int
    passed: frozenset[str]
    failed: frozenset[str]
    said: str


def judged(robot: Robot, revision: str, results: Path) -> Verdict:
    """Let the suite run exactly what a revision of the protocol requires."""
    address = f"http://127.0.0.1:{robot.port}/mcp"
    wanted = ["server", "--url", address, "--requirements", revision, "--output-dir", str(results)]
    done = subprocess.run(
        node(SUITE, *wanted, preload=HERE / "as_agent.mjs"),
        env={
            "PATH": os.defpath,
            "JUDGED_PORT": str(robot.port),
            "JUDGED_HOST": f"demo.robot.localhost:{robot.port}",
            "JUDGED_TOKEN": robot.token,
        },
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    said = done.stdout + done.stderr
    summary = re.findall(r"^([✓✗]) ([\w.-]+): ", said, re.MULTILINE)
    by_mark = {mark: frozenset(name for shown, name in summary if shown == mark) for mark in "✓✗"}
    return Verdict(done.returncode, by_mark["✓"], by_mark["✗"], said)


def fixture(place: Path, **env: str) -> Any:
    return running_robot(place / "data", module="tests.judges.fixture_wiki", env=env)


def test_all_that_2026_07_28_requires_is_there(tmp_path: Path) -> None:
    with fixture(tmp_path) as robot:
        verdict = judged(robot, "2026-07-28", tmp_path / "results")
    assert verdict.code == 0, verdict.said
    assert len(verdict.passed) >= 37
    assert not {name for name in verdict.failed if not OF_AN_EXTENSION.match(name)}, verdict.said


def test_all_that_2025_11_25_requires_is_there(tmp_path: Path) -> None:
    """In sessions, since five scenarios want the server to ask."""
    with fixture(tmp_path, FIXTURE_SESSIONS="1") as robot:
        verdict = judged(robot, "2025-11-25", tmp_path / "results")
    assert verdict.code == 0, verdict.said
    assert len(verdict.passed) >= 30
    assert not verdict.failed, verdict.said


def test_without_sessions_only_what_robot_never_does_is_missing(tmp_path: Path) -> None:
    """As robot serves old clients: all of 2025-11-25 but a server that asks."""
    with fixture(tmp_path) as robot:
        verdict = judged(robot, "2025-11-25", tmp_path / "results")
    assert verdict.failed == NEEDS_A_SESSION, verdict.said
    assert len(verdict.passed) >= 25
