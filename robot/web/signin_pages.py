"""Signing in with a pasted link, and signing out, on the platform host."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.address import PublicAddress
from robot.db import Database
from robot.oauth.requests import Requests, is_request
from robot.signin.cookies import PLATFORM_COOKIE, clear_cookie
from robot.signin.links import redeem_link
from robot.signin.returns import safe_return
from robot.signin.sessions import Sessions
from robot.web.going_on import HOME, remember_return, signed_in_answer
from robot.web.page import OPENER_KEPT, render
from robot.web.visitor import visitor

Answer = str | Response | WerkzeugResponse | tuple[str, int]


def signin_pages(*, db: Database, address: PublicAddress, sessions: Sessions, requests: Requests) -> Blueprint:
    """`/auth/login`, `/auth/continue`, `/auth/logout`"""
    pages = Blueprint("signin", __name__, url_prefix="/auth")

    def login_form(next_path: str, error: str | None = None) -> str:
        asker = requests.find_asker(next_path)
        return render("login.html", user=None, domain=address.domain, next=next_path, asker=asker, error=error)

    @pages.get("/login")
    async def login() -> Answer:
        next_path = safe_return(request.args.get("next"), HOME)
        if visitor(sessions) is not None:
            return redirect(next_path, 303)
        answer = Response(login_form(next_path))
        # Remembered for somebody who opens a link from a terminal instead of pasting it.
        answer.headers.add("Set-Cookie", remember_return(next_path))
        return answer

    @pages.post("/login")
    async def login_with_pasted_link() -> Answer:
        form = await request.form
        next_path = safe_return(form.get("next"), HOME)
        user = await redeem_link(db, _secret_of(form.get("link", "")))
        if user is None:
            return login_form(next_path, "This is no sign-in link that works. Each works once, for a short time."), 400
        return await signed_in_answer(sessions, user, next_path)

    @pages.get("/continue")
    async def go_on() -> str:
        next_path = safe_return(request.args.get("next"), HOME)
        return render("continue.html", user=visitor(sessions), domain=address.domain, next=next_path)

    @pages.get("/logout")
    async def ask_logout() -> str:
        return render("logout.html", user=visitor(sessions), domain=address.domain)

    @pages.post("/logout")
    async def logout() -> Answer:
        await sessions.end(request.scope["headers"])
        answer = redirect(safe_return((await request.form).get("next"), "/"), 303)
        answer.headers.add("Set-Cookie", clear_cookie(PLATFORM_COOKIE))
        return answer

    @pages.after_request
    async def keep_opener(answer: Response) -> Response:
        wanted = request.args.get("next") or (await request.form).get("next", "")
        if is_request(wanted):
            answer.headers.update(OPENER_KEPT)
        return answer

    return pages


def _secret_of(pasted: str) -> str:
    """The secret in what somebody pasted: the whole link, or the secret alone."""
    pasted = pasted.strip()
    try:
        tokens = parse_qs(urlsplit(pasted).query).get("token", [])
    except ValueError:
        return pasted
    return tokens[0] if tokens else pasted
