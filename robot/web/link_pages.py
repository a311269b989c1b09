"""Opening a one-time sign-in link on the platform host."""

from __future__ import annotations

from quart import Blueprint, request

from robot.accounts import AccountSuspended
from robot.signin.links import person_of_link, redeem_link
from robot.web.answers import Answer
from robot.web.going_on import remembered_return, signed_in_answer
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import visitor


def link_pages(site: Site) -> Blueprint:
    """`/auth/link`"""
    db, address, sessions = site
    pages = Blueprint("link", __name__)

    @pages.get("/auth/link")
    async def open_link() -> Answer:
        secret = request.args.get("token", "")
        if _is_deliberate():
            user = await redeem_link(db, secret)
            return dead_link() if user is None else await signed_in_answer(sessions, user, remembered_return())
        person = person_of_link(db, secret)
        if person is None:
            return dead_link()
        if person.suspended is not None:
            raise AccountSuspended(person.suspended_why)
        return render("link.html", user=None, domain=address.domain, person=person, token=secret)

    @pages.post("/auth/link")
    async def confirm_link() -> Answer:
        user = await redeem_link(db, (await request.form).get("token", ""))
        return dead_link() if user is None else await signed_in_answer(sessions, user, remembered_return())

    def dead_link() -> Answer:
        return render("link_dead.html", user=visitor(sessions), domain=address.domain), 400

    return pages


def _is_deliberate() -> bool:
    """Whether a person opened this address themselves, from a terminal, a bookmark or the address bar.

    A prefetch must not use the link up, nor may a page elsewhere sign its visitors in as somebody they do not know.
    """
    purpose = request.headers.get("Sec-Purpose", "") + request.headers.get("Purpose", "")
    site = request.headers.get("Sec-Fetch-Site", "none")
    return request.method == "GET" and "prefetch" not in purpose.lower() and site in ("none", "same-origin")
