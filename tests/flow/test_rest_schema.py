"""The REST API does what its OpenAPI document says, for everybody, whatever is sent: schemathesis finds nothing.

`ROBOT_FUZZ_EXAMPLES=200 pytest tests/flow/test_rest_schema.py` looks longer, with another seed each time.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.schema_run import Caller, plant_callers, run_schemathesis
from tests.harness import Robot, running_robot

pytestmark = pytest.mark.flow

# What roles share is looked at thoroughly once, by whoever gets furthest.
PHASES = {
    "owner": ("examples,coverage,fuzzing", 5),
    "editor": ("examples,fuzzing", 2),
    "viewer": ("examples,fuzzing", 3),
    "stranger": ("examples,fuzzing", 2),
    "anonymous": ("examples,fuzzing", 3),
}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Robot, dict[str, Caller]]]:
    with running_robot(tmp_path_factory.mktemp("fuzz") / "data") as running:
        yield running, plant_callers(running)


@pytest.mark.parametrize("who", PHASES)
def test_schemathesis_finds_nothing(host: tuple[Robot, dict[str, Caller]], who: str, tmp_path: Path) -> None:
    robot, callers = host
    with robot.client() as http:
        document = tmp_path / "openapi.json"
        document.write_bytes(http.get("/api/v1/openapi.json").content)
    phases, examples = PHASES[who]
    longer = os.environ.get("ROBOT_FUZZ_EXAMPLES")
    words = ["--phases", phases, "--max-examples", longer or str(examples)]
    if longer:
        words += ["--seed", str(secrets.randbelow(2**32))]
    done = run_schemathesis(robot, callers[who], document, *words)
    assert done.returncode == 0, "\n".join(line[:400] for line in done.stdout.splitlines())
    assert "No issues found" in done.stdout
    assert "Traceback" not in robot.stderr_file.read_text("utf-8")
