"""The ASGI application that everything comes through: which host, which door, who is asking.

The order is the security of the whole: head, drain, Host, same origin, then the wiki and its actor as values.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import trio

from proxy import guard
from proxy.asgi import App, Headers, Message, Receive, Scope, Send, values_of
from proxy.hosts import Host, PlatformHost, UnknownHost, WikiHost, parse_host, split_host
from proxy.router import Route, classify
from robot.actors import Actors, BadCredential
from robot.address import PublicAddress
from robot.answers import answer, answer_html, answer_json, answer_text, wants_html
from robot.db import Database, DatabaseError
from robot.git.challenge import refuse_credentials
from robot.mcp.challenge import unauthorized
from robot.model import Actor, Visibility, Wiki, WikiRequest
from robot.web.ask import ASK_PATH
from robot.web.errors import render_error
from robot.wikis import find_wiki, find_wiki_by_slug

log = logging.getLogger(__name__)

LOADING_PATIENCE_S = 10.0
"""How long a request waits for the doors of a core that has just started."""

_CODES = {408: "request_timeout", 413: "body_too_large"}
_SHORTLY = (b"retry-after", b"2")
_LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})


@dataclass(frozen=True, slots=True)
class Doors:
    """The applications behind the front, one for each kind of path."""

    platform: App
    wiki_auth: App
    rest: App
    mcp: App
    git: App
    pages: App
    static: App


@dataclass(frozen=True, slots=True)
class BodySizes:
    """The largest request bodies that are read, in bytes."""

    usual: int
    push: int

    def of(self, route: Route) -> int:
        return self.push if route is Route.GIT else self.usual


class Front:
    """Joins the doors. It answers from the first moment; doors are added once they are loaded."""

    def __init__(self, address: PublicAddress, db: Database, actors: Actors, sizes: BodySizes) -> None:
        self._address = address
        self._db = db
        self._actors = actors
        self._sizes = sizes
        self._doors: Doors | None = None
        self._loaded = trio.Event()
        self._draining = False

    def open(self, doors: Doors) -> None:
        """Everything is loaded: requests go through from now on."""
        self._doors = doors
        self._loaded.set()

    def drain(self) -> None:
        """Refuse new requests from now on; those in flight go on."""
        self._draining = True

    def judge_again(self, scope: Scope) -> WikiRequest | None:
        """Decide anew, in place, about a call that was let in a while ago; `scope` is the one that a door was given.

        None when its wiki is gone, or its credential opens nothing any more. Raises `DatabaseError`.
        """
        before: WikiRequest = scope["robot.request"]
        wiki = find_wiki(self._db, before.wiki.id)
        actor = None if wiki is None else self._actors.of_caller(scope["headers"], wiki)
        if wiki is None or actor is None or isinstance(actor, BadCredential):
            return None
        return replace(before, wiki=wiki, actor=actor)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "lifespan":
                await _lifespan(receive, send)
            case "http":
                await self._http(scope, receive, guard.shield_final_send(send))
            case _:
                await send({"type": "websocket.close", "code": 1002})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = _Started(send)
        route = classify(scope["raw_path"])
        try:
            paced = guard.PacedReceive(receive, max_bytes=self._sizes.of(route))
            await self._route(scope, paced, started, route)
        except guard.BodyRefused as error:
            if started.yes:
                raise
            code = _CODES.get(error.status, "bad_request")
            await self._page(scope, started, error.status, code, "The request was not taken", f"{error}.")
        except DatabaseError as error:
            log.warning("database: %s", error)
            if started.yes:
                raise
            await self._page(scope, started, 503, "unavailable", "Not available for a moment", "Please try again.")

    async def _route(self, scope: Scope, receive: Receive, send: Send, route: Route) -> None:
        headers: Headers = scope["headers"]
        problem = guard.malformed(scope)
        host = parse_host(headers)
        if problem is not None or host is None:
            sentence = problem or "the Host header is missing, repeated or malformed"
            await _say(scope, send, 400, "bad_request", f"Bad request: {sentence}.", (b"connection", b"close"))
            return
        place = split_host(host, self._address.domain)
        if host.name in _LOOPBACK and scope["path"] == ASK_PATH:
            place = PlatformHost()  # Caddy asks by address: it may not be able to resolve our name
        if route is Route.HEALTH and (isinstance(place, PlatformHost) or host.name in _LOOPBACK):
            await self._health(scope, send)
        elif self._draining:
            closing = (b"connection", b"close")
            await _say(scope, send, 503, "unavailable", "Restarting; try again.", _SHORTLY, closing)
        elif isinstance(place, UnknownHost):
            await self._unknown_host(scope, host, send)
        elif route is Route.REFUSED:
            sentence = "The address is spelled in an ambiguous way."
            await self._page(scope, send, 400, "bad_request", "This address cannot be read", sentence)
        else:
            guard.check_declared_length(headers, self._sizes.of(route))
            await self._inside(scope, receive, send, place, route)

    async def _inside(
        self, scope: Scope, receive: Receive, send: Send, place: PlatformHost | WikiHost, route: Route
    ) -> None:
        """A well-formed request to one of our hosts."""
        doors = await self._wait_for_doors()
        if doors is None:
            await _say(scope, send, 503, "unavailable", "Starting; try again.", _SHORTLY)
            return
        origin = self._origin(place)
        if not guard.same_origin_ok(scope["method"], scope["headers"], origin):
            sentence = "A form or script of another site sent this request, so nothing was done."
            await self._page(scope, send, 403, "cross_site", "Refused", sentence)
        elif isinstance(place, PlatformHost):
            await doors.platform(scope, receive, send)
        else:
            wiki = find_wiki_by_slug(self._db, place.slug) or missing_wiki(place.slug)
            await self._wiki(scope, receive, send, doors, wiki, route)

    async def _wiki(self, scope: Scope, receive: Receive, send: Send, doors: Doors, wiki: Wiki, route: Route) -> None:
        headers: Headers = scope["headers"]
        if is_service_worker(headers):
            await _say(scope, send, 403, "forbidden", "Wikis have no service workers.")
            return
        origin = self._address.wiki_origin(wiki.slug)
        is_call = route in (Route.MCP, Route.API, Route.GIT)
        actor = self._actor(headers, wiki, route)
        # A token in an address ends up in logs and histories; whoever sends one is to notice (RFC 6750, section 5.3).
        if isinstance(actor, BadCredential) or (is_call and has_token_in_query(scope["query_string"])):
            await _refuse(send, origin, route)
            return
        scope["robot.request"] = WikiRequest(wiki, actor, origin, secrets.token_hex(8))
        match route:
            case Route.MCP:
                await doors.mcp(scope, receive, send)
            case Route.API:
                await doors.rest(scope, receive, send)
            case Route.AUTH:
                await doors.wiki_auth(scope, receive, send)
            case Route.GIT:
                await doors.git(scope, receive, send)
            case Route.WELL_KNOWN:
                await answer_json(send, 404, {"error": "There is nothing at this address.", "code": "not_found"})
            case _ if scope["path"].startswith("/static/"):
                await doors.static(scope, receive, send)
            case _:
                await doors.pages(scope, receive, send)

    def _actor(self, headers: Headers, wiki: Wiki, route: Route) -> Actor | BadCredential:
        match route:
            case Route.MCP | Route.API:
                return self._actors.of_caller(headers, wiki)
            case Route.GIT:
                return self._actors.of_git(headers, wiki)
            case _:
                return self._actors.of_browser(headers, wiki)

    def _origin(self, place: PlatformHost | WikiHost) -> str:
        if isinstance(place, WikiHost):
            return self._address.wiki_origin(place.slug)
        return self._address.platform_origin

    async def _wait_for_doors(self) -> Doors | None:
        if self._doors is None:
            with trio.move_on_after(LOADING_PATIENCE_S):
                await self._loaded.wait()
        return self._doors

    async def _health(self, scope: Scope, send: Send) -> None:
        ready = self._loaded.is_set() and not self._draining
        if scope["path"] == "/healthz" or ready:
            await answer_json(send, 200, {"status": "ok"})
        else:
            await answer_json(send, 503, {"status": "stopping" if self._draining else "starting"})

    async def _unknown_host(self, scope: Scope, host: Host, send: Send) -> None:
        inside = host.name.endswith(f".{self._address.domain}")
        await _say(scope, send, 404 if inside else 421, "not_found", f"There is no wiki at {host.name}.")

    async def _page(self, scope: Scope, send: Send, status: int, code: str, title: str, sentence: str) -> None:
        """An error as the client reads it: a page for browsers, JSON for programs and under the API."""
        if wants_html(scope["headers"]) and not _is_of_api(scope):
            await answer_html(send, status, render_error(status, title, sentence))
        else:
            await answer_json(send, status, {"error": sentence, "code": code})


class _Started:
    """A `send` that remembers whether the response has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.yes = False

    async def __call__(self, message: Message) -> None:
        self.yes = True
        await self._send(message)


def _is_of_api(scope: Scope) -> bool:
    """Whether the API is meant, whose every answer is JSON; also by an address that is refused."""
    raw_path: bytes = scope["raw_path"]
    return raw_path == b"/api/v1" or raw_path.startswith(b"/api/v1/")


async def _say(scope: Scope, send: Send, status: int, code: str, sentence: str, *headers: tuple[bytes, bytes]) -> None:
    """A sentence for clients that are mostly no browsers: JSON under the API, plain text elsewhere."""
    if _is_of_api(scope):
        await answer_json(send, status, {"error": sentence, "code": code}, *headers)
    else:
        await answer_text(send, status, sentence, *headers)


def missing_wiki(slug: str) -> Wiki:
    """A private wiki in which nobody has a role stands for a missing one, so that strangers cannot tell them apart."""
    return Wiki("missing", slug, slug, "", Visibility.PRIVATE, datetime.fromtimestamp(0, UTC))


def has_token_in_query(query: bytes) -> bool:
    """Whether a field of the query is named as RFC 6750, section 2.3, names a token there."""
    return any(field.partition(b"=")[0] == b"access_token" for field in query.split(b"&"))


def is_service_worker(headers: Headers) -> bool:
    """Whether a browser asks for the script of a service worker (W3C Service Workers, Update; Fetch Metadata).

    One that an attachment brought would answer for the wiki in its visitors' browsers long after the attachment, or
    even the wiki, is gone. Scripts cannot leave these headers out or set them.
    """
    return bool(values_of(headers, b"service-worker")) or values_of(headers, b"sec-fetch-dest") == [b"serviceworker"]


async def _refuse(send: Send, origin: str, route: Route) -> None:
    """Say that the credentials open nothing here, in the way that the door's clients understand."""
    if route is Route.GIT:
        await refuse_credentials(send, origin, token_sent=True)
    else:
        await answer(send, *unauthorized(origin, token_sent=True))


async def _lifespan(receive: Receive, send: Send) -> None:
    """Answer the lifespan protocol ourselves: the supervisor starts and stops things, not the server."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
