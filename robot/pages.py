"""The door to a wiki's own pages: who may read gets what the wiki's worker says, which is woken if need be."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from proxy.asgi import Headers, Receive, Scope, Send, values_of
from proxy.edge import Edge
from proxy.forward import Forwarder
from proxy.guard import is_sent_by_another_page
from proxy.headers import to_client, to_worker
from proxy.upstream import Upstream, UpstreamError
from robot.access import may
from robot.address import PublicAddress
from robot.answers import answer_html, answer_text, redirect, wants_html
from robot.finished import Phase
from robot.kept_save import is_save, kept_save_page
from robot.model import Action, Actor, Anonymous, Person, Wiki, WikiRequest
from robot.page_cache import Asked, PageCache, Recorder
from robot.recent_pages import RecentPages
from robot.underway import measured
from robot.web.errors import render_error, render_waking
from wikihost.fleet import Fleet, FleetStopping, HostedWiki, StillWaking, WorkerBroken
from wikihost.layout import DataDir
from wikihost.worker_protocol import (
    ELSEWHERE_HEADER,
    FROZEN_HEADER,
    MADE_AT_HEADER,
    PAGE_HEADER,
    RECENT_HEADER,
    ROLE_HEADER,
)

log = logging.getLogger(__name__)

_MOST_HOSTED = 512


@dataclass(frozen=True, slots=True)
class _Visit:
    """One request of somebody who may read; `asked` is None where only the worker can answer."""

    request: WikiRequest
    hosted: HostedWiki
    identity: Mapping[str, str]
    asked: Asked | None


class WikiPages:
    """Answers people from the page cache, else forwards their requests to workers, as who they are."""

    def __init__(
        self, fleet: Fleet, forwarder: Forwarder, data: DataDir, address: PublicAddress, cache: PageCache
    ) -> None:
        self._fleet = fleet
        self._forwarder = forwarder
        self._data = data
        self._address = address
        self._cache = cache
        self._recent = RecentPages()
        self._hosted = lru_cache(_MOST_HOSTED)(self._make_hosted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request on a wiki host; `scope["robot.request"]` says which wiki and who asks."""
        request: WikiRequest = scope["robot.request"]
        if not may(request.actor, Action.READ, request.wiki):
            await _refuse(scope, receive, send, request, self._address)
            return
        hosted = self._hosted(request.wiki)
        identity = identity_of(request.actor, request.wiki, self._address)
        asked = self._cache.ask(scope, request.origin, hosted, identity)
        kept = None if asked is None else self._cache.find(asked)
        if asked is not None and kept is not None:
            self._note_page(request, kept.page)
            await kept.send(send, head_only=scope["method"] == "HEAD", none_match=asked.none_match)
        else:
            await self._ask_worker(scope, receive, send, _Visit(request, hosted, identity, asked))

    async def _ask_worker(self, scope: Scope, receive: Receive, send: Send, visit: _Visit) -> None:
        request = visit.request
        recorder = None
        if visit.asked is not None and scope["method"] == "GET":
            recorder = Recorder(self._cache, visit.asked, send)
        try:
            await self._forward(scope, receive, send, visit, recorder)
        except StillWaking as error:
            await _waking(scope, send, request, error.retry_after_s)
        except WorkerBroken as error:
            log.warning("the wiki is broken: %s", error.reason)
            await _broken(send, request, error)
        except FleetStopping:
            await _apologise(send, request, 503, "This host is restarting", 2)
        except UpstreamError as error:
            log.warning("the worker did not answer: %s", error)
            # A response that has begun is left unfinished: the connection closes, and the client sees that it is cut.
            if not error.response_started or (recorder is not None and recorder.holds):
                await _apologise(send, request, error.status, "The wiki did not answer", 1)

    async def _forward(
        self, scope: Scope, receive: Receive, send: Send, visit: _Visit, recorder: Recorder | None
    ) -> None:
        edge = self._edge(scope, visit.request)
        working = ExitStack()  # left when the answer begins, or never comes

        @asynccontextmanager
        async def lease() -> AsyncIterator[Upstream]:
            async with AsyncExitStack() as held:
                with measured(Phase.WAKE):
                    worker = await held.enter_async_context(self._fleet.lease(visit.hosted))
                with working:
                    working.enter_context(measured(Phase.WORKER))
                    yield worker

        def response_headers(headers: Headers) -> Headers:
            working.close()
            page = _said(headers, PAGE_HEADER)
            self._note_page(visit.request, page)
            if recorder is not None:
                recorder.hear(_said(headers, MADE_AT_HEADER), page)
            return to_client(headers, edge)

        seen = scope["headers"] if visit.asked is None else visit.asked.headers
        await self._forwarder.forward(
            scope,
            receive,
            send if recorder is None else recorder.send,
            lease=lease,
            request_headers=to_worker(seen, edge, {**visit.identity, **self._told_of(scope, visit.request)}),
            response_headers=response_headers,
        )

    def _note_page(self, request: WikiRequest, page: str) -> None:
        """Remember what somebody saw who can make pages beside it."""
        if page and isinstance(request.actor, Person) and may(request.actor, Action.WRITE, request.wiki):
            self._recent.note(request.actor.user, request.wiki, page)

    def _told_of(self, scope: Scope, request: WikiRequest) -> Mapping[str, str]:
        """What a worker is told of a request, whose own headers it may not see."""
        elsewhere = {ELSEWHERE_HEADER: "yes"} if is_sent_by_another_page(scope["headers"]) else {}
        return {**elsewhere, **self._recent_pages(scope, request)}

    def _recent_pages(self, scope: Scope, request: WikiRequest) -> Mapping[str, str]:
        """What the forms that make and move pages are told."""
        is_form = scope["path"] == "/-/create" or scope["path"].rstrip("/").endswith("/rename")
        if not is_form or not isinstance(request.actor, Person):
            return {}
        return {RECENT_HEADER: " ".join(self._recent.of(request.actor.user, request.wiki))}

    def _make_hosted(self, wiki: Wiki) -> HostedWiki:
        return HostedWiki(
            wiki_id=wiki.id,
            home=self._data.wiki(wiki.id),
            site_name=wiki.name,
            description=wiki.description,
            platform_url=f"{self._address.platform_origin}/app/wiki/{wiki.slug}",
        )

    def _edge(self, scope: Scope, request: WikiRequest) -> Edge:
        """How the request reached us: by the settings, never by what a client says of itself."""
        peer = scope.get("client")
        host = request.origin.partition("://")[2]
        return Edge(self._address.scheme, host, peer[0] if peer else None, request.request_id)


def _said(headers: Headers, name: str) -> str:
    """What a worker says to core in a header of that name; nothing when it does not."""
    return "".join(value.decode("latin-1") for value in values_of(headers, name.encode("ascii")))


def identity_of(actor: Actor, wiki: Wiki, address: PublicAddress) -> Mapping[str, str]:
    """What a worker is told of the person: Otter Wiki's proxy headers (AUTH_METHOD=PROXY_HEADER).

    In a frozen wiki nobody administers Otter Wiki either: its preferences are a part of what is to stay as it is.
    """
    permissions = [
        permission
        for action, granted in (
            (Action.READ, ("READ",)),
            (Action.WRITE, ("WRITE", "UPLOAD")),
            (Action.ADMINISTER, ("ADMIN",)),
        )
        if may(actor, action, wiki) and not (wiki.is_frozen and action is Action.ADMINISTER)
        for permission in granted
    ]
    identity = {"x-otterwiki-permissions": ",".join(permissions)}
    if wiki.is_frozen:
        identity[FROZEN_HEADER] = "1"
    if isinstance(actor, Person):
        identity["x-otterwiki-name"] = actor.user.display_name
        identity["x-otterwiki-email"] = f"{actor.user.name}@users.{address.domain}"
        if actor.role is not None:
            identity[ROLE_HEADER] = actor.role.value
    return identity


async def _refuse(scope: Scope, receive: Receive, send: Send, request: WikiRequest, address: PublicAddress) -> None:
    """Send a browser to sign in; tell everybody else that there is nothing, as for a wiki that does not exist."""
    if not wants_html(scope["headers"]):
        await answer_text(send, 404, "There is no such wiki, or you may not read it.")
    elif isinstance(request.actor, Anonymous):
        kept = await kept_save_page(scope, receive) if is_save(scope) else None
        if kept is not None:
            await answer_html(send, 403, kept)
            return
        path = scope["raw_path"].decode("ascii")
        if scope["query_string"]:
            path += "?" + scope["query_string"].decode("latin-1")
        await redirect(send, f"/auth/start?next={quote(path if scope['method'] == 'GET' else '/', safe='')}")
    else:
        sentence = "There is no such wiki, or you have no role in it. Ask its owner to invite you."
        links = [("My wikis", f"{address.platform_origin}/app/")]
        await answer_html(send, 404, render_error(404, "Not found", sentence, "", links=links))


async def _broken(send: Send, request: WikiRequest, error: WorkerBroken) -> None:
    """The owner is told the reason; others only that it is not their fault."""
    sentence = "This wiki keeps failing to start. Its pages are safe, and the host tries again by itself."
    if may(request.actor, Action.ADMINISTER, request.wiki):
        sentence += f" The reason: {error.reason}."
    page = render_error(503, "This wiki is out of order", sentence, request_id=request.request_id)
    await answer_html(send, 503, page, (b"retry-after", b"30"))


async def _waking(scope: Scope, send: Send, request: WikiRequest, retry_after_s: int) -> None:
    """The wiki is not up yet. A page that was asked for loads itself anew; a form must be sent again by hand."""
    retry = (b"retry-after", str(retry_after_s).encode())
    if scope["method"] == "GET":
        await answer_html(send, 503, render_waking(request.wiki.name, retry_after_s), retry)
    else:
        await _apologise(send, request, 503, "The wiki is waking up", retry_after_s)


async def _apologise(send: Send, request: WikiRequest, status: int, title: str, retry_after_s: int) -> None:
    """A short trouble: say so, and when to try again."""
    sentence = "Nothing that was saved is lost. Please try again in a moment."
    page = render_error(status, title, sentence, request_id=request.request_id)
    await answer_html(send, status, page, (b"retry-after", str(retry_after_s).encode()))
