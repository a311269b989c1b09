"""The operator's page about the machine: room, workers, indexing, troubles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quart import Blueprint

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
            up=_duration(facts.up_s),
            counts=await count_all(db),
            ailing=_ailing(db, facts.workers),
        )

    return pages


def _ailing(db: Database, workers: Sequence[WorkerStatus]) -> list[_Ailing]:
    found = [(find_wiki(db, worker.wiki_id), worker) for worker in workers if worker.reason is not None]
    return [_Ailing(wiki, worker) for wiki, worker in found if wiki is not None]


def _duration(seconds: float) -> str:
    """How long, for people: `3 days, 4 hours`, `12 minutes`."""
    minutes = int(seconds // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{_counted(days, 'day')}, {_counted(hours, 'hour')}"
    return f"{_counted(hours, 'hour')}, {_counted(minutes % 60, 'minute')}" if hours else _counted(minutes, "minute")


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}{'' if count == 1 else 's'}"
