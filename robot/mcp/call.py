"""One tool call: which wiki, who acts, and the parts that do the work."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from robot import access
from robot.authorship import author_of
from robot.contents import WikiContents
from robot.model import Action, Agent, Person, Wiki
from wikihost.values import Author

if TYPE_CHECKING:
    from robot.search.service import SearchService

# What HTTP libraries call themselves tells nothing about the agent that uses them.
_LIBRARIES = frozenset(
    {"aiohttp", "axios", "curl", "go-http-client", "got", "httpx", "mozilla", "node", "node-fetch", "okhttp"}
    | {"python", "python-httpx", "python-httpx2", "python-requests", "python-urllib", "reqwest", "ruby", "undici"}
)
_PRODUCT = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)(?:/|\s|$)")


@dataclass(frozen=True, slots=True)
class Call:
    """What a tool is given besides its arguments. `origin` is the wiki's public origin.

    `contents` and `search` reach as far as the actor's credential does, `folder` says how far where that is not all.
    """

    wiki: Wiki
    actor: Person | Agent
    origin: str
    domain: str
    contents: WikiContents
    search: SearchService

    @property
    def folder(self) -> str | None:
        return access.folder_of(self.actor)

    @property
    def may_write(self) -> bool:
        return access.may(self.actor, Action.WRITE, self.wiki)

    @property
    def author(self) -> Author:
        return author_of(self.actor, self.domain, "mcp")


def calling_client(actor: Agent, announced: str | None, user_agent: str | None) -> str:
    """What the calling program is called in the page history.

    `announced` is clientInfo's name, which only the 2026 protocol sends with each request; older clients send it in a
    handshake that a stateless server does not remember, so their User-Agent speaks for them unless it is an HTTP
    library's. The token's own name is what remains.
    """
    if announced is not None and announced.strip():
        return announced
    product = _PRODUCT.match(user_agent or "")
    if product is not None and product[1].lower() not in _LIBRARIES:
        return product[1]
    return actor.client
