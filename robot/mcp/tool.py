"""What a tool is, and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from robot.mcp.call import Call
from robot.mcp.schemas import Arguments, Result

# A content block (MCP 2025-11-25, "Tool Result"), as JSON.
Block = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """The structured result, the short text that says the same, and content blocks that follow the text."""

    result: Result
    text: str
    more: Sequence[Block] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as listed. `writes` tools are shown only to those who may write; `hints` are the MCP annotations."""

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    result: type[Result]
    run: Callable[[Call, Any], Awaitable[Answer]]
    writes: bool
    hints: Mapping[str, bool]
