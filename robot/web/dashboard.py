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
from robot.web.page import render
from robot.web.visitor import signed_in
from robot.wikis import wikis_of


@dataclass(frozen=True, slots=True)
class _Row:
    wiki: Wiki
    role: Role
    origin: str
    facts: WikiFacts | None


def dashboard_page(*, db: Database, address: PublicAddress, sessions: Sessions, contents: Contents) -> Blueprint:
    """`/app/`"""
    pages = Blueprint("dashboard", __name__, url_prefix="/app")

    @pages.get("/")
    async def my_wikis() -> str:
        user = signed_in(sessions)
        mine = wikis_of(db, user)
        facts = await gather_facts(contents, [wiki for wiki, _ in mine])
        rows = [_Row(wiki, role, address.wiki_origin(wiki.slug), facts.get(wiki.id)) for wiki, role in mine]
        return render("dashboard.html", user=user, here="wikis", rows=rows)

    return pages
