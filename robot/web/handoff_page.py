"""Handing a sign-in on to a wiki's host: the platform's half of `robot.signin.handoff`."""

from __future__ import annotations

from collections.abc import Mapping

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from proxy.hosts import OwnDomain, WikiHost
from robot.access import may, role_of
from robot.model import Action, Person
from robot.signin.handoff import is_challenge, issue_code
from robot.signin.returns import safe_return, with_query
from robot.web.answers import error_page
from robot.web.site import Site
from robot.web.visitor import NoSuchWiki, no_wiki, signed_in_session
from robot.wikis import find_wiki_at


def handoff_page(site: Site) -> Blueprint:
    """`/auth/handoff`"""
    db, address, sessions = site
    pages = Blueprint("handoff", __name__)

    @pages.get("/auth/handoff")
    async def handoff() -> Response | WerkzeugResponse:
        """Send a signed-in browser back to the wiki that asked, with a one-time code."""
        if request.headers.get("Sec-Fetch-Dest", "document") != "document":
            # An image or a frame on a wiki's page would tell the wiki who its visitor is without the visitor seeing it.
            return error_page(403, "Not like this", "A wiki signs its visitors in on a page of their own.")
        challenge = request.args.get("challenge", "")
        if not is_challenge(challenge):
            return error_page(400, "This is not a sign-in", "The address is not one that a wiki made.")
        session = signed_in_session(sessions)
        started_at = _where_it_started(request.args)
        wiki = find_wiki_at(db, started_at)
        if wiki is None:
            slug = started_at.slug if isinstance(started_at, WikiHost) else ""
            raise no_wiki(db, session.user, slug)
        person = Person(session.user, role_of(db, session.user.id, wiki.id))
        if not may(person, Action.READ, wiki):
            raise NoSuchWiki
        return_path = safe_return(request.args.get("next"))
        if address.origin_at(started_at) != address.origin_of(wiki):
            # Only now, since strangers are not to learn that a private wiki has a domain of its own.
            return redirect(address.origin_of(wiki) + with_query("/auth/start", next=return_path), 303)
        code = await issue_code(db, session, wiki, challenge, return_path)
        return redirect(address.origin_at(started_at) + with_query("/auth/finish", code=code), 303)

    return pages


def _where_it_started(sent: Mapping[str, str]) -> WikiHost | OwnDomain:
    """The host whose browser holds the nonce; `wiki_auth` says which it is."""
    return OwnDomain(sent["domain"]) if "domain" in sent else WikiHost(sent.get("wiki", ""))
