"""The application of the platform host: its pages joined, its headers, its errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from quart import Response, redirect, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.activity import Activity
from robot.address import PublicAddress
from robot.contents import Contents
from robot.db import Database, DatabaseBusy, DatabaseFull
from robot.imports.jobs import Imports
from robot.oauth.finding import Clients
from robot.oauth.old_clients import old_client_pages
from robot.oauth.registration_page import RegistrationLimits, registration_page
from robot.oauth.registrations import Registrations
from robot.oauth.requests import Requests
from robot.oauth.token_page import token_page
from robot.oauth.tokens import Lives
from robot.signin.sessions import Sessions
from robot.web.activity_pages import activity_pages
from robot.web.agent_pages import agent_pages
from robot.web.answers import error_page
from robot.web.ask import ASK_PATH, is_served, may_ask
from robot.web.consent_pages import consent_pages
from robot.web.create_pages import create_pages
from robot.web.dashboard import dashboard_page
from robot.web.export_pages import export_pages
from robot.web.handoff_page import handoff_page
from robot.web.import_pages import import_pages
from robot.web.index_pages import index_pages
from robot.web.index_status import Indexer
from robot.web.landing import landing_pages
from robot.web.link_pages import link_pages
from robot.web.page import SECURITY_HEADERS, STRICT_TRANSPORT, compile_templates
from robot.web.revoke_pages import revoke_pages
from robot.web.search_pages import Finder, search_pages
from robot.web.settings_pages import settings_pages
from robot.web.signin_pages import signin_pages
from robot.web.statics import STATIC_FILES
from robot.web.undo_pages import undo_pages
from robot.web.visitor import NoSuchWiki, SignInNeeded
from robot.web.wiki_pages import wiki_pages
from wikihost.errors import QuotaExceeded, StorageFailed, StorageFull
from wikihost.layout import DataDir
from wikihost.quota import Quota

# The forms are small: guidance for agents, 4,000 characters, is the longest field.
MAX_FORM_BYTES = 64 * 1024
FORM_DEADLINE_S = 15

_SENTENCES = {
    400: ("This request cannot be read", "The browser sent something that this page does not understand."),
    404: ("There is nothing here", "No page of this host has this address."),
    405: ("Not like this", "This address does not take that kind of request."),
    408: ("This took too long", "The form did not arrive in time."),
    413: ("This is too large", "The form holds more than this page takes."),
}


@dataclass(frozen=True, slots=True)
class AgentSignIn:
    """The parts of the authorization server (`robot.oauth`)."""

    registrations: Registrations
    registrations_per_hour: int
    clients: Clients
    lives: Lives


def create_platform_app(
    *,
    db: Database,
    data: DataDir,
    address: PublicAddress,
    sessions: Sessions,
    contents: Contents,
    activity: Activity,
    max_wikis_per_user: int,
    default_quota: Quota,
    indexer: Indexer,
    finder: Finder,
    imports: Imports,
    max_upload_bytes: int,
    agents: AgentSignIn,
) -> QuartTrio:
    """Build the application. It needs no lifespan; the caller refuses cross-site requests before it is reached."""
    compile_templates()
    app = new_app("robot.platform", address)
    requests = Requests(agents.clients, address)
    for pages in (
        landing_pages(db=db, address=address, sessions=sessions),
        signin_pages(db=db, address=address, sessions=sessions, requests=requests),
        link_pages(db=db, address=address, sessions=sessions),
        handoff_page(db=db, address=address, sessions=sessions),
        dashboard_page(db=db, address=address, sessions=sessions, contents=contents, indexer=indexer),
        search_pages(db=db, address=address, sessions=sessions, finder=finder),
        create_pages(
            db=db,
            data=data,
            address=address,
            sessions=sessions,
            max_wikis_per_user=max_wikis_per_user,
            default_quota=default_quota,
        ),
        wiki_pages(db=db, address=address, sessions=sessions, contents=contents, indexer=indexer),
        index_pages(db=db, sessions=sessions, indexer=indexer),
        settings_pages(db=db, address=address, sessions=sessions, contents=contents),
        agent_pages(db=db, address=address, sessions=sessions),
        revoke_pages(db=db, address=address, sessions=sessions),
        activity_pages(db=db, address=address, sessions=sessions, activity=activity),
        undo_pages(db=db, address=address, sessions=sessions, contents=contents, activity=activity),
        import_pages(db=db, address=address, sessions=sessions, imports=imports, max_bytes=max_upload_bytes),
        export_pages(db=db, address=address, sessions=sessions),
        consent_pages(db=db, address=address, sessions=sessions, clients=agents.clients, requests=requests),
        token_page(db=db, address=address, clients=agents.clients, lives=agents.lives),
        registration_page(agents.registrations, RegistrationLimits(agents.registrations_per_hour)),
        old_client_pages(address),
    ):
        app.register_blueprint(pages)
    _add_statics(app)
    _add_ask(app, db, address)
    return app


def new_app(name: str, address: PublicAddress) -> QuartTrio:
    """An application with this host's limits, error pages and headers, and no pages."""
    app = QuartTrio(name, static_folder=None, template_folder=None, root_path="/nonexistent")
    app.config["MAX_CONTENT_LENGTH"] = MAX_FORM_BYTES
    app.config["BODY_TIMEOUT"] = FORM_DEADLINE_S
    _add_headers(app, SECURITY_HEADERS | _transport_header(address))
    _add_error_pages(app)
    return app


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


def _add_ask(app: QuartTrio, db: Database, address: PublicAddress) -> None:
    @app.get(ASK_PATH)
    async def ask() -> tuple[str, int]:
        client = request.scope.get("client")
        if not may_ask(client[0] if client else None, request.scope["headers"]):
            return "", 404
        return "", 200 if is_served(db, address, request.args.get("domain", "")) else 404


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
