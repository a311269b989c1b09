"""Handing a sign-in on to a wiki's host: the platform's half of `robot.signin.handoff`."""

from __future__ import annotations

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.access import may, role_of
from robot.address import PublicAddress
from robot.db import Database
from robot.model import Action, Person
from robot.signin.handoff import is_challenge, issue_code
from robot.signin.returns import safe_return, with_query
from robot.signin.sessions import Sessions
from robot.web.answers import error_page
from robot.web.visitor import NoSuchWiki, SignInNeeded
from robot.wikis import find_wiki_by_slug


def handoff_page(*, db: Database, address: PublicAddress, sessions: Sessions) -> Blueprint:
    """`/auth/handoff`"""
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
        session = sessions.platform_session(request.scope["headers"])
        if session is None:
            raise SignInNeeded
        wiki = find_wiki_by_slug(db, request.args.get("wiki", ""))
        if wiki is None:
            raise NoSuchWiki
        person = Person(session.user, role_of(db, session.user.id, wiki.id))
        if not may(person, Action.READ, wiki):
            raise NoSuchWiki
        return_path = safe_return(request.args.get("next"))
        code = await issue_code(db, session, wiki, challenge, return_path)
        return redirect(address.wiki_origin(wiki.slug) + with_query("/auth/finish", code=code), 303)

    return pages
