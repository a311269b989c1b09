"""The front page: what this host is, its public wikis, how to connect an agent."""

from __future__ import annotations

from quart import Blueprint

from robot.address import PublicAddress
from robot.db import Database
from robot.signin.sessions import Sessions
from robot.web.page import render
from robot.web.setups import PLACEHOLDER, claude_code_line, is_local
from robot.web.visitor import visitor
from robot.wikis import list_public_wikis

_EXAMPLE_SLUG = "notes"


def landing_pages(*, db: Database, address: PublicAddress, sessions: Sessions) -> Blueprint:
    """`/`"""
    pages = Blueprint("landing", __name__)

    @pages.get("/")
    async def landing() -> str:
        wikis = await list_public_wikis(db)
        example = address.wiki_origin(_EXAMPLE_SLUG)
        return render(
            "landing.html",
            user=visitor(sessions),
            domain=address.domain,
            wikis=[(wiki, address.wiki_origin(wiki.slug)) for wiki in wikis],
            example=claude_code_line(_EXAMPLE_SLUG, example, PLACEHOLDER if is_local(example) else None),
        )

    return pages
