"""What follows a sign-in: a new session, and the way back to where somebody wanted to go."""

from __future__ import annotations

from urllib.parse import quote, unquote

from quart import redirect, request
from werkzeug.wrappers import Response

from robot.model import User
from robot.signin.cookies import PLATFORM_COOKIE, RETURN_COOKIE, clear_cookie, cookie_values, set_cookie
from robot.signin.links import LINK_LIFETIME_S
from robot.signin.returns import safe_return, with_query
from robot.signin.sessions import SESSION_LIFETIME_S, Sessions

HOME = "/app/"
_HANDOFF = "/auth/handoff?"


async def signed_in_answer(sessions: Sessions, user: User, next_path: str) -> Response:
    """Begin a new session in place of any that this browser had, and send it on to `next_path`."""
    await sessions.end(request.scope["headers"])
    cookie = await sessions.begin(user)
    # A form's redirects may not leave this host (form-action 'self'), and a hand-off ends on another.
    is_handoff = next_path.startswith(_HANDOFF)
    answer = redirect(with_query("/auth/continue", next=next_path) if is_handoff else next_path, 303)
    answer.headers.add("Set-Cookie", set_cookie(PLATFORM_COOKIE, cookie, max_age_s=SESSION_LIFETIME_S))
    answer.headers.add("Set-Cookie", clear_cookie(RETURN_COOKIE))
    return answer


def remember_return(next_path: str) -> str:
    """A `Set-Cookie` value that keeps the way back for somebody who opens a link instead of pasting it."""
    return set_cookie(RETURN_COOKIE, quote(next_path, safe=""), max_age_s=LINK_LIFETIME_S)


def remembered_return() -> str:
    """The way back that this browser keeps, else the dashboard."""
    values = cookie_values(request.scope["headers"], RETURN_COOKIE)
    return safe_return(unquote(values[0]), HOME) if len(values) == 1 else HOME
