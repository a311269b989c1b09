"""Deleting a wiki, having it back, and deleting it for good."""

from __future__ import annotations

from quart import Blueprint, Response, redirect, request

from robot.audit import doer_of
from robot.deletion import (
    UNDELETE_S,
    DeletedWiki,
    LetGo,
    delete_wiki_for_now,
    find_deleted_wiki,
    purge_wiki,
    undelete_wiki,
)
from robot.model import Role, User, Wiki
from robot.web.answers import Answer, error_page
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import NoSuchWiki, open_own_wiki, signed_in
from wikihost.layout import DataDir

_DAYS = UNDELETE_S // (24 * 3600)


def delete_pages(site: Site, *, data: DataDir, let_go: LetGo) -> Blueprint:
    """`/app/wiki/{slug}/delete`, `/app/deleted/{id}`, `…/undelete`, `…/purge`"""
    db, address, sessions = site
    pages = Blueprint("delete", __name__, url_prefix="/app")

    def ask(user: User, wiki: Wiki, role: Role, typed: str = "", error: str | None = None) -> str:
        return render(
            "delete.html",
            user=user,
            here="wikis",
            wiki=wiki,
            role=role,
            origin=address.origin_of(wiki),
            days=_DAYS,
            typed=typed,
            error=error,
        )

    @pages.get("/wiki/<slug>/delete")
    async def ask_delete(slug: str) -> str:
        user = signed_in(sessions)
        return ask(user, *open_own_wiki(db, user, slug))

    @pages.post("/wiki/<slug>/delete")
    async def delete(slug: str) -> Answer:
        user = signed_in(sessions)
        wiki, role = open_own_wiki(db, user, slug)
        typed = (await request.form).get("slug", "")
        if typed.strip() != wiki.slug:
            return ask(user, wiki, role, typed, f"This is not its address. Type {wiki.slug} to delete it."), 400
        if not await delete_wiki_for_now(db, wiki, doer_of(user), owner=user):
            raise NoSuchWiki  # another owner was faster
        await let_go(wiki.id)
        return redirect("/app/?done=deleted", 303)

    @pages.get("/deleted/<wiki_id>")
    async def show(wiki_id: str) -> Answer:
        user = signed_in(sessions)
        found = find_deleted_wiki(db, wiki_id, user)
        return _gone() if found is None else _ask_purge(user, found)

    @pages.post("/deleted/<wiki_id>/undelete")
    async def undelete(wiki_id: str) -> Answer:
        user = signed_in(sessions)
        wiki = await undelete_wiki(db, wiki_id, doer_of(user), owner=user)
        return _gone() if wiki is None else redirect(f"/app/wiki/{wiki.slug}?undeleted=1", 303)

    @pages.post("/deleted/<wiki_id>/purge")
    async def purge(wiki_id: str) -> Answer:
        user = signed_in(sessions)
        typed = (await request.form).get("slug", "")
        found = find_deleted_wiki(db, wiki_id, user)
        if found is None:
            return _gone()
        if typed.strip() != found.wiki.slug:
            error = f"This is not its address. Type {found.wiki.slug} to delete it for good."
            return _ask_purge(user, found, typed, error), 400
        await let_go(wiki_id)
        purged = await purge_wiki(db, data, wiki_id, doer_of(user), owner=user)
        return _gone() if purged is None else redirect("/app/?done=purged", 303)

    return pages


def _ask_purge(user: User, deleted: DeletedWiki, typed: str = "", error: str | None = None) -> str:
    return render("deleted.html", user=user, here="wikis", deleted=deleted, typed=typed, error=error)


def _gone() -> Response:
    sentence = "It is there again, or gone for good, or somebody else's."
    return error_page(404, "There is no such deleted wiki", sentence, "Look at your wikis.")
