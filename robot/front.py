"""The ASGI application that everything comes through: which host, which door, who is asking.

The order is the security of the whole: head, drain, Host, same origin, then the wiki and its actor as values.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import trio

from proxy import guard
from proxy.asgi import App, Headers, Message, Receive, Scope, Send, values_of
from proxy.hosts import Host, OwnDomain, Place, PlatformHost, UnknownHost, WikiHost, parse_host, split_host
from proxy.router import Route, classify
from robot.access import may
from robot.actors import Actors, BadCredential
from robot.address import PublicAddress
from robot.answers import REQUEST_ID, answer, answer_html, answer_json, answer_text, request_id_of, wants_html
from robot.canonical import leads_home, redirect_for_good
from robot.challenge import unauthorized
from robot.db import Database, DatabaseError
from robot.git.challenge import refuse_credentials
from robot.model import Action, Actor, Visibility, Wiki, WikiRequest
from robot.oauth.cross_origin import OPEN_PATHS, serve_any_origin
from robot.oauth.metadata import Document, document_at
from robot.oauth.well_known import answer_document
from robot.second_look import judged_at_its_end
from robot.too_often import answer_too_often
from robot.traffic import Traffic
from robot.web.ask import ASK_PATH
from robot.web.errors import render_error
from robot.wikis import find_wiki, find_wiki_at

log = logging.getLogger(__name__)

LOADING_PATIENCE_S = 10.0
"""How long a request waits for the doors of a core that has just started."""

_CODES = {403: "forbidden", 408: "request_timeout", 413: "body_too_large"}
_TITLES = {
    400: "This request cannot be read",
    403: "Refused",
    404: "There is no wiki here",
    421: "This is another host",
    503: "Back in a moment",
}
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

    def of_wiki(self, route: Route, path: str) -> App:
        """The door on a wiki's host to what is at `path`."""
        match route:
            case Route.MCP:
                return self.mcp
            case Route.API:
                return self.rest
            case Route.AUTH:
                return self.wiki_auth
            case Route.GIT:
                return self.git
            case _:
                return self.static if path.startswith("/static/") else self.pages


_OurPlace = PlatformHost | WikiHost | OwnDomain


@dataclass(frozen=True, slots=True)
class _Addressed:
    """The wiki that a request is for, the origin that it came to, and the kind of its path."""

    wiki: Wiki
    origin: str
    route: Route


@dataclass(frozen=True, slots=True)
class BodySizes:
    """The largest request bodies that are read, in bytes."""

    usual: int
    push: int

    def of(self, route: Route) -> int:
        return self.push if route is Route.GIT else self.usual


class Front:
    """Joins the doors. It answers from the first moment; doors are added once they are loaded."""

    def __init__(
        self, address: PublicAddress, db: Database, actors: Actors, sizes: BodySizes, traffic: Traffic
    ) -> None:
        self._address = address
        self._db = db
        self._actors = actors
        self._sizes = sizes
        self._traffic = traffic
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
        actor = None if wiki is None else self._actor(scope["headers"], wiki, classify(scope["raw_path"]))
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
        scope[REQUEST_ID] = secrets.token_hex(8)
        route = classify(scope["raw_path"])
        try:
            paced = guard.PacedReceive(receive, max_bytes=self._sizes.of(route))
            with _ungrouped():
                await self._route(scope, paced, started, route)
        except guard.BodyRefused as error:
            if started.yes:
                raise
            code = _CODES.get(error.status, "bad_request")
            await self._page(scope, started, error.status, code, "The request was not taken", f"{error}.")
        except DatabaseError as error:
            log.warning("request %s: database: %s", scope[REQUEST_ID], error)
            if started.yes:
                raise
            await self._page(scope, started, 503, "unavailable", "Not available for a moment", "Please try again.")
        except Exception:
            log.exception("request %s failed", scope[REQUEST_ID])
            if started.yes:
                raise
            sentence = "This host made a mistake. What was saved before is safe."
            await self._page(scope, started, 500, "internal_error", "Something went wrong", sentence)

    async def _route(self, scope: Scope, receive: Receive, send: Send, route: Route) -> None:
        headers: Headers = scope["headers"]
        problem = guard.malformed(scope)
        host = parse_host(headers)
        if problem is not None or host is None:
            sentence = problem or "the Host header is missing, repeated or malformed"
            await _say(scope, send, 400, "bad_request", f"Bad request: {sentence}.", (b"connection", b"close"))
            return
        place = self._place_of(host, scope)
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
        elif route is Route.WELL_KNOWN and (document := self._document(scope, place)) is not None:
            await answer_document(scope, send, document)
        else:
            guard.check_declared_length(headers, self._sizes.of(route))
            await self._inside(scope, receive, send, place, route)

    async def _inside(self, scope: Scope, receive: Receive, send: Send, place: _OurPlace, route: Route) -> None:
        """A well-formed request to one of our hosts."""
        doors = await self._wait_for_doors()
        if doors is None:
            await _say(scope, send, 503, "unavailable", "Starting; try again.", _SHORTLY)
            return
        origin = self._address.origin_at(place)
        if isinstance(place, PlatformHost) and scope["path"] in OPEN_PATHS:
            await serve_any_origin(doors.platform, scope, receive, send)
        elif not guard.same_origin_ok(scope["method"], scope["headers"], origin):
            sentence = "A form or script of another site sent this request, so nothing was done."
            await self._page(scope, send, 403, "cross_site", "Refused", sentence)
        elif isinstance(place, PlatformHost):
            await doors.platform(scope, receive, send)
        else:
            wiki = find_wiki_at(self._db, place) or missing_wiki(place)
            await self._wiki(scope, receive, send, doors, _Addressed(wiki, origin, route))

    async def _wiki(self, scope: Scope, receive: Receive, send: Send, doors: Doors, addressed: _Addressed) -> None:
        wiki, origin, route = addressed.wiki, addressed.origin, addressed.route
        headers: Headers = scope["headers"]
        if is_service_worker(headers):
            await _say(scope, send, 403, "forbidden", "Wikis have no service workers.")
            return
        is_call = route in (Route.MCP, Route.API, Route.GIT)
        actor = self._actor(headers, wiki, route)
        # A token in an address ends up in logs and histories; whoever sends one is to notice (RFC 6750, section 5.3).
        if isinstance(actor, BadCredential) or (is_call and has_token_in_query(scope["query_string"])):
            wait_s = self._traffic.refuse_credential(scope, wiki.slug, route)
            if wait_s:
                await answer_too_often(scope, receive, send, route, wait_s)
            else:
                await _refuse(send, origin, route)
            return
        request = scope["robot.request"] = WikiRequest(wiki, actor, origin, request_id_of(scope))
        wait_s = self._traffic.wait(scope, route, request)
        if wait_s:
            await answer_too_often(scope, receive, send, route, wait_s)
            return
        if route is Route.WELL_KNOWN:
            await answer_json(send, 404, {"error": "There is nothing at this address.", "code": "not_found"})
            return
        door = doors.of_wiki(route, scope["path"])
        if door is doors.pages and leads_home(scope, request):
            await redirect_for_good(send, request.home, scope)
        else:
            # git unpacks what it was sent before it writes, and asks by itself then.
            await door(scope, receive if route is Route.GIT else self._judged_at_its_end(scope, receive), send)

    def _judged_at_its_end(self, scope: Scope, receive: Receive) -> Receive:
        """The body, as long as its sender may do what they may now."""
        asked: WikiRequest = scope["robot.request"]
        allowed = [action for action in (Action.READ, Action.WRITE) if may(asked.actor, action, asked.wiki)]

        def is_let_in_still() -> bool:
            now = self.judge_again(scope)
            return now is not None and all(may(now.actor, action, now.wiki) for action in allowed)

        return judged_at_its_end(receive, is_let_in_still) if allowed else receive

    def _actor(self, headers: Headers, wiki: Wiki, route: Route) -> Actor | BadCredential:
        match route:
            case Route.MCP | Route.API:
                return self._actors.of_caller(headers, wiki)
            case Route.GIT:
                return self._actors.of_git(headers, wiki)
            case _:
                return self._actors.of_browser(headers, wiki)

    def _document(self, scope: Scope, place: _OurPlace) -> Document | None:
        """The metadata that clients of the authorization server look for, which needs no credential and no wiki."""
        return document_at(scope["path"], self._address, place)

    def _place_of(self, host: Host, scope: Scope) -> Place:
        """What the host is to us at this moment: a foreign domain is one of ours only while it is a wiki's own."""
        place = split_host(host, self._address.domain)
        if host.name in _LOOPBACK and scope["path"] == ASK_PATH:
            return PlatformHost()  # Caddy asks by address: it may not be able to resolve our name
        if isinstance(place, OwnDomain) and find_wiki_at(self._db, place) is None:
            return UnknownHost()
        return place

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
            await answer_html(send, status, render_error(status, title, sentence, request_id=request_id_of(scope)))
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


@contextmanager
def _ungrouped() -> Iterator[None]:
    """Raise what alone went wrong as itself: Quart reads a body in a nursery, which groups even a single failure."""
    try:
        yield
    except ExceptionGroup as group:
        error: Exception = group
        while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if error is group:
            raise
        raise error from group


def _is_of_api(scope: Scope) -> bool:
    """Whether the API is meant, whose every answer is JSON; also by an address that is refused."""
    raw_path: bytes = scope["raw_path"]
    return raw_path == b"/api/v1" or raw_path.startswith(b"/api/v1/")


async def _say(scope: Scope, send: Send, status: int, code: str, sentence: str, *headers: tuple[bytes, bytes]) -> None:
    """A sentence for clients that are mostly no browsers: JSON under the API, text elsewhere, a page for browsers."""
    if _is_of_api(scope):
        await answer_json(send, status, {"error": sentence, "code": code}, *headers)
    elif wants_html(scope["headers"]):
        page = render_error(status, _TITLES[status], sentence, request_id=request_id_of(scope))
        await answer_html(send, status, page, *headers)
    else:
        await answer_text(send, status, sentence, *headers)


def missing_wiki(place: WikiHost | OwnDomain) -> Wiki:
    """A private wiki in which nobody has a role stands for a missing one, so that strangers cannot tell them apart."""
    slug = place.slug if isinstance(place, WikiHost) else place.name
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
