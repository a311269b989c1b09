"""The operator's pages about wikis: how much, whose, how they are; freezing, quotas, having deleted ones back."""

from __future__ import annotations

from dataclasses import dataclass

from quart import Blueprint, redirect, request
from werkzeug.exceptions import NotFound

from robot.address import PublicAddress
from robot.audit import operating
from robot.census import WIKI_FILTERS, WikiRow, find_hosted, list_hosted
from robot.db import Database
from robot.deletion import undelete_wiki
from robot.freezing import freeze, unfreeze
from robot.machine import Machine
from robot.model import User
from robot.quotas import quota_of, set_quota
from robot.signin.sessions import Sessions
from robot.web.admin_door import TABS, operator_here
from robot.web.answers import Answer
from robot.web.page import render
from robot.web.site import Site
from wikihost.layout import DataDir
from wikihost.quota import MIB, Quota, how_full

_WIKIS = "/app/admin/wikis"
_FILTERS = (("", "all"), ("public", "public"), ("frozen", "read-only"), ("deleted", "deleted"))
_MOST = 10**9

# What a redirect may ask the page to say.
_DONE = {
    "frozen": "Read-only from the next write on, whoever writes. Reading and exports go on.",
    "unfrozen": "It can be written again.",
    "quota": "The quota is set, and in force for the next write.",
    "undeleted": "The wiki is back as it was.",
}


class _BadQuota(ValueError):
    """What was typed is no quota; the message says why."""


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the pages are made with."""

    db: Database
    data: DataDir
    address: PublicAddress
    sessions: Sessions
    machine: Machine
    default_quota: Quota

    async def find(self, wiki_id: str) -> WikiRow:
        """Raises `NotFound`."""
        row = await find_hosted(self.db, self.data, wiki_id)
        if row is None:
            raise NotFound
        return row

    def page(self, user: User, row: WikiRow, *, error: str | None = None, typed: tuple[str, str] | None = None) -> str:
        quota = quota_of(row.wiki, self.default_quota)
        return render(
            "admin_wiki.html",
            user=user,
            here="admin",
            tabs=TABS,
            row=row,
            origin=self.address.origin_of(row.wiki),
            quota=quota,
            fullness="" if row.usage is None else how_full(row.usage, quota),
            worker=self.machine.worker_of(row.wiki.id),
            default=self.default_quota,
            default_mebibytes=_mebibytes(self.default_quota.size_bytes),
            typed=typed or (_shown(row.wiki.quota_pages), _mebibytes(row.wiki.quota_bytes)),
            error=error,
            notice=_DONE.get(request.args.get("done", "")),
        )


def admin_wikis_pages(site: Site, *, data: DataDir, machine: Machine, default_quota: Quota) -> Blueprint:
    """`/app/admin/wikis`"""
    db, address, sessions = site
    pages = Blueprint("admin_wikis", __name__, url_prefix=_WIKIS)
    desk = _Desk(db, data, address, sessions, machine, default_quota)
    _add_views(pages, desk)
    _add_deeds(pages, desk)
    return pages


def _add_views(pages: Blueprint, desk: _Desk) -> None:
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
        )

    @pages.get("/<wiki_id>")
    async def wiki(wiki_id: str) -> str:
        user = operator_here(desk.sessions)
        return desk.page(user, await desk.find(wiki_id))


def _add_deeds(pages: Blueprint, desk: _Desk) -> None:
    @pages.post("/<wiki_id>/freeze")
    async def make_read_only(wiki_id: str) -> Answer:
        user, row = operator_here(desk.sessions), await desk.find(wiki_id)
        await freeze(desk.db, desk.data, row.wiki, by=operating(user))
        return _told(row, "frozen")

    @pages.post("/<wiki_id>/unfreeze")
    async def let_write(wiki_id: str) -> Answer:
        user, row = operator_here(desk.sessions), await desk.find(wiki_id)
        await unfreeze(desk.db, desk.data, row.wiki, by=operating(user))
        return _told(row, "unfrozen")

    @pages.post("/<wiki_id>/quota")
    async def grant(wiki_id: str) -> Answer:
        user, row = operator_here(desk.sessions), await desk.find(wiki_id)
        form = await request.form
        typed = form.get("pages", ""), form.get("mebibytes", "")
        try:
            most_pages, mebibytes = map(_count, typed)
        except _BadQuota as error:
            return desk.page(user, row, error=str(error), typed=typed), 400
        size_bytes = None if mebibytes is None else mebibytes * MIB
        default, by = desk.default_quota, operating(user)
        await set_quota(desk.db, desk.data, row.wiki, default, pages=most_pages, size_bytes=size_bytes, by=by)
        return _told(row, "quota")

    @pages.post("/<wiki_id>/undelete")
    async def have_back(wiki_id: str) -> Answer:
        user, row = operator_here(desk.sessions), await desk.find(wiki_id)
        await undelete_wiki(desk.db, wiki_id, operating(user))
        return _told(row, "undeleted")


def _told(row: WikiRow, done: str) -> Answer:
    """Go to the wiki's page, where it says what was done."""
    return redirect(f"{_WIKIS}/{row.wiki.id}?done={done}", 303)


def _shown(count: int | None) -> str:
    return "" if count is None else str(count)


def _mebibytes(size_bytes: int | None) -> str:
    return "" if size_bytes is None else f"{size_bytes / MIB:.10g}"


def _count(typed: str) -> int | None:
    """A number that was typed, None for the host's own; raises `_BadQuota`."""
    text = typed.strip().replace(",", "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or int(text) > _MOST:
        raise _BadQuota("A quota is a whole number of 0 or more; leave it empty for what every wiki has.")
    return int(text)
