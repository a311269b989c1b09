"""A wiki's overview on the platform, and its search index."""

from __future__ import annotations

from typing import Protocol

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.access import may
from robot.address import PublicAddress
from robot.contents import Contents
from robot.db import Database
from robot.model import Action, Person, Wiki
from robot.oauth.connections import list_connections
from robot.search.values import ReindexRunning
from robot.signin.sessions import Sessions
from robot.tokens import list_tokens
from robot.web.answers import error_page
from robot.web.facts import gather_facts
from robot.web.page import render
from robot.web.visitor import open_wiki, signed_in
from wikihost.errors import FROZEN

# What a redirect may ask the overview to say.
_NOTICES = {
    "created": "Your wiki is ready. Open it and write, or connect an agent first.",
    "reindexing": "The index is being built anew. Searching goes on meanwhile.",
    "indexing": "The index is being built anew already.",
}


class Reindexer(Protocol):
    """What the overview needs of `robot.search.service.SearchService`."""

    def start_reindex(self, wiki: Wiki) -> None:
        """Raises `ReindexRunning`."""


def wiki_pages(
    *, db: Database, address: PublicAddress, sessions: Sessions, contents: Contents, reindexer: Reindexer
) -> Blueprint:
    """`/app/wiki/{slug}`, `/app/wiki/{slug}/reindex`"""
    pages = Blueprint("wiki", __name__, url_prefix="/app/wiki/<slug>")

    @pages.get("")
    async def overview(slug: str) -> str:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        facts = await gather_facts(contents, [wiki])
        return render(
            "wiki.html",
            user=user,
            here="wikis",
            wiki=wiki,
            role=role,
            origin=address.wiki_origin(wiki.slug),
            facts=facts.get(wiki.id),
            connection_count=len(list_connections(db, wiki)),
            token_count=len(list_tokens(db, wiki)),
            can_reindex=may(Person(user, role), Action.WRITE, wiki),
            notice=next((text for key, text in _NOTICES.items() if key in request.args), None),
        )

    @pages.post("/reindex")
    async def reindex(slug: str) -> WerkzeugResponse | Response:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        if not may(Person(user, role), Action.WRITE, wiki):
            if wiki.is_frozen:
                return error_page(403, "This wiki is read-only", FROZEN)
            return error_page(403, "You may not do this", "Only editors and owners build the index anew.")
        try:
            reindexer.start_reindex(wiki)
        except ReindexRunning:
            return redirect(f"/app/wiki/{wiki.slug}?indexing=1", 303)
        return redirect(f"/app/wiki/{wiki.slug}?reindexing=1", 303)

    return pages
