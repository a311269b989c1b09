"""A wiki's overview on the platform."""

from __future__ import annotations

from collections.abc import Mapping

from quart import Blueprint, request

from robot.access import may
from robot.contents import Contents
from robot.model import Action, Person, Wiki
from robot.oauth.connections import list_connections
from robot.search.telling import tell
from robot.tokens import list_tokens
from robot.web.facts import gather_facts
from robot.web.index_status import Indexer, read_status
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import open_wiki, signed_in, whose_agents

# Without a script the overview reloads itself while the index is built: seldom enough to be read meanwhile.
RELOAD_AFTER_S = 5

# What a redirect may ask the overview to say, of the wiki and of its index.
_NOTICES = {
    "created": "Your wiki is ready. Open it and write, or connect an agent first.",
    "joined": "Welcome. The wiki is among yours now.",
    "undeleted": "The wiki is back, with everybody's roles, tokens and connections.",
}
_INDEX_NOTICES = {
    "already": "It is being built anew already, so nothing new was begun.",
    "cancelled": "Cancelled. What is known of the pages that were not reached stays.",
    "over": "There was nothing to cancel: nobody is having the index built anew.",
}


def wiki_pages(site: Site, *, contents: Contents, indexer: Indexer) -> Blueprint:
    """`/app/wiki/{slug}`"""
    db, address, sessions = site
    pages = Blueprint("wiki", __name__, url_prefix="/app/wiki/<slug>")

    @pages.get("")
    async def overview(slug: str) -> str:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        whose = whose_agents(user, wiki, role)
        facts = await gather_facts(contents, [wiki])
        status = await read_status(indexer, wiki)
        return render(
            "wiki.html",
            user=user,
            here="wikis",
            wiki=wiki,
            role=role,
            origin=address.origin_of(wiki),
            facts=facts.get(wiki.id),
            connection_count=len(list_connections(db, wiki, whose)),
            sees_all=whose is None,
            token_count=len(list_tokens(db, wiki, whose)),
            index=status,
            told=None if status is None else tell(status),
            can_reindex=may(Person(user, role), Action.WRITE, wiki),
            reload_after_s=RELOAD_AFTER_S,
            next_look=_next_look(wiki),
            notice=_asked(_NOTICES),
            index_notice=_asked(_INDEX_NOTICES),
        )

    return pages


def _next_look(wiki: Wiki) -> str:
    """Where the overview goes to show its panel as it is then: to the same address with a fragment no browser goes."""
    look = 2 if request.args.get("look") == "1" else 1
    return f"/app/wiki/{wiki.slug}?look={look}#index"


def _asked(notices: Mapping[str, str]) -> str | None:
    return next((text for key, text in notices.items() if key in request.args), None)
