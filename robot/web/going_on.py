"""What follows a sign-in: a new session, and the way back to where somebody wanted to go."""

from __future__ import annotations

from urllib.parse import quote, unquote

from quart import Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.model import User
from robot.oauth.requests import is_request
from robot.signin.cookies import PLATFORM_COOKIE, RETURN_COOKIE, clear_cookie, cookie_values, set_cookie
from robot.signin.devices import device_of
from robot.signin.links import LINK_LIFETIME_S
from robot.signin.returns import safe_return, with_query
from robot.signin.sessions import SESSION_LIFETIME_S, Sessions
from robot.web.page import OPENER_KEPT

HOME = "/app/"
_HANDOFF = "/auth/handoff?"


async def signed_in_answer(
    sessions: Sessions, user: User, next_path: str, *, provider: str = "link"
) -> WerkzeugResponse | Response:
    """Begin a new session in place of any that this browser had, and send it on to `next_path`."""
    await sessions.end(request.scope["headers"])
    cookie = await sessions.begin(user, provider=provider, device=device_of(request.headers.get("User-Agent", "")))
    # A form's redirects may not leave this host (form-action 'self'), and a hand-off ends on another.
    is_handoff = next_path.startswith(_HANDOFF)
    away = redirect(with_query("/auth/continue", next=next_path) if is_handoff else next_path, 303)
    answer = answer_for(away, next_path)
    answer.headers.add("Set-Cookie", set_cookie(PLATFORM_COOKIE, cookie, max_age_s=SESSION_LIFETIME_S))
    answer.headers.add("Set-Cookie", clear_cookie(RETURN_COOKIE))
    return answer


def answer_for(page: str | WerkzeugResponse, next_path: str, status: int = 200) -> WerkzeugResponse | Response:
    """A page, or a redirect, on the way to `next_path`: where an agent asks for access there, its window is kept."""
    answer: WerkzeugResponse | Response = Response(page, status) if isinstance(page, str) else page
    if is_request(next_path):
        answer.headers.update(OPENER_KEPT)
    return answer


def remember_return(next_path: str) -> str:
    """A `Set-Cookie` value that keeps the way back for somebody who opens a link instead of pasting it."""
    return set_cookie(RETURN_COOKIE, quote(next_path, safe=""), max_age_s=LINK_LIFETIME_S)


def remembered_return() -> str:
    """The way back that this browser keeps, else the dashboard."""
    values = cookie_values(request.scope["headers"], RETURN_COOKIE)
    return safe_return(unquote(values[0]), HOME) if len(values) == 1 else HOME
