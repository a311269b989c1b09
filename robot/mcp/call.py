"""One request of an agent: which wiki, who acts, and the parts that do the work."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST
from starlette.requests import Request

from robot import access
from robot.authorship import author_of
from robot.contents import Contents, WikiContents, reachable
from robot.model import Action, Agent, Anonymous, Person, Visibility, Wiki, WikiRequest
from robot.search.confined import searchable
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
    """What a tool is given besides its arguments. `origin` is the one at which people read the wiki.

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

    @property
    def is_same_for_all(self) -> bool:
        """Whether everybody who asks gets the same, so that a cache that several people share may keep it."""
        return self.wiki.visibility is Visibility.PUBLIC and self.folder is None


@dataclass(frozen=True, slots=True)
class Calls:
    """Makes the `Call` of each request; `domain` is the platform's, for the authors' addresses."""

    contents: Contents
    search: SearchService
    domain: str

    def of(self, context: ServerRequestContext[Any, Any]) -> Call:
        """The call that a request is part of."""
        asked, actor = wiki_request(context), wiki_request(context).actor
        if isinstance(actor, Anonymous):  # the endpoint lets nobody in who is nobody
            raise MCPError(code=INVALID_REQUEST, message="Sign in first.")
        if isinstance(actor, Agent):
            announced = context.session.client_params
            actor = replace(
                actor,
                client=calling_client(
                    actor,
                    announced.client_info.name if announced else None,
                    http_request(context).headers.get("user-agent"),
                ),
            )
        contents, search = reachable(self.contents, actor), searchable(self.search, actor)
        return Call(asked.wiki, actor, asked.home, self.domain, contents, search)


def wiki_request(context: ServerRequestContext[Any, Any]) -> WikiRequest:
    """What the front decided about the HTTP request that a message came with."""
    asked: WikiRequest = http_request(context).scope["robot.request"]
    return asked


def http_request(context: ServerRequestContext[Any, Any]) -> Request:
    """The HTTP request that a message came with; every one does: there is no other transport."""
    return cast("Request", context.request)


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
