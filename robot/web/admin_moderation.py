"""Keeping everybody out of a wiki, putting it up again, and ending it for good, by an operator."""

from __future__ import annotations

from quart import Blueprint, redirect, request

from robot.accounts import InvalidAccount
from robot.audit import operating
from robot.census import WikiRow
from robot.deletion import delete_wiki_for_now, purge_wiki
from robot.model import User
from robot.sealed_copies import NotSealed
from robot.takedown import TakedownRefused, put_up, take_down
from robot.web.admin_door import operator_here
from robot.web.admin_wiki_desk import LOOK_BELOW, WIKIS, Typed, WikiDesk, told
from robot.web.answers import Answer


def admin_moderation_pages(desk: WikiDesk) -> Blueprint:
    """`/app/admin/wikis/{id}/take-down`, `…/seal`, `…/put-up`, `…/purge`"""
    pages = Blueprint("admin_moderation", __name__, url_prefix=WIKIS)

    @pages.post("/<wiki_id>/take-down")
    async def keep_out(wiki_id: str) -> Answer:
        user, row = operator_here(desk.sessions), await desk.find(wiki_id)
        why = (await request.form).get("why", "")
        try:
            await take_down(desk.db, row.wiki, why, by=operating(user))
        except (TakedownRefused, InvalidAccount) as error:
            return await desk.page(user, row, Typed(LOOK_BELOW, why=why, problems={"why": str(error)})), 400
        await desk.let_go(wiki_id)
        return await _seal(desk, user, await desk.find(wiki_id), "taken-down")

    @pages.post("/<wiki_id>/seal")
    async def seal(wiki_id: str) -> Answer:
        user, row = operator_here(desk.sessions), await desk.find(wiki_id)
        return await _seal(desk, user, row, "sealed")

    @pages.post("/<wiki_id>/put-up")
    async def let_in(wiki_id: str) -> Answer:
        user, row = operator_here(desk.sessions), await desk.find(wiki_id)
        try:
            await put_up(desk.db, row.wiki, by=operating(user))
        except TakedownRefused as error:
            return await desk.page(user, row, Typed(str(error))), 409
        return told(row, "put-up")

    @pages.post("/<wiki_id>/purge")
    async def end(wiki_id: str) -> Answer:
        """Only of what nobody reaches any more: an operator takes a wiki down first, and sees what becomes of it."""
        user, row = operator_here(desk.sessions), await desk.find(wiki_id)
        slug = (await request.form).get("slug", "").strip()
        if row.purge is None and row.wiki.taken_down is None:
            return await desk.page(user, row, Typed("It is there for its people. Take it down first.")), 409
        if slug != row.wiki.slug:
            problem = f"This is not its address. Type {row.wiki.slug} to delete it for good."
            return await desk.page(user, row, Typed(LOOK_BELOW, slug=slug, problems={"slug": problem})), 400
        by = operating(user)
        await desk.let_go(wiki_id)
        await delete_wiki_for_now(desk.db, row.wiki, by)
        await purge_wiki(desk.db, desk.data, wiki_id, by)
        return redirect(f"{WIKIS}?done=purged", 303)

    return pages


async def _seal(desk: WikiDesk, user: User, row: WikiRow, done: str) -> Answer:
    """Keep a copy of what the wiki is now. What was decided before holds, whatever becomes of this."""
    try:
        await desk.copies.keep(row.wiki, by=operating(user))
    except NotSealed as error:
        return await desk.page(user, row, Typed(str(error))), 409
    return told(row, done)
