"""The operator's page about the machine: room, workers, indexing, troubles, backups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quart import Blueprint

from robot.alerts.book import list_standing, list_undelivered
from robot.amounts import duration
from robot.backup.journal import last_begun, last_good
from robot.census import count_all
from robot.db import Database
from robot.machine import Machine
from robot.model import Wiki
from robot.web.admin_door import TABS, operator_here
from robot.web.page import render
from robot.web.site import Site
from robot.wikis import find_wiki
from wikihost.fleet import WorkerStatus


@dataclass(frozen=True, slots=True)
class _Ailing:
    """A wiki whose worker failed, and why."""

    wiki: Wiki
    worker: WorkerStatus


def admin_pages(site: Site, *, machine: Machine) -> Blueprint:
    """`/app/admin`"""
    db, _, sessions = site
    pages = Blueprint("admin", __name__, url_prefix="/app/admin")

    @pages.get("")
    async def show() -> str:
        user = operator_here(sessions)
        facts = await machine.facts()
        return render(
            "admin.html",
            user=user,
            here="admin",
            tabs=TABS,
            facts=facts,
            up=duration(facts.up_s),
            counts=await count_all(db),
            ailing=_ailing(db, facts.workers),
            alerts=list_standing(db),
            undelivered=list_undelivered(db),
            good=last_good(db),
            tried=last_begun(db),
        )

    return pages


def _ailing(db: Database, workers: Sequence[WorkerStatus]) -> list[_Ailing]:
    found = [(find_wiki(db, worker.wiki_id), worker) for worker in workers if worker.reason is not None]
    return [_Ailing(wiki, worker) for wiki, worker in found if wiki is not None]
