"""A token of one folder in a running robot: made by the command line, at every door that takes tokens."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from robot.commands.token import command as token_command
from tests.git_door.client import Git, address
from tests.harness import Robot
from tests.mcp_message import tool_call

pytestmark = pytest.mark.flow

SENTENCE = "This credential reaches only pages under Agents/, and git gives the whole wiki"


def token(robot: Robot, *words: str) -> Result:
    return CliRunner(env={"ROBOT_CONFIG": os.devnull, "ROBOT_DATA": str(robot.data)}).invoke(token_command, words)


@pytest.fixture(scope="module")
def confined(robot: Robot) -> str:
    made = token(robot, "create", "demo", "--prefix", "Agents", "--name", "folder")
    assert made.exit_code == 0, made.output
    return str(made.output).strip()


def test_the_command_line_confines_a_token_and_says_so(robot: Robot, confined: str) -> None:
    listed = next(line for line in token(robot, "list", "demo").output.splitlines() if line.endswith("\tfolder"))
    assert "\tunder Agents/\t" in listed
    refused = token(robot, "create", "demo", "--prefix", "../up")
    assert refused.exit_code != 0
    assert "A folder is written as" in str(refused.exception)


def test_rest_and_mcp_show_the_folder_alone(robot: Robot, confined: str) -> None:
    with robot.agent(confined) as script:
        pages = script.get("/api/v1/pages").json()
        assert pages["total"] == len(pages["pages"]) > 3
        assert all(page["path"].startswith("Agents/") or page["path"] == "Agents" for page in pages["pages"])
        assert script.get("/api/v1/pages/Home").status_code == 404
        assert script.put("/api/v1/pages/Mine", json={"content": "x"}).json()["code"] == "outside_folder"
        assert script.put("/api/v1/pages/Agents/Mine", json={"content": "x"}).status_code == 201
        told = script.post(**tool_call("get_wiki_info")).json()["result"]["structuredContent"]
        assert told["folder"] == "Agents/"


def test_git_refuses_and_says_why(robot: Robot, confined: str, tmp_path: Path) -> None:
    git = Git(tmp_path)
    # Sent with the first request; in a public wiki git is not asked for it, and clones as anybody may.
    header = f"http.extraHeader=Authorization: Bearer {confined}"
    assert SENTENCE in git.fails("-c", header, "clone", f"{robot.wiki}/.git", "copy")
    copy = git.clone(address(robot, robot.token, "demo"), "whole")
    copy.write({"Agents/Pushed.md": "x"})
    assert SENTENCE in copy.fails("push", address(robot, confined, "demo"), "HEAD:main")
