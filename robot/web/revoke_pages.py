"""Taking an agent's token back."""

from __future__ import annotations

from quart import Blueprint, Response, redirect
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.access import may
from robot.address import PublicAddress
from robot.db import Database
from robot.model import Action, Person, Role, Token, User, Wiki
from robot.signin.sessions import Sessions
from robot.tokens import find_token, revoke_token
from robot.web.answers import error_page
from robot.web.page import render
from robot.web.visitor import open_wiki, signed_in


def revoke_pages(*, db: Database, address: PublicAddress, sessions: Sessions) -> Blueprint:
    """`/app/wiki/{slug}/tokens/{id}/revoke`"""
    pages = Blueprint("revoke", __name__, url_prefix="/app/wiki/<slug>")

    def confirmation(user: User, wiki: Wiki, role: Role, token: Token) -> str:
        origin = address.wiki_origin(wiki.slug)
        return render("token_revoke.html", user=user, here="wikis", wiki=wiki, role=role, origin=origin, token=token)

    @pages.get("/tokens/<token_id>/revoke")
    async def ask_revoke(slug: str, token_id: str) -> str | Response:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        token = _own_token(db, user, wiki, role, token_id)
        return _no_such_token() if token is None else confirmation(user, wiki, role, token)

    @pages.post("/tokens/<token_id>/revoke")
    async def revoke(slug: str, token_id: str) -> WerkzeugResponse | Response:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        if _own_token(db, user, wiki, role, token_id) is None:
            return _no_such_token()
        await revoke_token(db, wiki, token_id)
        return redirect(f"/app/wiki/{wiki.slug}/agents?revoked=1", 303)

    return pages


def _own_token(db: Database, user: User, wiki: Wiki, role: Role, token_id: str) -> Token | None:
    """The token, when the person may take it back: their own, and an owner any."""
    token = find_token(db, wiki, token_id)
    is_theirs = token is not None and (token.user_id == user.id or may(Person(user, role), Action.ADMINISTER, wiki))
    return token if is_theirs else None


def _no_such_token() -> Response:
    return error_page(404, "There is no such token", "It may have been revoked already.")
