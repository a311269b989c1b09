"""Deleting one's account, and keeping it after all."""

from __future__ import annotations

from quart import Blueprint, redirect, request

from robot.leaving import OwnsAlone, ask_to_leave, keep_account, wikis_owned_alone
from robot.model import User
from robot.signin.cookies import PLATFORM_COOKIE, clear_cookie
from robot.standing import LastOperator
from robot.web.answers import Answer
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import AccountLeaving, signed_in, visitor


def leaving_pages(site: Site) -> Blueprint:
    """`/app/account/delete`, `/app/account/left`, `/app/account/leaving`"""
    db, address, sessions = site
    pages = Blueprint("leaving", __name__, url_prefix="/app/account")

    def form(user: User, error: str | None = None, *, typed: str = "") -> str:
        return render(
            "account_delete.html",
            user=user,
            here="account",
            domain=address.domain,
            in_the_way=wikis_owned_alone(db, user),
            typed=typed,
            error=error,
        )

    def leaver() -> User | None:
        """Who is here to say whether they stay; raises as `signed_in` for anybody else."""
        try:
            signed_in(sessions)
        except AccountLeaving:
            return sessions.barred_user(request.scope["headers"])
        return None

    @pages.get("/delete")
    async def ask() -> Answer:
        return form(signed_in(sessions))

    @pages.post("/delete")
    async def leave() -> Answer:
        user = signed_in(sessions)
        typed = (await request.form).get("name", "")
        if typed.strip() != user.name:
            return form(user, f"Type your user name, {user.name}, to say that you mean it.", typed=typed), 400
        try:
            await ask_to_leave(db, user)
        except (OwnsAlone, LastOperator) as error:
            return form(user, str(error), typed=typed), 409
        answer = redirect("/app/account/left", 303)
        answer.headers.add("Set-Cookie", clear_cookie(PLATFORM_COOKIE))
        return answer

    @pages.get("/left")
    async def left() -> Answer:
        return render("account_left.html", user=visitor(sessions), domain=address.domain)

    @pages.get("/leaving")
    async def ask_to_stay() -> Answer:
        user = leaver()
        if user is None:
            return redirect("/app/account", 303)
        return render("account_leaving.html", user=None, domain=address.domain, person=user)

    @pages.post("/leaving")
    async def stay() -> Answer:
        user = leaver()
        if user is not None:
            await keep_account(db, user)
        return redirect("/app/account?done=kept", 303)

    return pages
