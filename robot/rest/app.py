"""The REST application: who may, what fails how, and which page a path means."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from proxy.asgi import Headers
from robot import access
from robot.activity import Witness
from robot.challenge import insufficient_scope, unauthorized
from robot.contents import Contents
from robot.model import Action, Anonymous
from robot.rest import about, attachments, pages, refusals, searching, undoing, wiki
from robot.rest.about import AboutRoutes
from robot.rest.answers import answer
from robot.rest.attachments import MAX_JSON_BYTES, AttachmentRoutes
from robot.rest.bodies import Bodies, wiki_request
from robot.rest.changing import Changing
from robot.rest.downloads import Downloads
from robot.rest.inflow import Inflow
from robot.rest.operations import Access, add_routes
from robot.rest.pages import PageRoutes
from robot.rest.reach import CallersContents
from robot.rest.refusals import Refused
from robot.rest.searching import SearchRoutes
from robot.rest.shapes import ErrorAnswer
from robot.rest.undoing import UndoRoutes
from robot.rest.wiki import WikiRoutes
from robot.rest.witnessing import remember_outcome, witness_requests
from robot.search.values import SearchError
from wikihost.errors import FROZEN, ContentError

if TYPE_CHECKING:
    from robot.search.service import SearchService

log = logging.getLogger(__name__)

OPERATIONS = (
    *pages.OPERATIONS,
    *attachments.OPERATIONS,
    *wiki.OPERATIONS,
    *undoing.OPERATIONS,
    *searching.OPERATIONS,
    *about.OPERATIONS,
)


class RestApp(QuartTrio):
    """Quart, but routing on the raw path, and with backpressure."""

    async def asgi_app(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http":
            inflow = Inflow(receive)
            receive = inflow.receive
            scope = cast("HTTPScope", {**scope, **inflow.scope(), "path": routable_path(scope["raw_path"])})
        await super().asgi_app(scope, receive, send)


def create_rest_app(
    *, contents: Contents, search: SearchService, domain: str, spool: Path, witness: Witness
) -> QuartTrio:
    """The application for `/api/v1/*` of every wiki host; the front puts a `WikiRequest` into the scope.

    Bodies that are too large to keep in memory wait in nameless files in the folder `spool`.
    """
    app = RestApp(__name__, static_folder=None, template_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_JSON_BYTES, PROVIDE_AUTOMATIC_OPTIONS=False)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    reached, bodies = CallersContents(contents), Bodies(spool)
    changing = Changing(reached, domain)
    add_routes(app, pages.OPERATIONS, PageRoutes(reached, changing, bodies))
    add_routes(app, attachments.OPERATIONS, AttachmentRoutes(reached, changing, bodies, Downloads(spool)))
    add_routes(app, wiki.OPERATIONS, WikiRoutes(reached))
    add_routes(app, undoing.OPERATIONS, UndoRoutes(changing))
    add_routes(app, searching.OPERATIONS, SearchRoutes(reached, search))
    add_routes(app, about.OPERATIONS, AboutRoutes(OPERATIONS))
    _guard(app)
    _answer_errors(app)
    witness_requests(app, witness)
    return app


def _guard(app: QuartTrio) -> None:
    """Check each request's access before its handler runs; an address that is none is for readers."""
    needed: Mapping[str | None, Access] = {operation.id: operation.access for operation in OPERATIONS}

    async def check() -> Response | None:
        if request.method == "OPTIONS" and isinstance(error := request.routing_exception, MethodNotAllowed):
            # What an address takes, for anybody: that says nothing of the wiki.
            return Response(b"", 204, {**_allow(error), "Cache-Control": "no-cache"})
        return _check_access(needed.get(request.endpoint, Access.READER))

    app.before_request(check)


def _check_access(needed: Access) -> Response | None:
    asked = wiki_request()
    action = Action.WRITE if needed is Access.WRITER else Action.READ
    if needed is Access.ANYONE:
        return None
    if access.may(asked.actor, action, asked.wiki) and not (
        needed is Access.TOKEN and isinstance(asked.actor, Anonymous)
    ):
        return None
    if isinstance(asked.actor, Anonymous):
        return _challenge(*unauthorized(asked.origin, token_sent=False))
    if asked.wiki.is_frozen and access.may(asked.actor, Action.READ, asked.wiki):
        return answer(403, {"error": FROZEN, "code": "frozen"})
    if access.may_once_granted(asked.actor, action, asked.wiki):
        return _challenge(*insufficient_scope(asked.origin))
    return answer(403, {"error": f"You may not {action} this wiki with this token.", "code": "forbidden"})


def _challenge(status: int, headers: Headers, body: bytes) -> Response:
    return Response(body, status, {name.decode(): value.decode() for name, value in headers})


def _allow(error: MethodNotAllowed) -> dict[str, str]:
    return {"Allow": ", ".join(sorted({*(error.valid_methods or ()), "OPTIONS"}))}


def _answer_errors(app: QuartTrio) -> None:
    """Register one handler for each family of errors; all answers are JSON."""

    async def content_error(error: ContentError) -> Response:
        return _failure(*refusals.of_content(error))

    async def search_error(error: SearchError) -> Response:
        return _failure(*refusals.of_search(error))

    async def refused(error: Refused) -> Response:
        return _failure(error.status, {"error": str(error), "code": error.code}, error.headers)

    async def http_error(error: HTTPException) -> Response:
        status, body = refusals.of_http(error.code or 500)
        return _failure(status, body, _allow(error) if isinstance(error, MethodNotAllowed) else None)

    async def unexpected(error: Exception) -> Response:
        log.error("the request failed", exc_info=error)
        return answer(500, {"error": "Something broke here; it has been recorded.", "code": "internal_error"})

    app.register_error_handler(ContentError, content_error)
    app.register_error_handler(SearchError, search_error)
    app.register_error_handler(Refused, refused)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, unexpected)


def _failure(status: int, body: ErrorAnswer, headers: Mapping[str, str] | None = None) -> Response:
    remember_outcome(status, body)
    return answer(status, body, headers)


def routable_path(raw_path: bytes) -> str:
    """The path decoded segment by segment, so that an escaped slash never becomes a separator.

    `/pages/Foo%2Fhistory` is the page "Foo/history", whatever `/pages/Foo/history` may come to mean. Within a
    segment `/` and `%` stay escaped; a handler undoes that with one `unquote`. Bytes that are no UTF-8 become U+FFFD.
    """
    segments = (unquote(segment) for segment in raw_path.decode("latin-1").split("/"))
    return "/".join(segment.replace("%", "%25").replace("/", "%2F") for segment in segments)
