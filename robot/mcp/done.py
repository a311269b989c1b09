"""What came of a tool call, as the agent is answered and as it is kept in the wiki's list of what agents did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp.server.context import HandlerResult

from robot.mcp.schemas import Arguments

# Arguments that are names of pages; of all others nothing is kept.
_PAGE_ARGUMENTS = ("path", "paths", "new_path")


@dataclass(frozen=True, slots=True)
class Done:
    """`outcome` is `ok` or the code of a failure; `revision` the commit that the call made."""

    result: HandlerResult
    outcome: str
    pages: Sequence[str] = ()
    revision: str | None = None


def pages_named(arguments: Arguments) -> list[str]:
    """The pages that a call is about."""
    found: list[str] = []
    for name in _PAGE_ARGUMENTS:
        match getattr(arguments, name, None):
            case str() as page if page:
                found.append(page)
            case list() as pages:
                found += [page for page in pages if isinstance(page, str)]
    return found


def commit_made(structured: Mapping[str, Any]) -> str | None:
    """The commit of a writing tool's result; None after a dry run, or where there was nothing to change."""
    if structured.get("dry_run") or structured.get("changed") is False:
        return None
    revision = structured.get("revision")
    return revision if isinstance(revision, str) else None
