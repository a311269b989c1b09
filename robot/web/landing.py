"""The front page: what this host is, its public wikis, how to connect an agent."""

from __future__ import annotations

from quart import Blueprint, Response

from robot.web.page import render
from robot.web.setups import PLACEHOLDER, claude_code_line, is_local
from robot.web.site import Site
from robot.web.visitor import visitor
from robot.wikis import list_public_wikis

_EXAMPLE_SLUG = "notes"
# The front page is for everybody; what lies behind a sign-in is in no index (RFC 9309).
_FOR_CRAWLERS = "User-agent: *\nDisallow: /app/\nDisallow: /auth/\nDisallow: /oauth/\n"


def landing_pages(site: Site) -> Blueprint:
    """`/` and `/robots.txt`"""
    db, address, sessions = site
    pages = Blueprint("landing", __name__)

    @pages.get("/")
    async def landing() -> str:
        wikis = await list_public_wikis(db)
        example = address.wiki_origin(_EXAMPLE_SLUG)
        return render(
            "landing.html",
            user=visitor(sessions),
            domain=address.domain,
            wikis=[(wiki, address.origin_of(wiki)) for wiki in wikis],
            address=f"{example}/mcp",
            example=claude_code_line(_EXAMPLE_SLUG, example, PLACEHOLDER if is_local(example) else None),
        )

    @pages.get("/robots.txt")
    async def crawlers() -> Response:
        return Response(_FOR_CRAWLERS, content_type="text/plain; charset=utf-8")

    return pages
