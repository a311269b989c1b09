"""What people paste into their agents: each set-up as the program itself would read it."""

from __future__ import annotations

import base64
import json
import shlex
import tomllib
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from robot.web.setups import Setup, Way, agent_setups, claude_code_line

PUBLIC, LOCAL = "https://notes.wiki.test", "http://notes.robot.localhost:8080"
NUMBER = "http://127.0.0.1:8080/mcp"


def setups_of(origin: str) -> dict[str, Setup]:
    return {setup.agent: setup for setup in agent_setups("my-notes", origin, "robot_x")}


def told(way: Way | None) -> str:
    assert way is not None
    assert way.how.endswith(".")
    return way.text


def words(way: Way | None) -> list[str]:
    return shlex.split(told(way))


def server(way: Way | None, key: str = "mcpServers") -> dict[str, Any]:
    """The one server that a JSON file names."""
    servers = json.loads(told(way))[key]
    assert list(servers) == ["my-notes"]
    found: dict[str, Any] = servers["my-notes"]
    return found


def test_signing_in_takes_the_address_and_nothing_else() -> None:
    setups = setups_of(PUBLIC)
    url = f"{PUBLIC}/mcp"
    assert words(setups["Claude Code"].sign_in) == ["claude", "mcp", "add", "--transport", "http", "my-notes", url]
    assert told(setups["Claude.ai"].sign_in) == told(setups["ChatGPT"].sign_in) == url
    assert server(setups["Cursor"].sign_in) == {"url": url}
    assert server(setups["VS Code"].sign_in, "servers") == {"type": "http", "url": url}
    assert words(setups["Codex CLI"].sign_in) == ["codex", "mcp", "add", "my-notes", "--url", url]
    assert words(setups["Gemini CLI"].sign_in) == ["gemini", "mcp", "add", "--transport", "http", "my-notes", url]
    assert server(setups["Programs without HTTP"].sign_in) == {"command": "npx", "args": ["-y", "mcp-remote", url]}
    assert all(told(setup.sign_in).count("robot_x") == 0 for setup in setups.values() if setup.sign_in)


@pytest.mark.parametrize(
    ("origin", "url", "host"), [(PUBLIC, f"{PUBLIC}/mcp", {}), (LOCAL, NUMBER, {"Host": "notes.robot.localhost:8080"})]
)
def test_a_token_goes_into_the_header_and_a_local_name_into_host(origin: str, url: str, host: dict[str, str]) -> None:
    setups = setups_of(origin)
    headers = {**host, "Authorization": "Bearer robot_x"}
    options = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
    for agent in ("Claude Code", "Gemini CLI"):
        line = words(setups[agent].token)
        assert line[1:] == ["mcp", "add", "--transport", "http", "my-notes", url, *options]
    assert server(setups["Cursor"].token) == {"url": url, "headers": headers}
    assert server(setups["VS Code"].token, "servers") == {"type": "http", "url": url, "headers": headers}
    codex = tomllib.loads(told(setups["Codex CLI"].token))
    assert codex == {"mcp_servers": {"my-notes": {"url": url, "http_headers": headers}}}
    bridge = server(setups["Programs without HTTP"].token)
    assert bridge["args"][:3] == ["-y", "mcp-remote", url]
    given = [argument.replace("${WIKI_AUTH}", bridge["env"]["WIKI_AUTH"]) for argument in bridge["args"][4::2]]
    assert dict(argument.split(":", 1) for argument in given) == headers
    assert words(setups["curl and scripts"].token) == [
        "curl", "-H", "Authorization: Bearer robot_x", f"{origin}/api/v1/pages",
    ]  # fmt: skip


def test_links_hold_what_the_programs_read() -> None:
    setups = setups_of(PUBLIC)
    cursor, code = setups["Cursor"].sign_in, setups["VS Code"].sign_in
    assert cursor is not None
    assert code is not None
    assert cursor.link is not None
    assert code.link is not None
    parts = urlsplit(cursor.link.address)
    assert (parts.scheme, parts.netloc, parts.path) == ("cursor", "anysphere.cursor-deeplink", "/mcp/install")
    asked = parse_qs(parts.query)
    assert asked["name"] == ["my-notes"]
    assert json.loads(base64.b64decode(asked["config"][0])) == {"url": f"{PUBLIC}/mcp"}
    scheme, _, query = code.link.address.partition("?")
    assert scheme == "vscode:mcp/install"
    assert json.loads(unquote(query)) == {"name": "my-notes", "type": "http", "url": f"{PUBLIC}/mcp"}


def test_on_this_machine_nothing_is_promised_that_cannot_work() -> None:
    setups = setups_of(LOCAL)
    assert [setup.agent for setup in setups.values() if setup.sign_in] == []
    for agent in ("Claude.ai", "ChatGPT"):
        assert setups[agent].token is None
        assert "cannot reach this machine" in setups[agent].note


def test_the_first_line_of_the_demo_works_offline() -> None:
    line = claude_code_line("demo", "http://demo.robot.localhost:8080", "robot_x")
    assert shlex.split(line)[6:] == [
        NUMBER, "--header", "Host: demo.robot.localhost:8080", "--header", "Authorization: Bearer robot_x",
    ]  # fmt: skip
