"""Signing in and out on the platform host."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.address import PublicAddress
from robot.db import Database
from robot.model import User
from robot.signin.cookies import PLATFORM_COOKIE, RETURN_COOKIE, clear_cookie, cookie_values, set_cookie
from robot.signin.links import LINK_LIFETIME_S, person_of_link, redeem_link
from robot.signin.returns import safe_return, with_query
from robot.signin.sessions import SESSION_LIFETIME_S, Sessions
from robot.web.page import render
from robot.web.visitor import visitor

Answer = str | Response | WerkzeugResponse | tuple[str, int]

_HOME = "/app/"
_HANDOFF = "/auth/handoff?"


def signin_pages(*, db: Database, address: PublicAddress, sessions: Sessions) -> Blueprint:
    """`/auth/login`, `/auth/link`, `/auth/continue`, `/auth/logout`"""
    pages = Blueprint("signin", __name__, url_prefix="/auth")

    def login_form(next_path: str, error: str | None = None) -> str:
        return render("login.html", user=None, domain=address.domain, next=next_path, error=error)

    async def sign_in(user: User, next_path: str) -> WerkzeugResponse:
        """Begin a new session in place of any that this browser had, and go on."""
        await sessions.end(request.scope["headers"])
        cookie = await sessions.begin(user)
        # A form's redirects may not leave this host (form-action 'self'), and a hand-off ends on another.
        is_handoff = next_path.startswith(_HANDOFF)
        answer = redirect(with_query("/auth/continue", next=next_path) if is_handoff else next_path, 303)
        answer.headers.add("Set-Cookie", set_cookie(PLATFORM_COOKIE, cookie, max_age_s=SESSION_LIFETIME_S))
        answer.headers.add("Set-Cookie", clear_cookie(RETURN_COOKIE))
        return answer

    @pages.get("/login")
    async def login() -> Answer:
        next_path = safe_return(request.args.get("next"), _HOME)
        if visitor(sessions) is not None:
            return redirect(next_path, 303)
        answer = Response(login_form(next_path))
        # Remembered for somebody who opens a link from a terminal instead of pasting it.
        answer.headers.add("Set-Cookie", set_cookie(RETURN_COOKIE, next_path, max_age_s=LINK_LIFETIME_S))
        return answer

    @pages.post("/login")
    async def login_with_pasted_link() -> Answer:
        form = await request.form
        next_path = safe_return(form.get("next"), _HOME)
        user = await redeem_link(db, _secret_of(form.get("link", "")))
        if user is None:
            return login_form(next_path, "This is no sign-in link that works. Each works once, for a short time."), 400
        return await sign_in(user, next_path)

    @pages.get("/link")
    async def open_link() -> Answer:
        secret = request.args.get("token", "")
        if _is_deliberate():
            user = await redeem_link(db, secret)
            return dead_link() if user is None else await sign_in(user, _remembered_return())
        person = person_of_link(db, secret)
        if person is None:
            return dead_link()
        return render("link.html", user=None, domain=address.domain, person=person, token=secret)

    @pages.post("/link")
    async def confirm_link() -> Answer:
        user = await redeem_link(db, (await request.form).get("token", ""))
        return dead_link() if user is None else await sign_in(user, _remembered_return())

    def dead_link() -> Answer:
        return render("link_dead.html", user=visitor(sessions), domain=address.domain), 400

    @pages.get("/continue")
    async def go_on() -> str:
        next_path = safe_return(request.args.get("next"), _HOME)
        return render("continue.html", user=visitor(sessions), domain=address.domain, next=next_path)

    @pages.get("/logout")
    async def ask_logout() -> str:
        return render("logout.html", user=visitor(sessions), domain=address.domain)

    @pages.post("/logout")
    async def logout() -> Answer:
        await sessions.end(request.scope["headers"])
        answer = redirect("/", 303)
        answer.headers.add("Set-Cookie", clear_cookie(PLATFORM_COOKIE))
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


def _is_deliberate() -> bool:
    """Whether a person opened this address themselves, from a terminal, a bookmark or the address bar.

    A prefetch must not use the link up, nor may a page elsewhere sign its visitors in as somebody they do not know.
    """
    purpose = request.headers.get("Sec-Purpose", "") + request.headers.get("Purpose", "")
    site = request.headers.get("Sec-Fetch-Site", "none")
    return request.method == "GET" and "prefetch" not in purpose.lower() and site in ("none", "same-origin")


def _remembered_return() -> str:
    values = cookie_values(request.scope["headers"], RETURN_COOKIE)
    return safe_return(values[0], _HOME) if len(values) == 1 else _HOME
