"""Roles of the people in a wiki: looking at them, changing one, removing somebody, leaving, transferring the wiki."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass

from quart import Blueprint, Response, redirect, request

from robot.members import MemberRefused, change_role, find_member, remove_member, transfer_ownership
from robot.model import Role, User, Wiki
from robot.ownership import TooManyWikis
from robot.web.answers import Answer, error_page
from robot.web.page import render
from robot.web.people_page import PeoplePage
from robot.web.site import Site
from robot.web.visitor import open_own_wiki, open_wiki, signed_in

_NOTICES = {
    "role": "The role is changed, and in force.",
    "remove": "Removed. Their agents get in no more either.",
    "transfer": "The wiki has a new owner. You are an editor of it now.",
    "invited": "Invited. The invitation waits where they see it when they sign in here; you can tell them so.",
    "withdrawn": "The invitation opens nothing any more.",
}


@dataclass(frozen=True, slots=True)
class _Deed:
    """What is asked for once more: a title and a button with the person's name in it, and what follows."""

    title: str
    consequence: str
    button: str


_DEEDS: Mapping[str, _Deed] = {
    "remove": _Deed(
        "Remove {name}?",
        "They lose their role at once. Their tokens and connections for this wiki end, and so do invitations that they"
        " made and nobody has accepted. Their pages and changes stay.",
        "Remove",
    ),
    "transfer": _Deed(
        "Transfer the wiki to {name}?",
        "They become its owner, and you become an editor: only they can give it back. Invitations that you made and"
        " nobody has accepted end. To share the wiki instead, make them an owner beside you.",
        "Transfer the wiki",
    ),
}
_LEAVE = _Deed(
    "Leave this wiki?",
    "You lose your role at once. Your tokens and connections for it end. Your pages and changes stay. To come back you"
    " need a new invitation.",
    "Leave",
)


def member_pages(site: Site, *, page: PeoplePage, max_wikis_per_user: int) -> Blueprint:
    """`/app/wiki/{slug}/people`, `…/leave`, `…/{user}/role`, `…/{user}/remove`, `…/{user}/transfer`"""
    db, address, sessions = site
    pages = Blueprint("members", __name__, url_prefix="/app/wiki/<slug>/people")

    def ask(user: User, wiki: Wiki, role: Role, deed: _Deed, target: User, path: str) -> str:
        return render(
            "member_ask.html",
            user=user,
            here="wikis",
            wiki=wiki,
            role=role,
            origin=address.origin_of(wiki),
            deed=deed,
            title=deed.title.format(name=target.display_name),
            path=path,
        )

    async def answer(user: User, wiki: Wiki, role: Role, deed: Awaitable[None], then: str) -> Answer:
        try:
            await deed
        except (MemberRefused, TooManyWikis) as error:
            return await page.render(user, wiki, role, errors={"page": str(error)}), 409
        return redirect(then, 303)

    @pages.get("")
    async def show(slug: str) -> str:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        return await page.render(user, wiki, role, notice=_NOTICES.get(request.args.get("done", "")))

    @pages.get("/leave")
    async def ask_leave(slug: str) -> str:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        return ask(user, wiki, role, _LEAVE, user, "leave")

    @pages.post("/leave")
    async def leave(slug: str) -> Answer:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        return await answer(user, wiki, role, remove_member(db, wiki, user, user), "/app/?done=left")

    @pages.post("/<user_id>/role")
    async def change(slug: str, user_id: str) -> Answer:
        user = signed_in(sessions)
        wiki, role = open_own_wiki(db, user, slug)
        found, wanted = find_member(db, wiki, user_id), (await request.form).get("role", "")
        if found is None or wanted not in list(Role):
            return _no_such_person()
        deed = change_role(db, wiki, user, found[0], Role(wanted), limit=max_wikis_per_user)
        return await answer(user, wiki, role, deed, f"/app/wiki/{wiki.slug}/people?done=role")

    @pages.get("/<user_id>/<any(remove, transfer):kind>")
    async def ask_deed(slug: str, user_id: str, kind: str) -> Answer:
        user = signed_in(sessions)
        wiki, role = open_own_wiki(db, user, slug)
        found = find_member(db, wiki, user_id)
        if found is None:
            return _no_such_person()
        return ask(user, wiki, role, _DEEDS[kind], found[0], f"{user_id}/{kind}")

    @pages.post("/<user_id>/<any(remove, transfer):kind>")
    async def do_deed(slug: str, user_id: str, kind: str) -> Answer:
        user = signed_in(sessions)
        wiki, role = open_own_wiki(db, user, slug)
        found = find_member(db, wiki, user_id)
        if found is None:
            return _no_such_person()
        if kind == "remove":
            deed = remove_member(db, wiki, user, found[0])
        else:
            deed = transfer_ownership(db, wiki, user, found[0], limit=max_wikis_per_user)
        return await answer(user, wiki, role, deed, f"/app/wiki/{wiki.slug}/people?done={kind}")

    return pages


def _no_such_person() -> Response:
    return error_page(404, "There is no such person here", "They may have left the wiki meanwhile.")
