"""One address for people: from a wiki's first address to its own domain.

Programs stay where they are: what is bound to an address (git remotes, agents, tokens, metadata) works at both.
"""

from __future__ import annotations

from proxy.asgi import Scope, Send, values_of
from robot.access import may
from robot.answers import NO_STORE, answer
from robot.model import Action, WikiRequest

_OF_ITS_OWN_PAGES = [b"same-origin"]


def leads_home(scope: Scope, asked: WikiRequest) -> bool:
    """Whether a request for something of the wiki's pages is to be made at the wiki's own domain instead.

    Strangers are not told that a private wiki has one. Whoever reads the wiki at its first address already goes on
    there: a page's own scripts, files and forms may not leave its origin (CORS, Content Security Policy), and work in
    its editor would be cut short.
    """
    return (
        asked.origin != asked.home
        and scope["method"] in ("GET", "HEAD")
        and values_of(scope["headers"], b"sec-fetch-site") != _OF_ITS_OWN_PAGES
        and may(asked.actor, Action.READ, asked.wiki)
    )


async def redirect_for_good(send: Send, origin: str, scope: Scope) -> None:
    """Send the client to the same path and query at `origin` (RFC 9110, 15.4.9).

    No cache may keep that: the day the domain is given up, the first address works again for everybody.
    """
    query: bytes = scope["query_string"]
    location = origin.encode("ascii") + scope["raw_path"] + (b"?" + query if query else b"")
    await answer(send, 308, [(b"location", location), NO_STORE], b"")
