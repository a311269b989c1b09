"""Telling of each request of an agent, once it is answered: which operation, which page, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from quart import Response, g, request
from quart_trio import QuartTrio

from robot.activity import OK, Deed, Witness
from robot.model import Agent
from robot.rest.bodies import wiki_request


def witness_requests(app: QuartTrio, witness: Witness) -> None:
    """Tell `witness` of what agents do. What cannot be routed is told as `unknown`."""

    async def tell(answer: Response) -> Response:
        asked = wiki_request()
        if isinstance(asked.actor, Agent):
            name = (request.view_args or {}).get("name")
            pages = [unquote(name)] if name else []
            outcome = OK if answer.status_code < 400 else g.get("robot_code", f"http_{answer.status_code}")
            operation = request.endpoint or "unknown"
            witness.note(Deed(asked.wiki, asked.actor, "rest", operation, pages, outcome, g.get("robot_revision")))
        return answer

    app.after_request(tell)


def remember_outcome(status: int, body: Mapping[str, Any]) -> None:
    """What an answer says, for `witness_requests`: the code of a failure, or the commit of a write."""
    if status >= 400:
        g.robot_code = body.get("code", f"http_{status}")
    elif not body.get("dry_run"):
        g.robot_revision = body.get("revision")
