"""Signing in with a pasted link, and signing out, on the platform host."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from quart import Blueprint, Response, redirect, request

from robot.oauth.requests import is_request
from robot.signin.cookies import PLATFORM_COOKIE, clear_cookie
from robot.signin.links import redeem_link
from robot.signin.returns import safe_return
from robot.web.answers import Answer
from robot.web.going_on import HOME, remember_return, signed_in_answer
from robot.web.login_form import LoginForm
from robot.web.page import OPENER_KEPT, render
from robot.web.site import Site
from robot.web.visitor import refuse_barred, visitor


def signin_pages(site: Site, *, form: LoginForm) -> Blueprint:
    """`/auth/login`, `/auth/continue`, `/auth/logout`"""
    db, address, sessions = site
    pages = Blueprint("signin", __name__, url_prefix="/auth")

    @pages.get("/login")
    async def login() -> Answer:
        next_path = safe_return(request.args.get("next"), HOME)
        if visitor(sessions) is not None:
            return redirect(next_path, 303)
        refuse_barred(sessions)
        answer = Response(form.show(next_path))
        # Remembered for somebody who opens a link from a terminal instead of pasting it.
        answer.headers.add("Set-Cookie", remember_return(next_path))
        return answer

    @pages.post("/login")
    async def login_with_pasted_link() -> Answer:
        sent = await request.form
        next_path = safe_return(sent.get("next"), HOME)
        user = await redeem_link(db, _secret_of(sent.get("link", "")))
        if user is None:
            sentence = "This is no sign-in link that works. Each works once, for a short time."
            return form.show(next_path, link_problem=sentence), 400
        return await signed_in_answer(sessions, user, next_path)

    @pages.get("/continue")
    async def go_on() -> str:
        next_path = safe_return(request.args.get("next"), HOME)
        return render("continue.html", user=visitor(sessions), domain=address.domain, next=next_path)

    @pages.get("/logout")
    async def ask_logout() -> str:
        user = visitor(sessions) or sessions.barred_user(request.scope["headers"])
        return render("logout.html", user=user, domain=address.domain)

    @pages.post("/logout")
    async def logout() -> Answer:
        sent, user = await request.form, visitor(sessions)
        if user is not None and "everywhere" in sent:
            await sessions.end_all(user)
        await sessions.end(request.scope["headers"])
        answer = redirect(safe_return(sent.get("next"), "/"), 303)
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
