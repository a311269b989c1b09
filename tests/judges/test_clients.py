"""Real clients of agents on a running robot: each lists, reads and writes."""

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


def works(agent: Agent, robot: Robot, name: str) -> None:
    """It lists, writes a page that REST then shows, and reads it. Some give the model only what is structured."""
    assert {"read_note", "write_note", "search_notes"} <= agent.tools()
    writes(agent, robot, name)


def writes(agent: Agent, robot: Robot, name: str) -> None:
    page, content = f"Judged/{name} {secrets.token_hex(4)}", f"Written by {name}."
    agent.call("write_note", path=page, content=content)
    with robot.agent() as script:
        answer = script.get(f"/api/v1/pages/{page}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"] == content
    assert content in agent.call("read_note", path=page)


@pytest.mark.parametrize("name", CLIENTS)
def test_with_a_token_a_client_lists_reads_and_writes(robot: Robot, tmp_path: Path, name: str) -> None:
    at = desk(tmp_path / "home", f"{robot.wiki}/mcp", robot.token)
    with CLIENTS[name](at) as agent:
        agent.sign_in()
        works(agent, robot, name)
