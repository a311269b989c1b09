"""robot with another MCP server behind its doors: the one that the conformance suite wants to talk to.

Everything before the server is robot's own: listener, front, hosts and origins, tokens, the MCP endpoint. Started as
robot is: `python -m tests.judges.fixture_wiki demo …`. With `FIXTURE_SESSIONS=1` old clients get sessions, without
which no server can ask a client anything before 2026-07-28: the client's reply would come with a request of its own
that nothing connects to the call. robot never asks, and so has none.
"""

from __future__ import annotations

import os
from collections.abc import Container
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from robot import cli
from robot.activity import Witness
from robot.limits import Limits
from robot.mcp.call import Calls
from robot.mcp.endpoint import MAX_BODY_BYTES, Transport
from robot.mcp.listening import Listening
from tests.judges.fixture_server import create_fixture_server


def _fixture(_calls: Calls, _listening: Listening, _witness: Witness, _limits: Limits) -> Server[Any]:
    return create_fixture_server()


def _in_sessions(server: Server[Any], writing_tools: Container[str]) -> Transport:
    manager = StreamableHTTPSessionManager(server, max_request_body_size=MAX_BODY_BYTES)
    return Transport((manager,), lambda _body: manager, writing_tools)


def main() -> None:
    replaced: dict[str, Any] = {"robot.doors.create_server": _fixture, "robot.doors.WRITING_TOOLS": frozenset()}
    if os.environ.get("FIXTURE_SESSIONS"):
        replaced["robot.doors.stateless"] = _in_sessions
    with ExitStack() as stack:
        for name, ours in replaced.items():
            stack.enter_context(patch(name, ours))
        cli.main()


if __name__ == "__main__":
    main()
