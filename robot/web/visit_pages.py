"""Who visited a wiki, for its owners: the newest to look at, and all that is kept to take along."""

from __future__ import annotations

from collections.abc import AsyncIterator

from quart import Blueprint, Response

from robot.finished import Face
from robot.visits import Visits
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import open_own_wiki, signed_in

SHOWN = 200
_PIECE_BYTES = 256 * 1024
_FACES = {
    Face.PAGES: "page",
    Face.AUTH: "signing in",
    Face.REST: "REST",
    Face.MCP: "MCP",
    Face.GIT: "git",
    Face.DOCUMENTS: "documents for agents",
    Face.REFUSED: "refused",
}


def visit_pages(site: Site, *, visits: Visits) -> Blueprint:
    """`/app/wiki/{slug}/activity/visits`"""
    db, address, sessions = site
    pages = Blueprint("visits", __name__, url_prefix="/app/wiki/<slug>/activity/visits")

    @pages.get("")
    async def show(slug: str) -> str:
        user = signed_in(sessions)
        wiki, role = open_own_wiki(db, user, slug)
        return render(
            "visits.html",
            user=user,
            here="wikis",
            wiki=wiki,
            role=role,
            origin=address.origin_of(wiki),
            visits=await visits.newest(wiki, SHOWN),
            faces=_FACES,
            days=visits.days,
            shown=SHOWN,
        )

    @pages.get("/download")
    async def download(slug: str) -> Response:
        wiki, _ = open_own_wiki(db, signed_in(sessions), slug)
        files = await visits.days_of(wiki)

        async def pieces() -> AsyncIterator[bytes]:
            for file in files:
                async with await file.open("rb") as read:
                    while piece := await read.read(_PIECE_BYTES):
                        yield piece

        name = f'attachment; filename="{wiki.slug}-visits.jsonl"'
        return Response(pieces(), content_type="application/jsonl", headers={"Content-Disposition": name})

    return pages
