"""How often an agent calls which tools: what a call counts as, and what an agent is told that calls too often.

It is told as a failure of the tool, not as HTTP 429: of a status that is no success the SDKs' clients tell the model no
more than that the server failed, and it would not learn what to do.
"""

from __future__ import annotations

from robot.limits import Limited, Limits, sentence_of
from robot.mcp.call import Call
from robot.mcp.tool import Tool
from robot.traffic import actor_key, wiki_key

_SEARCHES = {
    "search": Limited.MEANING,
    "semantic_search": Limited.MEANING,
    "search_notes": Limited.SEARCH,
}


def refuse_too_often(limits: Limits, tool: Tool, call: Call) -> str | None:
    """Count a call; or the sentence for an agent that is to wait first."""
    kind = Limited.WRITE if tool.writes else _SEARCHES.get(tool.name)
    if kind is None:
        return None
    wait_s = limits.take(kind, actor_key(call.actor), wiki_key(call.actor, call.wiki))
    return sentence_of(wait_s) if wait_s else None
