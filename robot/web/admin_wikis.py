"""The operator's pages about wikis: how much, whose, how they are; freezing, quotas, having deleted ones back."""

from __future__ import annotations

from quart import Blueprint, request

from robot.audit import operating
from robot.census import WIKI_FILTERS, list_hosted
from robot.deletion import undelete_wiki
from robot.freezing import freeze, unfreeze
from robot.quotas import quota_of, set_quota
from robot.web.admin_door import TABS, operator_here
from robot.web.admin_wiki_desk import LOOK_BELOW, WIKIS, Typed, WikiDesk, told
from robot.web.answers import Answer
from robot.web.page import render
from wikihost.quota import MIB

_FILTERS = (
    ("", "all"),
    ("public", "public"),
    ("frozen", "read-only"),
    ("taken-down", "taken down"),
    ("deleted", "deleted"),
)
_MOST = 10**9

# What a redirect may ask the page to say of a wiki that has no page any more.
_DONE = {"purged": "The wiki is deleted for good. Backups that have it keep it until their time is over."}


class _BadQuota(ValueError):
    """What was typed is no quota; the message says why."""


def admin_wikis_pages(desk: WikiDesk) -> Blueprint:
    """`/app/admin/wikis`"""
    pages = Blueprint("admin_wikis", __name__, url_prefix=WIKIS)
    _add_views(pages, desk)
    _add_deeds(pages, desk)
    return pages


def _add_views(pages: Blueprint, desk: WikiDesk) -> None:
    @pages.get("")
    async def show() -> str:
        user = operator_here(desk.sessions)
        search, after = request.args.get("q", ""), request.args.get("after", "")
        only = request.args.get("only", "")
        only = only if only in WIKI_FILTERS else ""
        found = await list_hosted(desk.db, desk.data, search=search, only=only, after=after)
        return render(
            "admin_wikis.html",
            user=user,
            here="admin",
            tabs=TABS,
            found=found,
            quotas={row.wiki.id: quota_of(row.wiki, desk.default_quota) for row in found.rows},
            workers=desk.machine.workers_by_wiki(),
            search=search,
            only=only,
            after=after,
            filters=_FILTERS,
            notice=_DONE.get(request.args.get("done", "")),
        )

    @pages.get("/<wiki_id>")
    async def wiki(wiki_id: str) -> str:
        user = operator_here(desk.sessions)
        return await desk.page(user, await desk.find(wiki_id))


def _add_deeds(pages: Blueprint, desk: WikiDesk) -> None:
    @pages.post("/<wiki_id>/freeze")
    async def make_read_only(wiki_id: str) -> Answer:
        user, row = operator_here(desk.sessions), await desk.find(wiki_id)
        await freeze(desk.db, desk.data, row.wiki, by=operating(user))
        return told(row, "frozen")

    @pages.post("/<wiki_id>/unfreeze")
    async def let_write(wiki_id: str) -> Answer:
        user, row = operator_here(desk.sessions), await desk.find(wiki_id)
        await unfreeze(desk.db, desk.data, row.wiki, by=operating(user))
        return told(row, "unfrozen")

    @pages.post("/<wiki_id>/quota")
    async def grant(wiki_id: str) -> Answer:
        user, row = operator_here(desk.sessions), await desk.find(wiki_id)
        form = await request.form
        typed = form.get("pages", ""), form.get("mebibytes", "")
        try:
            most_pages, mebibytes = map(_count, typed)
        except _BadQuota as error:
            return await desk.page(user, row, Typed(LOOK_BELOW, quota=typed, problems={"quota": str(error)})), 400
        size_bytes = None if mebibytes is None else mebibytes * MIB
        default, by = desk.default_quota, operating(user)
        await set_quota(desk.db, desk.data, row.wiki, default, pages=most_pages, size_bytes=size_bytes, by=by)
        return told(row, "quota")

    @pages.post("/<wiki_id>/undelete")
    async def have_back(wiki_id: str) -> Answer:
        user, row = operator_here(desk.sessions), await desk.find(wiki_id)
        await undelete_wiki(desk.db, wiki_id, operating(user))
        return told(row, "undeleted")


def _count(typed: str) -> int | None:
    """A number that was typed, None for the host's own; raises `_BadQuota`."""
    text = typed.strip().replace(",", "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or int(text) > _MOST:
        raise _BadQuota("A quota is a whole number of 0 or more; leave it empty for what every wiki has.")
    return int(text)
