"""Taking back what lets an agent in: a token, or a connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.audit import Doer, doer_of
from robot.db import Database
from robot.model import Credential, Role, User, Wiki
from robot.oauth.connections import find_connection, revoke_connection
from robot.tokens import find_token, revoke_token
from robot.web.answers import error_page
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import open_wiki, signed_in, whose_agents


class Revoke(Protocol):
    """Takes one back; whether there was one."""

    def __call__(self, db: Database, wiki: Wiki, credential_id: str, /, *, by: Doer) -> Awaitable[bool]: ...


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of credential: its word, what follows when it is taken back, and how that is done."""

    noun: str
    consequence: str
    find: Callable[[Database, Wiki, str], Credential | None]
    revoke: Revoke


_KINDS: Mapping[str, _Kind] = {
    "tokens": _Kind(
        "token",
        "Whatever uses this token is refused from its next request on. This cannot be undone; you can make a new one.",
        find_token,
        revoke_token,
    ),
    "connections": _Kind(
        "connection",
        "The agent is refused from its next request on. To let it in again, connect it there anew: your browser then"
        " asks you as it did the first time.",
        find_connection,
        revoke_connection,
    ),
}


def revoke_pages(site: Site) -> Blueprint:
    """`/app/wiki/{slug}/tokens/{id}/revoke`, `/app/wiki/{slug}/connections/{id}/revoke`"""
    db, address, sessions = site
    pages = Blueprint("revoke", __name__, url_prefix="/app/wiki/<slug>")

    @pages.get("/<any(tokens, connections):kind>/<credential_id>/revoke")
    async def ask_revoke(slug: str, kind: str, credential_id: str) -> str | Response:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        credential = _own(db, user, wiki, role, kind, credential_id)
        if credential is None:
            return _no_such(kind)
        return render(
            "revoke.html",
            user=user,
            here="wikis",
            wiki=wiki,
            role=role,
            origin=address.origin_of(wiki),
            credential=credential,
            path=kind,
            is_from_account=_is_from_account(),
            kind=_KINDS[kind],
        )

    @pages.post("/<any(tokens, connections):kind>/<credential_id>/revoke")
    async def revoke(slug: str, kind: str, credential_id: str) -> WerkzeugResponse | Response:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        if _own(db, user, wiki, role, kind, credential_id) is None:
            return _no_such(kind)
        await _KINDS[kind].revoke(db, wiki, credential_id, by=doer_of(user))
        noun = _KINDS[kind].noun
        own = f"/app/account?done={noun}#agents"
        return redirect(own if _is_from_account() else f"/app/wiki/{wiki.slug}/agents?revoked={noun}", 303)

    return pages


def _own(db: Database, user: User, wiki: Wiki, role: Role, kind: str, credential_id: str) -> Credential | None:
    """The credential, when the person may take it back: their own, and an owner any."""
    found = _KINDS[kind].find(db, wiki, credential_id)
    whose = whose_agents(user, wiki, role)
    return found if found is not None and (whose is None or found.user_id == whose.id) else None


def _is_from_account() -> bool:
    """Whether somebody came from the list of their agents in all wikis, to go back there."""
    return request.args.get("back") == "account"


def _no_such(kind: str) -> Response:
    return error_page(404, f"There is no such {_KINDS[kind].noun}", "It may have been revoked already.")
