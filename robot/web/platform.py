"""The application of the platform host: its pages joined, its headers, its errors."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from quart import Blueprint, Response, redirect, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.accounts import AccountSuspended
from robot.address import PublicAddress
from robot.client_address import LOOPBACK, ClientNetworks, asks_directly
from robot.db import Database, DatabaseBusy, DatabaseFull
from robot.limits import Limited, Limits
from robot.web.answers import error_page
from robot.web.ask import ASK_PATH, is_served
from robot.web.limiting import limit_requests
from robot.web.page import SECURITY_HEADERS, STRICT_TRANSPORT, compile_templates, render
from robot.web.site import Site
from robot.web.statics import STATIC_FILES
from robot.web.visitor import LEAVING_PATH, AccountLeaving, NoSuchWiki, OwnersOnly, SignInNeeded, WikiTakenDown
from wikihost.errors import QuotaExceeded, StorageFailed, StorageFull

log = logging.getLogger(__name__)

# The forms are small: guidance for agents, 4,000 characters, is the longest field.
MAX_FORM_BYTES = 64 * 1024
FORM_DEADLINE_S = 15

_SENTENCES = {
    400: ("This request cannot be read", "The browser sent something that this page does not understand."),
    403: ("You may not do this", "This account may not do it."),
    404: ("There is nothing here", "No page of this host has this address."),
    405: ("Not like this", "This address does not take that kind of request."),
    408: ("This took too long", "The form did not arrive in time."),
    413: ("This is too large", "The form holds more than this page takes."),
    500: ("Something went wrong", "This host made a mistake. What was saved before is safe."),
}


def create_platform_app(
    site: Site, pages: Iterable[Blueprint], limits: Limits, networks: ClientNetworks, *, contact: str = ""
) -> QuartTrio:
    """Build the application of `pages`, as `robot.web.all_pages` makes them.

    `contact` is how people reach the operator. It needs no lifespan; the caller refuses cross-site requests before it
    is reached.
    """
    compile_templates()
    app = new_app("robot.platform", site.address)
    limit_requests(app, limits, networks, site.sessions)
    _read_forms_first(app)
    for each in pages:
        app.register_blueprint(each)
    _add_barred(app, site.address, contact)
    _add_statics(app)
    _add_ask(app, site.db, site.address, limits)
    return app


class _App(QuartTrio):
    """An application whose failures are found in the log by what their page shows."""

    def log_exception(self, exception_info: Any) -> None:
        log.error("the request failed", exc_info=exception_info)


def new_app(name: str, address: PublicAddress) -> QuartTrio:
    """An application with this host's limits, error pages and headers, and no pages."""
    app = _App(name, static_folder=None, template_folder=None, root_path="/nonexistent")
    app.config["MAX_CONTENT_LENGTH"] = MAX_FORM_BYTES
    app.config["BODY_TIMEOUT"] = FORM_DEADLINE_S
    _add_headers(app, SECURITY_HEADERS | _transport_header(address))
    _add_error_pages(app)
    return app


def _read_forms_first(app: QuartTrio) -> None:
    @app.before_request
    async def read_form() -> None:
        # Pages ask who sent it before they read it, and it may be long on its way.
        if request.method == "POST":
            await request.form


def _add_statics(app: QuartTrio) -> None:
    @app.get("/static/<name>")
    async def static_file(name: str) -> Response:
        file = STATIC_FILES.get(name)
        if file is None:
            return error_page(404, *_SENTENCES[404])
        answer = Response(file.content, content_type=file.content_type)
        is_versioned = request.args.get("v") == file.version
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_versioned else "no-cache"
        return answer


def _add_barred(app: QuartTrio, address: PublicAddress, contact: str) -> None:
    """What people see who have an account or a role, and are kept out by the operator or their own will."""

    @app.errorhandler(AccountSuspended)
    async def suspended(error: AccountSuspended) -> tuple[str, int]:
        return render("suspended.html", user=None, domain=address.domain, why=str(error), contact=contact), 403

    @app.errorhandler(WikiTakenDown)
    async def taken_down(error: WikiTakenDown) -> tuple[str, int]:
        return render("taken_down.html", user=error.user, here="wikis", wiki=error.wiki, contact=contact), 403

    @app.errorhandler(AccountLeaving)
    async def leaving(_: AccountLeaving) -> WerkzeugResponse:
        return redirect(LEAVING_PATH, 303)


def _add_ask(app: QuartTrio, db: Database, address: PublicAddress, limits: Limits) -> None:
    @app.get(ASK_PATH)
    async def ask() -> tuple[str, int]:
        if not asks_directly(dict(request.scope), LOOPBACK):
            return "", 404
        if is_served(db, address, request.args.get("domain", "")):
            return "", 200
        # Only these count: whoever has Caddy ask about made-up names stands in no wiki's way.
        limits.demand(Limited.CERTIFICATE)
        return "", 404


def _add_headers(app: QuartTrio, headers: Mapping[str, str]) -> None:
    @app.after_request
    async def add_headers(answer: Response) -> Response:
        for name, value in headers.items():
            answer.headers.setdefault(name, value)
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer


def _transport_header(address: PublicAddress) -> dict[str, str]:
    return {"Strict-Transport-Security": STRICT_TRANSPORT} if address.scheme == "https" else {}


def _add_error_pages(app: QuartTrio) -> None:
    @app.errorhandler(SignInNeeded)
    async def sign_in_first(error: SignInNeeded) -> WerkzeugResponse:
        return redirect(error.address, 303)

    @app.errorhandler(NoSuchWiki)
    async def no_such_wiki(_: NoSuchWiki) -> Response:
        sentence = "Either it does not exist, or this account has no role in it."
        return error_page(404, "There is no such wiki for you", sentence, "Check the address, or ask its owner.")

    @app.errorhandler(OwnersOnly)
    async def owners_only(_: OwnersOnly) -> Response:
        return error_page(403, "You may not do this", "Only an owner of a wiki does this.", "Ask one of its owners.")

    @app.errorhandler(DatabaseBusy)
    async def busy(_: DatabaseBusy) -> Response:
        return error_page(503, "Busy for a moment", "Somebody else's change took too long; yours was not made.")

    @app.errorhandler(DatabaseFull)
    @app.errorhandler(StorageFull)
    async def disk_full(_: Exception) -> Response:
        return error_page(507, "The disk is full", "This host has no room left, so your change was not made.")

    @app.errorhandler(QuotaExceeded)
    async def over_quota(error: QuotaExceeded) -> Response:
        return error_page(413, "This does not fit", f"{error} Nothing was changed.")

    @app.errorhandler(StorageFailed)
    async def disk_failed(_: StorageFailed) -> Response:
        return error_page(500, "The disk failed", "Your change was not made.")

    @app.errorhandler(HTTPException)
    async def refused(error: HTTPException) -> Response | WerkzeugResponse:
        status = error.code or 500
        if status < 400:  # a redirect to the spelling with a slash at the end
            return error.get_response()
        title, sentence = _SENTENCES.get(status, (HTTPStatus(status).phrase, "Something on this host went wrong."))
        return error_page(status, title, sentence)
