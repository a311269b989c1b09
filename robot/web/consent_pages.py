"""Asking people whether a client may get in: `/oauth/authorize` and `/oauth/consent`.

The page is shown each time, so that nothing is ever sent anywhere without a person's click (RFC 9700, section 4.14;
MCP, "Confused Deputy Problem").
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.access import role_of
from robot.address import PublicAddress
from robot.db import Database
from robot.model import Scope, User
from robot.oauth.asking import Asked, Refusal, ReturnTo, Sent, Unanswerable, client_of, judge_request
from robot.oauth.clients import ClientDocumentFailed, ClientUnknown
from robot.oauth.codes import Consent, issue_code
from robot.oauth.connections import find_consented
from robot.oauth.endpoints import AUTHORIZE, CONSENT
from robot.oauth.finding import Clients
from robot.oauth.proposals import Proposal, propose, proven_host
from robot.signin.returns import with_query
from robot.signin.sessions import Sessions
from robot.web.answers import error_page
from robot.web.page import render
from robot.web.visitor import visitor
from robot.wikis import find_wiki_by_slug
from wikihost.errors import InvalidPageName
from wikihost.names import parse_page_name

Answer = Response | WerkzeugResponse

# A client in a browser may wait in the window that opened this one for its own page to call back.
OPENER_KEPT = {"Cross-Origin-Opener-Policy": "unsafe-none"}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who is asking, for the sign-in page: the client's name, the host that vouches for it, and the wiki's address."""

    name: str
    host: str | None
    wiki: str


class Requests:
    """Authorization requests as they come: in the address of a page, or back from its form."""

    def __init__(self, clients: Clients, address: PublicAddress) -> None:
        self.clients = clients
        self.address = address

    async def judge(self, sent: Sent) -> Asked | Refusal | Unanswerable:
        """What a request comes to."""
        client_id = client_of(sent)
        if isinstance(client_id, Unanswerable):
            return client_id
        try:
            client = await self.clients.find_client(client_id)
        except (ClientUnknown, ClientDocumentFailed) as error:
            return Unanswerable(str(error))
        return judge_request(sent, client, self.address)

    async def asker(self, path: str) -> Asker | None:
        """Who asks by way of the page at `path` of the platform; None when nobody does."""
        if not is_request(path):
            return None
        outcome = await self.judge(parse_qs(urlsplit(path).query))
        if not isinstance(outcome, Asked):
            return None
        wiki = urlsplit(self.address.wiki_origin(outcome.slug)).netloc
        return Asker(outcome.client.name, proven_host(outcome.client), wiki)


def is_request(path: str) -> bool:
    """Whether a path of the platform is an authorization request."""
    return path.startswith(f"{AUTHORIZE}?")


def consent_pages(*, db: Database, address: PublicAddress, sessions: Sessions, requests: Requests) -> Blueprint:
    """`/oauth/authorize`, `/oauth/consent`"""
    pages = Blueprint("consent", __name__)
    issuer = address.platform_origin

    @pages.get(AUTHORIZE)
    async def authorize() -> Answer:
        """Asking any number of times changes nothing."""
        sent = request.args.to_dict(flat=False)
        outcome = await requests.judge(sent)
        match outcome:
            case Unanswerable(sentence):
                return _dead_end(sentence)
            case Refusal(back, error, sentence):
                location = back.address(issuer, error=error, error_description=sentence)
                return Response("", 302, {"Location": location})
            case Asked():
                user = visitor(sessions)
                return _sign_in(sent) if user is None else _page(user, sent, outcome)

    @pages.post(CONSENT)
    async def consent() -> Answer:
        form = await request.form
        sent = parse_qs(form.get("request", ""))
        outcome = await requests.judge(sent)
        match outcome:
            case Unanswerable(sentence):
                return _dead_end(sentence)
            case Refusal(back, error, sentence):
                return _go_back(back.address(issuer, error=error, error_description=sentence))
            case Asked():
                user = visitor(sessions)
                if user is None or user.id != form.get("person"):
                    # Somebody else signed in, in another tab, since the page was shown.
                    return _sign_in(sent) if user is None else redirect(_request_path(sent), 303)
                return await _decide(
                    user, sent, outcome, form.get("decision", ""), form.get("access", ""), form.get("folder", "")
                )

    async def _decide(user: User, sent: Sent, asked: Asked, decision: str, access: str, folder: str) -> Answer:
        back = ReturnTo(asked.redirect_uri, asked.state)
        proposal = _propose(user, asked)
        if proposal is None or decision not in ("allow", "deny"):
            return _page(user, sent, asked)
        if decision == "deny":
            return _go_back(back.address(issuer, error="access_denied", error_description="The person said no."))
        try:
            prefix = _prefix(folder)
        except InvalidPageName as error:
            return _page(user, sent, asked, folder=folder, problem=str(error))
        allowed = proposal.offered if access == "write" else frozenset({Scope.READ})
        consented = Consent(
            user=user,
            wiki=proposal.wiki,
            client_id=asked.client.id,
            client_name=asked.client.name,
            redirect_uri=asked.redirect_uri,
            challenge=asked.challenge,
            scopes=allowed,
            prefix=prefix,
        )
        await requests.clients.note_use(asked.client)
        return _go_back(back.address(issuer, code=await issue_code(db, consented)))

    def _propose(user: User, asked: Asked) -> Proposal | None:
        wiki = find_wiki_by_slug(db, asked.slug)
        role = None if wiki is None else role_of(db, user.id, wiki.id)
        if wiki is None or role is None:
            return None
        return propose(asked, user, wiki, role, find_consented(db, wiki, user, asked.client.id))

    def _page(user: User, sent: Sent, asked: Asked, folder: str | None = None, problem: str | None = None) -> Answer:
        proposal = _propose(user, asked)
        shown = {
            "user": user,
            "domain": address.domain,
            "asked": asked,
            "host": proven_host(asked.client),
            "wiki_host": urlsplit(address.wiki_origin(asked.slug)).netloc,
            "request": _spelled(sent),
            "here": _request_path(sent),
        }
        if proposal is None:
            back = ReturnTo(asked.redirect_uri, asked.state)
            denied = back.address(issuer, error="access_denied", error_description="The person has no such wiki.")
            return Response(render("consent_none.html", **shown, denied=denied), 404)
        if folder is None:
            folder = (proposal.before.prefix if proposal.before else None) or ""
        page = render("consent.html", **shown, proposal=proposal, folder=folder, problem=problem)
        return Response(page, 200 if problem is None else 400)

    def _go_back(location: str) -> Answer:
        # Browsers hold all redirects that follow a form against form-action, and nobody knows how many hosts or which
        # app a client's redirect leads on to; a page that goes on by itself is not a form's.
        return Response(render("consent_done.html", user=visitor(sessions), domain=address.domain, location=location))

    @pages.after_request
    async def keep_opener(answer: Response) -> Response:
        answer.headers.update(OPENER_KEPT)
        return answer

    return pages


def _dead_end(sentence: str) -> Answer:
    return error_page(
        400, "This program cannot be connected", sentence, "Nothing was sent to it. Start again in the program."
    )


def _sign_in(sent: Sent) -> Answer:
    return redirect(with_query("/auth/login", next=_request_path(sent)), 303)


def _request_path(sent: Sent) -> str:
    return f"{AUTHORIZE}?{_spelled(sent)}"


def _spelled(sent: Sent) -> str:
    return urlencode(sent, doseq=True)


def _prefix(folder: str) -> str | None:
    """A folder as `Connection.prefix` has it, None for the whole wiki. Raises `InvalidPageName`."""
    name = folder.strip().strip("/")
    return f"{parse_page_name(name)}/" if name else None
