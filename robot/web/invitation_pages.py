"""Answering an invitation: one for the person's identity, listed on the dashboard, or a link that somebody gave them.

A link's secret is taken out of the address at once and kept in a cookie, so that it stands in no history, no Referer
and no way back from signing in. Looking changes nothing; a form accepts.
"""

from __future__ import annotations

import re

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.access import role_of
from robot.joining import (
    InvitationDead,
    Joined,
    Offer,
    accept_linked_offer,
    accept_offer,
    decline_offer,
    find_linked_offer,
    find_offer,
)
from robot.members import MemberRefused, is_at_least
from robot.model import User
from robot.ownership import TooManyWikis
from robot.signin.cookies import INVITATION_COOKIE, clear_cookie, cookie_values, set_cookie
from robot.web.answers import Answer, error_page
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import signed_in, visitor

# Long enough to make an account elsewhere first.
KEPT_S = 24 * 3600

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_ASK_AGAIN = "Ask whoever invited you for a new one."


def invitation_pages(site: Site, *, max_wikis_per_user: int) -> Blueprint:
    """`/invite`, `/app/invitations/{id}`, `…/accept`, `…/decline`"""
    db, address, sessions = site
    pages = Blueprint("invitation", __name__)

    def show(offer: Offer, user: User | None, action: str, error: str | None = None) -> str:
        held = None if user is None else role_of(db, user.id, offer.wiki_id)
        return render(
            "invitation.html",
            user=user,
            domain=address.domain,
            offer=offer,
            action=action,
            here=request.path,
            wiki_host=address.wiki_origin(offer.slug).partition("://")[2],
            held=held,
            is_member=held is not None and is_at_least(held, offer.role),
            error=error,
        )

    @pages.get("/invite")
    async def open_link() -> Answer:
        if "token" in request.args:
            return _remember(request.args["token"])
        secret = _remembered()
        try:
            offer = find_linked_offer(db, secret)
        except InvitationDead as error:
            return _dead(str(error))
        return _no_link() if offer is None else show(offer, visitor(sessions), "/invite")

    @pages.post("/invite")
    async def accept_link() -> Answer:
        user = signed_in(sessions)
        secret, meant = _remembered(), (await request.form).get("invitation", "")
        try:
            offer = find_linked_offer(db, secret)
            if offer is None:
                return _no_link()
            if offer.id != meant:  # another link was opened in another tab meanwhile
                return show(offer, user, "/invite", "You opened another invitation meanwhile. It is this one:"), 409
            joined = await accept_linked_offer(db, user, secret, limit=max_wikis_per_user)
        except InvitationDead as error:
            return _dead(str(error))
        except (MemberRefused, TooManyWikis) as error:
            return _full(str(error))
        answer = _no_link() if joined is None else _arrive(joined)
        answer.headers.add("Set-Cookie", clear_cookie(INVITATION_COOKIE))
        return answer

    @pages.get("/app/invitations/<invitation_id>")
    async def look(invitation_id: str) -> Answer:
        user = signed_in(sessions)
        try:
            offer = find_offer(db, user, invitation_id)
        except InvitationDead as error:
            return _dead(str(error))
        return _not_yours(user) if offer is None else show(offer, user, f"/app/invitations/{offer.id}")

    @pages.post("/app/invitations/<invitation_id>/accept")
    async def accept(invitation_id: str) -> Answer:
        user = signed_in(sessions)
        try:
            joined = await accept_offer(db, user, invitation_id, limit=max_wikis_per_user)
        except InvitationDead as error:
            return _dead(str(error))
        except (MemberRefused, TooManyWikis) as error:
            return _full(str(error))
        return _not_yours(user) if joined is None else _arrive(joined)

    @pages.post("/app/invitations/<invitation_id>/decline")
    async def decline(invitation_id: str) -> Answer:
        user = signed_in(sessions)
        await decline_offer(db, user, invitation_id)
        return redirect("/app/?done=declined", 303)

    return pages


def _remember(secret: str) -> WerkzeugResponse:
    answer = redirect("/invite", 303)
    # What can be no secret of ours becomes no cookie either.
    kept = secret if _SECRET.fullmatch(secret) else "none"
    answer.headers.add("Set-Cookie", set_cookie(INVITATION_COOKIE, kept, max_age_s=KEPT_S))
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def _remembered() -> str:
    values = cookie_values(request.scope["headers"], INVITATION_COOKIE)
    return values[0] if len(values) == 1 else ""


def _arrive(joined: Joined) -> WerkzeugResponse:
    return redirect(f"/app/wiki/{joined.slug}?joined=1", 303)


def _no_link() -> Response:
    sentence = "Open the whole link that you were given, in this browser, and accept within a day."
    return error_page(404, "There is no such invitation", sentence, _ASK_AGAIN)


def _dead(sentence: str) -> Response:
    return error_page(410, "This invitation opens nothing", sentence, _ASK_AGAIN)


def _full(sentence: str) -> Response:
    return error_page(
        409, "There is no room", f"{sentence} The invitation stays as it is.", "Make room, then accept it."
    )


def _not_yours(user: User) -> Response:
    sentence = f"You are signed in as {user.name}, and no invitation of this address is for that account."
    return error_page(404, "There is no such invitation for you", sentence, "Sign in as the one who was invited.")
