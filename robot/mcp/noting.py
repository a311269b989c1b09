"""What agents read without a tool: pages and files as resources, and pages that come with a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError

from robot.activity import OK, Deed, Witness
from robot.mcp import uris
from robot.mcp.call import Calls
from robot.model import Agent


class Noting:
    """Middleware that tells a witness; tools tell more of themselves (`WikiTools`), and lists of names are not told."""

    def __init__(self, calls: Calls, witness: Witness) -> None:
        self._calls = calls
        self._witness = witness

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Answer as ever, and note it."""
        if ctx.method not in ("resources/read", "prompts/get"):
            return await call_next(ctx)
        try:
            result = await call_next(ctx)
        except MCPError:
            self._note(ctx, "refused")
            raise
        self._note(ctx, OK)
        return result

    def _note(self, ctx: ServerRequestContext[Any, Any], outcome: str) -> None:
        call = self._calls.of(ctx)
        if isinstance(call.actor, Agent):
            pages = _pages(call.wiki.slug, ctx.params or {})
            self._witness.note(Deed(call.wiki, call.actor, "mcp", ctx.method, pages, outcome))


def _pages(slug: str, params: Mapping[str, Any]) -> list[str]:
    """The page that a request names, whatever else is wrong with it."""
    match params:
        case {"uri": str() as uri}:
            match uris.parse_uri(slug, uri):
                case uris.PageAddress(name) | uris.AttachmentAddress(name, _):
                    return [name]
        case {"arguments": {"path": str() as name}}:
            return [name]
    return []
