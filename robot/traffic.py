"""How much of a wiki's traffic is let through: what each request counts as, and whose it is.

Tools of MCP are told apart in its messages, which the front does not read: `robot.mcp.often` counts those.
"""

from __future__ import annotations

import logging

from proxy.asgi import Scope, values_of
from proxy.guard import SAFE_METHODS
from proxy.router import Route
from robot.access import may
from robot.client_address import ClientNetworks
from robot.crawlers import crawler_of
from robot.limits import Limited, Limits
from robot.model import Action, Actor, Agent, Anonymous, Person, Wiki, WikiRequest
from robot.sparse_log import SparseLog

log = logging.getLogger(__name__)

_API_SEARCHES = {
    "/api/v1/search": Limited.SEARCH,
    "/api/v1/find": Limited.MEANING,
    "/api/v1/semantic-search": Limited.MEANING,
}
# Forms of Otter Wiki that change no page.
_READING_FORMS = ("/preview", "/draft", "/draft/discard", "/edit", "/history")
_SEARCH_PAGE = "/-/search"
_STATIC = "/static/"
_RULES_OF_CRAWLERS = "/robots.txt"


class Traffic:
    """Counts requests to wikis."""

    def __init__(self, limits: Limits, networks: ClientNetworks) -> None:
        self._limits = limits
        self._networks = networks
        self._sparse = SparseLog(log)

    def wait(self, scope: Scope, route: Route, request: WikiRequest) -> float:
        """How many seconds the request comes too early; 0 lets it through. Takes some microseconds."""
        actor, wiki, path = request.actor, request.wiki, scope["path"]
        network = self._networks.of(scope) if isinstance(actor, Anonymous) else ""
        if isinstance(actor, Anonymous) and not path.startswith(_STATIC):
            wait_s = self._limits.take(Limited.VIEW, network) or self._crawl(scope, wiki)
            if wait_s:
                return wait_s
        kind = kind_of(scope["method"], path, route)
        # Who may not do it is refused at little cost, and takes nothing of what those share who may.
        if kind is None or not may(actor, Action.WRITE if kind is Limited.WRITE else Action.READ, wiki):
            return 0.0
        return self._limits.take(kind, network or actor_key(actor), wiki_key(actor, wiki))

    def _crawl(self, scope: Scope, wiki: Wiki) -> float:
        """A crawler waits by its name, wherever it comes from; what it is told of `/robots.txt` it may always read."""
        crawler = crawler_of(b" ".join(values_of(scope["headers"], b"user-agent")).decode("latin-1"))
        if not crawler or scope["path"] == _RULES_OF_CRAWLERS:
            return 0.0
        return self._limits.take(Limited.CRAWL, f"{crawler} {wiki.id}", wiki.id)

    def refuse_credential(self, scope: Scope, slug: str, route: Route) -> float:
        """A credential came that opens nothing: how long its network is to wait before it tries others.

        It is looked up first all the same. Nobody guesses 256 bits, and whoever has a good one is not to suffer from
        a neighbour whose program does not notice that its own was revoked.
        """
        network = self._networks.of(scope)
        self._sparse.warn(
            f"{network} {slug}", "a credential that opens nothing came to %s (%s) from %s", slug, route.name, network
        )
        return self._limits.take(Limited.BAD_CREDENTIAL, network)


def actor_key(actor: Actor) -> str:
    """Whose share it is: an agent's credential has one of its own."""
    match actor:
        case Person(user=user):
            return user.id
        case Agent(credential=credential):
            return credential.id
        case Anonymous():
            return ""


def wiki_key(actor: Actor, wiki: Wiki) -> str:
    """The share of a wiki's members, or that of all others, so that no crowd of strangers uses up what members need."""
    is_member = not isinstance(actor, Anonymous) and actor.role is not None
    return wiki.id if is_member else f"{wiki.id} strangers"


def kind_of(method: str, path: str, route: Route) -> Limited | None:
    """What a request to a wiki counts as; None for what is cheap, and for MCP (pure)."""
    match route:
        case Route.GIT:
            return Limited.GIT
        case Route.API if method in SAFE_METHODS:
            return Limited.MEANING if path.endswith("/similar") else _API_SEARCHES.get(path)
        case Route.OTHER if path == _SEARCH_PAGE or path.startswith(f"{_SEARCH_PAGE}/"):
            return Limited.MEANING
        case Route.OTHER if method in SAFE_METHODS or path.endswith(_READING_FORMS):
            return None
        case Route.OTHER | Route.API:
            return Limited.WRITE
        case _:
            return None
