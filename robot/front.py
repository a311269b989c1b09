"""The ASGI application that everything comes through: which host, which door, who is asking.

The order is the security of the whole: head, drain, Host, same origin, then the wiki and its actor as values.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import trio

from proxy import guard
from proxy.asgi import App, Headers, Receive, Scope, Send, values_of
from proxy.hosts import Host, OwnDomain, Place, PlatformHost, UnknownHost, WikiHost, parse_host, split_host
from proxy.router import Route, classify
from robot.access import may
from robot.actors import Actors, BadCredential
from robot.address import PublicAddress
from robot.answers import REQUEST_ID, answer, answer_failure, answer_json, answer_sentence, request_id_of
from robot.canonical import leads_home, redirect_for_good
from robot.challenge import unauthorized
from robot.client_address import ClientNetworks, is_address
from robot.db import Database, DatabaseError
from robot.exchange import Exchange
from robot.finished import Face, Observer, Phase
from robot.git.challenge import refuse_credentials
from robot.model import Action, Actor, Visibility, Wiki, WikiRequest
from robot.oauth.cross_origin import OPEN_PATHS, serve_any_origin
from robot.oauth.metadata import Document, document_at
from robot.oauth.well_known import answer_document
from robot.second_look import judged_at_its_end
from robot.too_often import answer_too_often
from robot.traffic import Traffic
from robot.underway import Underway, begin, measured, note_actor, note_face, note_wiki
from robot.web.ask import ASK_PATH
from robot.wikis import find_wiki, find_wiki_at

log = logging.getLogger(__name__)

LOADING_PATIENCE_S = 10.0
"""How long a request waits for the doors of a core that has just started."""

_CODES = {403: "forbidden", 408: "request_timeout", 413: "body_too_large"}
_GIVEN_NAME = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_SHORTLY = (b"retry-after", b"2")


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
    health: App

    def of_wiki(self, route: Route, path: str) -> tuple[Face, App]:
        """The door on a wiki's host to what is at `path`, and what it is called."""
        match route:
            case Route.MCP:
                return Face.MCP, self.mcp
            case Route.API:
                return Face.REST, self.rest
            case Route.AUTH:
                return Face.AUTH, self.wiki_auth
            case Route.GIT:
                return Face.GIT, self.git
            case _ if path.startswith("/static/"):
                return Face.STATIC, self.static
            case _:
                return Face.PAGES, self.pages


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
        self,
        address: PublicAddress,
        db: Database,
        actors: Actors,
        sizes: BodySizes,
        traffic: Traffic,
        networks: ClientNetworks,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._address = address
        self._db = db
        self._actors = actors
        self._sizes = sizes
        self._traffic = traffic
        self._networks = networks
        self._observers = observers
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
        request = Underway(self._name(scope))
        scope[REQUEST_ID] = request.request_id
        exchange = Exchange(request, receive, send)
        with begin(request):
            try:
                await self._answer(scope, exchange)
            finally:
                exchange.tell(self._observers, scope, self._networks.of(scope))

    def _name(self, scope: Scope) -> str:
        """What the request is called in the log: as the proxy before us calls it, if that is one of ours."""
        given = values_of(scope["headers"], b"x-request-id")
        if len(given) == 1 and _GIVEN_NAME.fullmatch(given[0]) and self._networks.trusts_sender(scope):
            return given[0].decode("ascii")
        return secrets.token_hex(8)

    async def _answer(self, scope: Scope, exchange: Exchange) -> None:
        """Answer in any case; what goes wrong after the answer began ends the connection."""
        route = classify(scope["raw_path"])
        send = exchange.send
        try:
            paced = guard.PacedReceive(exchange.receive, max_bytes=self._sizes.of(route))
            with _ungrouped():
                await self._route(scope, paced, send, route)
        except guard.BodyRefused as error:
            if exchange.has_begun:
                raise
            code = _CODES.get(error.status, "bad_request")
            await answer_failure(scope, send, error.status, code, "The request was not taken", f"{error}.")
        except DatabaseError as error:
            log.warning("the database failed: %s", error)
            if exchange.has_begun:
                raise
            await answer_failure(scope, send, 503, "unavailable", "Not available for a moment", "Please try again.")
        except Exception:
            log.exception("the request failed")
            if exchange.has_begun:
                raise
            sentence = "This host made a mistake. What was saved before is safe."
            await answer_failure(scope, send, 500, "internal_error", "Something went wrong", sentence)

    async def _route(self, scope: Scope, receive: Receive, send: Send, route: Route) -> None:
        headers: Headers = scope["headers"]
        problem = guard.malformed(scope)
        host = parse_host(headers)
        if problem is not None or host is None:
            sentence = problem or "the Host header is missing, repeated or malformed"
            await answer_sentence(
                scope, send, 400, "bad_request", f"Bad request: {sentence}.", (b"connection", b"close")
            )
            return
        place = self._place_of(host, scope)
        if route is Route.HEALTH and (isinstance(place, PlatformHost) or is_address(host.name)):
            note_face(Face.HEALTH)
            await self._health(scope, receive, send)
        elif self._draining:
            closing = (b"connection", b"close")
            await answer_sentence(scope, send, 503, "unavailable", "Restarting; try again.", _SHORTLY, closing)
        elif isinstance(place, UnknownHost):
            await self._unknown_host(scope, host, send)
        elif route is Route.REFUSED:
            sentence = "The address is spelled in an ambiguous way."
            await answer_failure(scope, send, 400, "bad_request", "This address cannot be read", sentence)
        elif route is Route.WELL_KNOWN and (document := self._document(scope, place)) is not None:
            note_face(Face.DOCUMENTS)
            await answer_document(scope, send, document)
        else:
            guard.check_declared_length(headers, self._sizes.of(route))
            await self._inside(scope, receive, send, place, route)

    async def _inside(self, scope: Scope, receive: Receive, send: Send, place: _OurPlace, route: Route) -> None:
        """A well-formed request to one of our hosts."""
        with measured(Phase.DOORS):
            doors = await self._wait_for_doors()
        if doors is None:
            await answer_sentence(scope, send, 503, "unavailable", "Starting; try again.", _SHORTLY)
            return
        if isinstance(place, PlatformHost):
            note_face(Face.PLATFORM)
        origin = self._address.origin_at(place)
        if isinstance(place, PlatformHost) and scope["path"] in OPEN_PATHS:
            await serve_any_origin(doors.platform, scope, receive, send)
        elif not guard.same_origin_ok(scope["method"], scope["headers"], origin):
            sentence = "A form or script of another site sent this request, so nothing was done."
            await answer_failure(scope, send, 403, "cross_site", "Refused", sentence)
        elif isinstance(place, PlatformHost):
            await doors.platform(scope, receive, send)
        else:
            found = find_wiki_at(self._db, place)
            note_wiki(found)
            wiki = found or missing_wiki(place)
            await self._wiki(scope, receive, send, doors, _Addressed(wiki, origin, route))

    async def _wiki(self, scope: Scope, receive: Receive, send: Send, doors: Doors, addressed: _Addressed) -> None:
        wiki, origin, route = addressed.wiki, addressed.origin, addressed.route
        headers: Headers = scope["headers"]
        face, door = doors.of_wiki(route, scope["path"])
        note_face(face)
        if is_service_worker(headers):
            await answer_sentence(scope, send, 403, "forbidden", "Wikis have no service workers.")
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
        note_actor(actor)
        request = scope["robot.request"] = WikiRequest(wiki, actor, origin, request_id_of(scope))
        wait_s = self._traffic.wait(scope, route, request)
        if wait_s:
            await answer_too_often(scope, receive, send, route, wait_s)
            return
        if route is Route.WELL_KNOWN:
            await answer_json(send, 404, {"error": "There is nothing at this address.", "code": "not_found"})
            return
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
        if is_address(host.name) and scope["path"] == ASK_PATH:
            return PlatformHost()  # Caddy asks by address: it may not be able to resolve our name
        if isinstance(place, OwnDomain) and find_wiki_at(self._db, place) is None:
            return UnknownHost()
        return place

    async def _wait_for_doors(self) -> Doors | None:
        if self._doors is None:
            with trio.move_on_after(LOADING_PATIENCE_S):
                await self._loaded.wait()
        return self._doors

    async def _health(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/healthz":
            await answer_json(send, 200, {"status": "ok"})
        elif self._draining or self._doors is None:
            await answer_json(send, 503, {"status": "stopping" if self._draining else "starting"})
        else:
            await self._doors.health(scope, receive, send)

    async def _unknown_host(self, scope: Scope, host: Host, send: Send) -> None:
        inside = host.name.endswith(f".{self._address.domain}")
        await answer_sentence(scope, send, 404 if inside else 421, "not_found", f"There is no wiki at {host.name}.")


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
