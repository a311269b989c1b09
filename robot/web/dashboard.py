"""My wikis, with their figures; the invitations that wait for me, and what I deleted and can have back."""

from __future__ import annotations

from dataclasses import dataclass

from quart import Blueprint, request

from robot.contents import Contents
from robot.db import Database
from robot.deletion import deleted_wikis_of
from robot.joining import offers_to
from robot.model import Role, User, Wiki
from robot.oauth.connections import list_connections
from robot.takedown import taken_down_of
from robot.tokens import list_tokens
from robot.web.facts import WikiFacts, gather_facts
from robot.web.index_status import Indexer, gather_percents
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import signed_in, whose_agents
from robot.wikis import wikis_of

_NOTICES = {
    "left": "You left the wiki, and your agents with you.",
    "declined": "Declined. Whoever invited you sees that.",
    "deleted": "Deleted. Nobody reaches the wiki any more; you can have it back from the list below.",
    "purged": "Deleted for good. Its address rests for 30 days, in which only you can use it again.",
}


@dataclass(frozen=True, slots=True)
class _Row:
    wiki: Wiki
    role: Role
    origin: str
    facts: WikiFacts | None
    indexed_percent: int | None
    agent_count: int


def dashboard_page(site: Site, *, contents: Contents, indexer: Indexer) -> Blueprint:
    """`/app/`"""
    db, address, sessions = site
    pages = Blueprint("dashboard", __name__, url_prefix="/app")

    @pages.get("/")
    async def my_wikis() -> str:
        user = signed_in(sessions)
        mine = wikis_of(db, user)
        wikis = [wiki for wiki, _ in mine]
        facts = await gather_facts(contents, wikis)
        percents = await gather_percents(indexer, wikis)
        rows = [
            _Row(
                wiki=wiki,
                role=role,
                origin=address.origin_of(wiki),
                facts=facts.get(wiki.id),
                indexed_percent=percents.get(wiki.id),
                agent_count=_count_agents(db, user, wiki, role),
            )
            for wiki, role in mine
        ]
        return render(
            "dashboard.html",
            user=user,
            here="wikis",
            rows=rows,
            offers=offers_to(db, user),
            deleted=deleted_wikis_of(db, user),
            taken_down=taken_down_of(db, user),
            notice=_NOTICES.get(request.args.get("done", "")),
        )

    return pages


def _count_agents(db: Database, user: User, wiki: Wiki, role: Role) -> int:
    """As many as the person finds under Agents."""
    whose = whose_agents(user, wiki, role)
    return len(list_connections(db, wiki, whose)) + len(list_tokens(db, wiki, whose))
