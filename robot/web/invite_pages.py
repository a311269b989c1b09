"""Inviting people into a wiki: by handle or user name, and by a link that is shown once."""

from __future__ import annotations

from quart import Blueprint, redirect, request

from robot.addressees import ResolveHandle, find_addressee
from robot.invitations import invite_by_link, invite_identity, withdraw_invitation
from robot.members import MemberRefused
from robot.model import Role
from robot.signin.providers import SignInFailed
from robot.signin.returns import with_query
from robot.web.answers import Answer, error_page
from robot.web.page import render
from robot.web.people_page import PeoplePage, Typed
from robot.web.site import Site
from robot.web.visitor import open_own_wiki, signed_in


def invite_pages(site: Site, *, page: PeoplePage, resolve_handle: ResolveHandle | None) -> Blueprint:
    """`/app/wiki/{slug}/people/invitations`, `…/invitations/link`, `…/invitations/{id}/withdraw`"""
    db, address, sessions = site
    pages = Blueprint("invite", __name__, url_prefix="/app/wiki/<slug>/people/invitations")

    @pages.post("")
    async def invite(slug: str) -> Answer:
        user = signed_in(sessions)
        wiki, role = open_own_wiki(db, user, slug)
        sent = await request.form
        typed = Typed(sent.get("who", ""), sent.get("role", ""))
        errors = {"role": "Choose what they will be."} if typed.role not in list(Role) else {}
        if not errors:
            try:
                addressee = await find_addressee(db, resolve_handle, typed.who)
                await invite_identity(db, wiki, user, addressee, Role(typed.role))
            except SignInFailed as error:
                errors["who"] = error.sentence
            except MemberRefused as error:
                errors["who"] = str(error)
        if errors:
            return await page.render(user, wiki, role, typed=typed, errors=errors), 400
        return redirect(f"/app/wiki/{wiki.slug}/people?done=invited", 303)

    @pages.post("/link")
    async def make_link(slug: str) -> Answer:
        user = signed_in(sessions)
        wiki, role = open_own_wiki(db, user, slug)
        sent = await request.form
        wanted, days = sent.get("role", ""), sent.get("days", "")
        if wanted not in list(Role) or not days.isascii() or not days.isdigit():
            error = "Choose what the link makes somebody, and how long it can be used."
            return await page.render(user, wiki, role, errors={"link": error}), 400
        try:
            secret = await invite_by_link(db, wiki, user, Role(wanted), int(days[:4]))
        except MemberRefused as error:
            return await page.render(user, wiki, role, errors={"link": str(error)}), 400
        return render(
            "invite_made.html",
            user=user,
            here="wikis",
            wiki=wiki,
            role=role,
            origin=address.origin_of(wiki),
            link=address.platform_origin + with_query("/invite", token=secret),
            makes=wanted,
            days=int(days),
        )

    @pages.post("/<invitation_id>/withdraw")
    async def withdraw(slug: str, invitation_id: str) -> Answer:
        user = signed_in(sessions)
        wiki, _ = open_own_wiki(db, user, slug)
        if not await withdraw_invitation(db, wiki, user, invitation_id):
            return error_page(404, "Nothing to withdraw", "This invitation was answered or withdrawn before.")
        return redirect(f"/app/wiki/{wiki.slug}/people?done=withdrawn", 303)

    return pages
