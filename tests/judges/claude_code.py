"""The Claude Code binary, without its model and without anything of this machine's user."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.judges.agents import Agent, Desk, run
from tests.judges.model_stub import model_stub
from tests.judges.toolchain import MODULES

_ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64"}
BINARY = MODULES / "@anthropic-ai" / f"claude-code-linux-{_ARCHITECTURES[platform.machine()]}" / "claude"
SERVER = "wiki"


class ClaudeCode:
    """One process for each call; what it keeps lies in its home."""

    def __init__(self, at: Desk, model: str) -> None:
        self._at = at
        self._env = {
            "CLAUDE_CONFIG_DIR": str(at.home / "claude"),
            "ANTHROPIC_BASE_URL": model,
            "ANTHROPIC_API_KEY": "a-stub-reads-no-keys",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_AUTOUPDATER": "1",
            "ENABLE_TOOL_SEARCH": "false",
        }

    def sign_in(self) -> None:
        headers = [word for name, value in self._at.headers.items() for word in ("--header", f"{name}: {value}")]
        self._run("mcp", "add", "--scope", "user", "--transport", "http", SERVER, self._at.address, *headers)
        if self._at.token is None:
            self._run("mcp", "login", SERVER)

    def tools(self) -> set[str]:
        offered = json.loads(self._prompt({"list": True}))
        prefix = f"mcp__{SERVER}__"
        return {name.removeprefix(prefix) for name in offered if name.startswith(prefix)}

    def call(self, tool: str, **arguments: str) -> str:
        said = json.loads(self._prompt({"tool": f"mcp__{SERVER}__{tool}", "input": arguments}))
        assert not said["failed"], said["text"]
        return str(said["text"])

    def _prompt(self, plan: dict[str, Any]) -> str:
        said = self._run("-p", json.dumps(plan), "--output-format", "json", "--allowedTools", f"mcp__{SERVER}")
        return str(json.loads(said)["result"])

    def _run(self, *words: str) -> str:
        return run([str(BINARY), *words], self._at, **self._env)


@contextmanager
def claude_code(at: Desk) -> Iterator[Agent]:
    with model_stub() as model:
        yield ClaudeCode(at, model)
