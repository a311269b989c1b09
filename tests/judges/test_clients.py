"""Real clients of agents on a running robot, each with a token in a header. `test_oauth.py` lets them sign in."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.harness import Robot
from tests.judges.agents import Agent, Client, desk
from tests.judges.claude_code import claude_code
from tests.judges.node_agents import inspector, mcp_remote, mcporter, old_inspector
from tests.judges.python_agent import python_agent

pytestmark = pytest.mark.judge

CLIENTS: dict[str, Client] = {
    "mcp on asyncio": python_agent("asyncio"),
    "mcp on Trio": python_agent("trio"),
    "fastmcp": python_agent("fastmcp"),
    "inspector": inspector,
    "inspector of old": old_inspector,
    "mcp-remote": mcp_remote,
    "mcporter": mcporter,
    "Claude Code": claude_code,
}


def lists(agent: Agent) -> None:
    assert {"read_note", "write_note", "search_notes"} <= agent.tools()


def writes(agent: Agent, robot: Robot, name: str) -> str:
    """It writes a page that REST then shows; the page's name."""
    page, content = f"Judged/{name} {secrets.token_hex(4)}", f"Written by {name}."
    agent.call("write_note", path=page, content=content)
    with robot.agent() as script:
        answer = script.get(f"/api/v1/pages/{page}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"] == content
    return page


def reads(agent: Agent, page: str, name: str) -> None:
    """What is structured or what is said: clients give their model one of both."""
    assert f"Written by {name}." in agent.call("read_note", path=page)


def works(agent: Agent, robot: Robot, name: str) -> None:
    """It lists, writes and reads."""
    lists(agent)
    reads(agent, writes(agent, robot, name), name)


@pytest.mark.parametrize("name", CLIENTS)
def test_with_a_token_a_client_lists_and_writes(robot: Robot, tmp_path: Path, name: str) -> None:
    at = desk(tmp_path / "home", f"{robot.wiki}/mcp", token=robot.token)
    with CLIENTS[name](at) as agent:
        agent.sign_in()
        lists(agent)
        writes(agent, robot, name)
