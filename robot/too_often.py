"""The 429 of a wiki's doors, each in the way that its clients understand (RFC 6585, section 4)."""

from __future__ import annotations

from proxy.asgi import Receive, Scope, Send
from proxy.router import Route
from robot.answers import answer_html, answer_json, answer_text, wants_html
from robot.kept_save import is_save, kept_save_page
from robot.limits import WHY, retry_after, sentence_of
from robot.web.errors import render_error

CODE = "too_many_requests"
TITLE = "That was too much at once"


async def answer_too_often(scope: Scope, receive: Receive, send: Send, route: Route, wait_s: float) -> None:
    """Say when to come again. The text of a save from the editor comes back in a form to be sent once more."""
    header = (b"retry-after", retry_after(wait_s).encode())
    sentence = sentence_of(wait_s)
    if route in (Route.API, Route.MCP, Route.WELL_KNOWN):
        body = {"error": sentence, "code": CODE, "retry_after": int(retry_after(wait_s))}
        await answer_json(send, 429, body, header)
    elif route is Route.GIT or not wants_html(scope["headers"]):
        await answer_text(send, 429, sentence, header)
    else:
        kept = await kept_save_page(scope, receive, sentence) if is_save(scope) else None
        await answer_html(send, 429, kept or render_error(429, TITLE, WHY, wait_s=wait_s), header)
