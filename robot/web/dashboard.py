"""My wikis, with their figures."""

from __future__ import annotations

from dataclasses import dataclass

from quart import Blueprint

from robot.address import PublicAddress
from robot.contents import Contents
from robot.db import Database
from robot.model import Role, Wiki
from robot.signin.sessions import Sessions
from robot.web.facts import WikiFacts, gather_facts
from robot.web.index_status import Indexer, gather_percents
from robot.web.page import render
from robot.web.visitor import signed_in
from robot.wikis import wikis_of


@dataclass(frozen=True, slots=True)
class _Row:
    wiki: Wiki
    role: Role
    origin: str
    facts: WikiFacts | None
    indexed_percent: int | None


def dashboard_page(
    *, db: Database, address: PublicAddress, sessions: Sessions, contents: Contents, indexer: Indexer
) -> Blueprint:
    """`/app/`"""
    pages = Blueprint("dashboard", __name__, url_prefix="/app")

    @pages.get("/")
    async def my_wikis() -> str:
        user = signed_in(sessions)
        mine = wikis_of(db, user)
        wikis = [wiki for wiki, _ in mine]
        facts = await gather_facts(contents, wikis)
        percents = await gather_percents(indexer, wikis)
        rows = [
            _Row(wiki, role, address.wiki_origin(wiki.slug), facts.get(wiki.id), percents.get(wiki.id))
            for wiki, role in mine
        ]
        return render("dashboard.html", user=user, here="wikis", rows=rows)

    return pages
