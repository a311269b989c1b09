"""Completion of page names, for the template of pages and for the prompts that take one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CompleteRequestParams, PromptReference, ResourceTemplateReference

from robot.mcp import uris
from robot.mcp.call import Calls
from robot.mcp.prompts import PROMPTS
from robot.mcp.render import one_line
from wikihost.names import page_key

MAX_VALUES = 100  # the protocol's own limit

_WORDS = re.compile(r"[\s/_-]+")


class PageNames:
    """The handler of `completion/complete`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def complete(self, context: ServerRequestContext[Any, Any], params: CompleteRequestParams) -> HandlerResult:
        """Names of pages that fit what was typed, the best first. Raises: MCPError for an unknown reference."""
        call = self._calls.of(context)
        found: list[str] = []
        if _takes_page(call.wiki.slug, params.ref, params.argument.name):
            typed = params.argument.value
            found = await call.contents.run(call.wiki, lambda content: matching_names(content.page_names(), typed))
        shown = found[:MAX_VALUES]
        completion = {"values": shown, "total": len(found), "hasMore": len(found) > len(shown)}
        return {"resultType": "complete", "completion": completion}


def matching_names(names: Iterable[str], typed: str) -> list[str]:
    """The names that contain `typed`, case aside: those that begin with it first, then where a word does (pure)."""
    wanted = page_key(typed).casefold()
    ranked = sorted((rank, name) for name in names if (rank := _rank(page_key(name).casefold(), wanted)) is not None)
    return [name for _, name in ranked]


def _rank(name: str, wanted: str) -> int | None:
    if wanted not in name:
        return None
    if name.startswith(wanted):
        return 0
    if name.rpartition("/")[2].startswith(wanted):
        return 1
    return 2 if any(word.startswith(wanted) for word in _WORDS.split(name)) else 3


def _takes_page(slug: str, ref: ResourceTemplateReference | PromptReference, argument: str) -> bool:
    """Whether the argument is a page's name. Raises: MCPError when there is no such prompt, template or argument."""
    match ref:
        case PromptReference():
            prompt = PROMPTS.get(ref.name)
            if prompt is not None and argument in prompt.arguments:
                return True
            unknown = f"prompt {ref.name!r} with an argument {argument!r}"
        case ResourceTemplateReference():
            if argument == "path" and ref.uri == uris.template(slug, uris.PAGE):
                return True
            if argument == "path" and ref.uri == uris.template(slug, uris.ATTACHMENT):
                return False
            unknown = f"resource template {ref.uri!r} with an argument {argument!r}"
    raise MCPError(code=INVALID_PARAMS, message=f"There is no {one_line(unknown)}.")
