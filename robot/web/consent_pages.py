"""Asking people whether a client may get in: `/oauth/authorize` and `/oauth/consent`.

The page is shown each time, so that nothing is ever sent anywhere without a person's click (RFC 9700, section 4.14;
MCP, "Confused Deputy Problem"). Strangers are sent to sign in before anything else: for them, this host neither asks
others about a client nor leads anybody to a client's address, which anybody can register (RFC 9700, section 4.11.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from proxy.hosts import OwnDomain, WikiHost
from robot.access import role_of
from robot.address import PublicAddress
from robot.db import Database
from robot.model import Scope, User
from robot.oauth.asking import Asked, Refusal, ReturnTo, Sent, Unanswerable
from robot.oauth.codes import Consent, issue_code
from robot.oauth.connections import find_consented
from robot.oauth.endpoints import AUTHORIZE, CONSENT
from robot.oauth.finding import Clients
from robot.oauth.proposals import Proposal, Way, destination_of, propose, proven_host
from robot.oauth.requests import Requests, read_request, spell_request
from robot.signin.returns import with_query
from robot.web.answers import error_page
from robot.web.page import OPENER_KEPT, render
from robot.web.site import Site
from robot.web.visitor import refuse_barred, visitor
from robot.wikis import find_wiki_at
from wikihost.errors import InvalidPageName
from wikihost.reach import parse_folder

Answer = Response | WerkzeugResponse


@dataclass(frozen=True, slots=True)
class _Decision:
    """What the form brings: the id of the wiki that the person was shown, `allow` or `deny`, `read` or `write`, and a
    folder as somebody typed it."""

    wiki: str
    answer: str
    access: str
    folder: str


def consent_pages(site: Site, *, clients: Clients, requests: Requests) -> Blueprint:
    """`/oauth/authorize`, `/oauth/consent`"""
    db, address, sessions = site
    pages = Blueprint("consent", __name__)
    desk = _Desk(db, address, clients)

    @pages.get(AUTHORIZE)
    async def authorize() -> Answer:
        """Asking any number of times changes nothing."""
        sent = request.args.to_dict(flat=False)
        user = visitor(sessions)
        if user is None:
            refuse_barred(sessions)
            return _sign_in(sent)
        outcome = await requests.judge(sent)
        match outcome:
            case Unanswerable(sentence):
                return _dead_end(sentence)
            case Refusal(back) if destination_of(back.redirect_uri).way is Way.COMPUTER:
                return redirect(desk.told(outcome), 303)
            case Refusal():
                return desk.refuse(user, outcome)
            case Asked():
                return desk.ask(user, sent, outcome)

    @pages.post(CONSENT)
    async def consent() -> Answer:
        form = await request.form
        sent = read_request(form.get("request", ""))
        user = visitor(sessions)
        if user is None:
            refuse_barred(sessions)
            return _sign_in(sent)
        outcome = await requests.judge(sent)
        match outcome:
            case Unanswerable(sentence):
                return _dead_end(sentence)
            case Refusal():
                return desk.refuse(user, outcome)
            case Asked() if user.id != form.get("person"):
                # Somebody else signed in, in another tab, since the page was shown.
                return redirect(_path_of(sent), 303)
            case Asked():
                decision = _Decision(*(form.get(field, "") for field in ("wiki", "decision", "access", "folder")))
                return await desk.decide(user, sent, outcome, decision)

    @pages.after_request
    async def keep_opener(answer: Response) -> Response:
        answer.headers.update(OPENER_KEPT)
        return answer

    return pages


class _Desk:
    """Where a person is asked, and what they decide is done."""

    def __init__(self, db: Database, address: PublicAddress, clients: Clients) -> None:
        self._db = db
        self._address = address
        self._clients = clients

    def answer(self, back: ReturnTo, **fields: str) -> str:
        """The address that tells the client."""
        return back.address(self._address.platform_origin, **fields)

    def told(self, refusal: Refusal) -> str:
        """The address that tells the client what is wrong with its request."""
        return self.answer(refusal.back, error=refusal.error, error_description=refusal.sentence)

    def refuse(self, user: User, refusal: Refusal) -> Response:
        """The page that says so, with the way back to the client for a person who wants to go there."""
        page = render(
            "consent_refused.html",
            user=user,
            domain=self._address.domain,
            sentence=refusal.sentence,
            destination=destination_of(refusal.back.redirect_uri),
            location=self.told(refusal),
        )
        return Response(page, 400)

    def ask(
        self, user: User, sent: Sent, asked: Asked, folder: str | None = None, problem: str | None = None
    ) -> Response:
        """The page; `problem` is with the `folder` that was typed into it before."""
        shown = {
            "user": user,
            "domain": self._address.domain,
            "asked": asked,
            "host": proven_host(asked.client),
            "wiki_host": self._host_of(asked.place),
            "request": spell_request(sent),
            "here": _path_of(sent),
        }
        proposal = self._propose(user, asked)
        if proposal is None:
            denied = self.answer(_back(asked), error="access_denied", error_description="The person has no such wiki.")
            shown["destination"] = destination_of(asked.redirect_uri)
            return Response(render("consent_none.html", **shown, denied=denied), 404)
        if folder is None:
            folder = (proposal.before.prefix if proposal.before else None) or ""
        # Both addresses are the wiki's; the person knows it by this one.
        shown["wiki_host"] = urlsplit(self._address.origin_of(proposal.wiki)).netloc
        page = render("consent.html", **shown, proposal=proposal, folder=folder, problem=problem)
        return Response(page, 200 if problem is None else 400)

    async def decide(self, user: User, sent: Sent, asked: Asked, decision: _Decision) -> Response:
        """Tell the client what the person decided; ask again what was left open."""
        proposal = self._propose(user, asked)
        # Another wiki can have the address by now, of which the page said nothing.
        if proposal is None or decision.wiki != proposal.wiki.id or decision.answer not in ("allow", "deny"):
            return self.ask(user, sent, asked)
        if decision.answer == "deny":
            told = self.answer(_back(asked), error="access_denied", error_description="The person said no.")
            return _go_back(user, self._address, told)
        try:
            prefix = parse_folder(decision.folder).folder if decision.folder.strip() else None
        except InvalidPageName as error:
            return self.ask(user, sent, asked, decision.folder, str(error))
        consent = Consent(
            user=user,
            wiki=proposal.wiki,
            client_id=asked.client.id,
            client_name=asked.client.name,
            redirect_uri=asked.redirect_uri,
            challenge=asked.challenge,
            scopes=proposal.offered if decision.access == "write" else frozenset({Scope.READ}),
            prefix=prefix,
        )
        code = await issue_code(self._db, consent)
        await self._clients.note_use(asked.client)
        return _go_back(user, self._address, self.answer(_back(asked), code=code))

    def _host_of(self, place: WikiHost | OwnDomain) -> str:
        return urlsplit(self._address.origin_at(place)).netloc

    def _propose(self, user: User, asked: Asked) -> Proposal | None:
        """What to ask the person; None when there is no wiki in which they have a role."""
        wiki = find_wiki_at(self._db, asked.place)
        role = None if wiki is None else role_of(self._db, user.id, wiki.id)
        if wiki is None or role is None:
            return None
        return propose(asked, user, wiki, role, find_consented(self._db, wiki, user, asked.client.id))


def _go_back(user: User, address: PublicAddress, location: str) -> Response:
    """A page that goes on to the client by itself.

    A redirect would not always arrive: browsers hold all redirects that follow a form against `form-action`, and nobody
    knows to which hosts or app a client's own redirect leads on.
    """
    return Response(render("consent_done.html", user=user, domain=address.domain, location=location))


def _dead_end(sentence: str) -> Response:
    next_step = "Nothing was sent to it. Start again in the program."
    return error_page(400, "This program cannot be connected", sentence, next_step)


def _sign_in(sent: Sent) -> WerkzeugResponse:
    return redirect(with_query("/auth/login", next=_path_of(sent)), 303)


def _path_of(sent: Sent) -> str:
    return f"{AUTHORIZE}?{spell_request(sent)}"


def _back(asked: Asked) -> ReturnTo:
    return ReturnTo(asked.redirect_uri, asked.state)
