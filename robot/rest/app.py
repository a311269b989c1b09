"""The REST application: who may, what fails how, and which page a path means."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from robot import access
from robot.contents import Contents
from robot.mcp.challenge import unauthorized
from robot.model import Action, Anonymous
from robot.rest import refusals
from robot.rest.answers import answer
from robot.rest.attachments import AttachmentRoutes
from robot.rest.bodies import wiki_request
from robot.rest.changing import Changing
from robot.rest.pages import PageRoutes
from robot.rest.refusals import Refused
from robot.rest.searching import SearchRoutes
from robot.rest.wiki import WikiRoutes
from robot.search.values import SearchError
from wikihost.errors import ContentError

if TYPE_CHECKING:
    from robot.search.service import SearchService

log = logging.getLogger(__name__)

# The largest attachment in base64, and what is around it.
MAX_BODY_BYTES = 15 * 1024 * 1024


class RestApp(QuartTrio):
    """Quart, but routing on the raw path."""

    async def asgi_app(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http":
            scope = cast("HTTPScope", {**scope, "path": routable_path(scope["raw_path"])})
        await super().asgi_app(scope, receive, send)


def create_rest_app(*, contents: Contents, search: SearchService, domain: str) -> QuartTrio:
    """The application for `/api/v1/*` of every wiki host; the front puts a `WikiRequest` into the scope."""
    app = RestApp(__name__, static_folder=None, template_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY_BYTES, PROVIDE_AUTOMATIC_OPTIONS=False)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.before_request(_check_access)
    _answer_errors(app)
    app.add_url_rule("/api/v1/health", "health", _health, methods=["GET"])
    changing = Changing(contents, domain)
    PageRoutes(contents, changing).add_to(app)
    AttachmentRoutes(contents, changing).add_to(app)
    WikiRoutes(contents).add_to(app)
    SearchRoutes(contents, search).add_to(app)
    return app


async def _health() -> Response:
    return answer(200, {"status": "ok"})


async def _check_access() -> Response | None:
    """Reading takes GET, all else writes: one rule for all routes, so that none can be forgotten."""
    if request.endpoint == "health":
        return None
    asked = wiki_request()
    action = Action.READ if request.method in ("GET", "HEAD") else Action.WRITE
    if access.may(asked.actor, action, asked.wiki):
        return None
    if isinstance(asked.actor, Anonymous):
        status, headers, body = unauthorized(asked.origin, token_sent=False)
        return Response(body, status, {name.decode(): value.decode() for name, value in headers})
    return answer(403, {"error": f"You may not {action} this wiki with this token.", "code": "forbidden"})


def _answer_errors(app: QuartTrio) -> None:
    """Register one handler for each family of errors; all answers are JSON."""

    async def content_error(error: ContentError) -> Response:
        return answer(*refusals.of_content(error))

    async def search_error(error: SearchError) -> Response:
        return answer(*refusals.of_search(error))

    async def refused(error: Refused) -> Response:
        return answer(error.status, {"error": str(error), "code": error.code}, error.headers)

    async def http_error(error: HTTPException) -> Response:
        status, body = refusals.of_http(error.code or 500)
        allow = dict(error.get_headers()).get("Allow")
        return answer(status, body, {"Allow": allow} if allow else None)

    async def unexpected(error: Exception) -> Response:
        log.error("request %s failed", wiki_request().request_id, exc_info=error)
        return answer(500, {"error": "Something broke here; it has been recorded.", "code": "internal_error"})

    app.register_error_handler(ContentError, content_error)
    app.register_error_handler(SearchError, search_error)
    app.register_error_handler(Refused, refused)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, unexpected)


def routable_path(raw_path: bytes) -> str:
    """The path decoded segment by segment, so that an escaped slash never becomes a separator.

    `/pages/Foo%2Fhistory` is the page "Foo/history", whatever `/pages/Foo/history` may come to mean. Within a
    segment `/` and `%` stay escaped; a handler undoes that with one `unquote`. Bytes that are no UTF-8 become U+FFFD.
    """
    segments = (unquote(segment) for segment in raw_path.decode("latin-1").split("/"))
    return "/".join(segment.replace("%", "%25").replace("/", "%2F") for segment in segments)
