"""One's own account: name, ways in, browsers, agents and roles, over all wikis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.accounts import InvalidAccount, change_display_name
from robot.db import Database
from robot.model import Connection, Credential, Health, Scope, Token, User, Wiki
from robot.oauth.connections import list_connections_of
from robot.signin.identities import identities_of
from robot.signin.own_sessions import end_other_sessions, end_session, list_sessions
from robot.signin.providers import Provider
from robot.signin.sessions import Session
from robot.tokens import list_tokens_of
from robot.web.answers import error_page
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import signed_in_session
from robot.wikis import wikis_of

# As people know them where the settings have switched them off since.
_WAYS_IN = {"atproto": "Bluesky", "oidc": "single sign-on", "link": "a one-time link"}

# What a redirect may ask the page to say.
_DONE = {
    "saved": "Your name is saved. Commits from now on show it.",
    "signed-out": "That browser is signed out, here and on every wiki.",
    "others-signed-out": "Every other browser is signed out, here and on every wiki.",
    "token": "The token is revoked. Whatever used it is refused from now on.",
    "connection": "The connection is revoked. The agent is refused from now on, until you connect it again.",
    "kept": "Your account stays. Your agents were let go: make their tokens, or connect them, anew.",
}


@dataclass(frozen=True, slots=True)
class _AgentRow:
    """A token or a connection in one wiki; `path` is where the wiki's addresses keep its kind."""

    credential: Credential
    path: str
    wiki: Wiki
    writes: bool
    state: str
    is_well: bool


def ways_in(providers: Mapping[str, Provider]) -> dict[str, str]:
    """What people call each way in, by the name under which it is stored."""
    return _WAYS_IN | {name: provider.label for name, provider in providers.items()}


def account_pages(site: Site, *, providers: Mapping[str, Provider]) -> Blueprint:
    """`/app/account`, its name and its sessions"""
    db, address, sessions = site
    pages = Blueprint("account", __name__, url_prefix="/app/account")

    def page(session: Session, typed_name: str, error: str | None = None) -> str:
        user, roles = session.user, wikis_of(db, session.user)
        return render(
            "account.html",
            user=user,
            here="account",
            domain=address.domain,
            typed_name=typed_name,
            error=error,
            notice=_DONE.get(request.args.get("done", "")),
            providers=ways_in(providers),
            can_connect=bool(providers),
            identities=identities_of(db, user),
            browsers=list_sessions(db, user),
            this_id=session.id,
            roles=[(wiki, role, address.origin_of(wiki)) for wiki, role in roles],
            agents=_agents(db, user, {wiki.id: wiki for wiki, _ in roles}),
        )

    @pages.get("")
    async def show() -> str:
        session = signed_in_session(sessions)
        return page(session, session.user.display_name)

    @pages.post("/name")
    async def rename() -> WerkzeugResponse | tuple[str, int]:
        session = signed_in_session(sessions)
        typed = (await request.form).get("display_name", "")
        try:
            await change_display_name(db, session.user, typed)
        except InvalidAccount as error:
            return page(session, typed, str(error)), 400
        return redirect("/app/account?done=saved", 303)

    @pages.post("/sessions/<session_id>/end")
    async def sign_out_one(session_id: str) -> WerkzeugResponse | Response:
        session = signed_in_session(sessions)
        if not await end_session(db, session.user, session_id):
            return error_page(404, "There is no such session", "That browser may be signed out already.")
        is_this = session_id == session.id
        return redirect("/auth/login" if is_this else "/app/account?done=signed-out#browsers", 303)

    @pages.post("/sessions/end-others")
    async def sign_out_others() -> WerkzeugResponse:
        session = signed_in_session(sessions)
        await end_other_sessions(db, session.user, session.id)
        return redirect("/app/account?done=others-signed-out#browsers", 303)

    @pages.get("/export")
    async def export() -> WerkzeugResponse:
        """`downloads` answers everybody who is signed in."""
        signed_in_session(sessions)
        return redirect("/app/account#data", 303)

    return pages


def _agents(db: Database, user: User, wikis: dict[str, Wiki]) -> list[_AgentRow]:
    """What lets agents of `user` in, newest first; they have a role in each of these wikis, else it would be gone."""
    held: list[Credential] = [*list_connections_of(db, user), *list_tokens_of(db, user)]
    rows = [_agent_row(one, wikis[one.wiki_id]) for one in held if one.wiki_id in wikis]
    return sorted(rows, key=lambda row: row.credential.created, reverse=True)


def _agent_row(credential: Credential, wiki: Wiki) -> _AgentRow:
    writes = Scope.WRITE in credential.scopes
    match credential:
        case Token(expires=None):
            return _AgentRow(credential, "tokens", wiki, writes, "token", is_well=True)
        case Token(expires=expires):
            is_well = expires is not None and expires > datetime.now(UTC)
            until = f"token, until {expires:%d %b %Y}" if is_well else "token, expired"
            return _AgentRow(credential, "tokens", wiki, writes, until, is_well=is_well)
        case Connection(health=health):
            is_well = health is Health.WELL
            state = "connection" if is_well else "connection, signed out"
            return _AgentRow(credential, "connections", wiki, writes, state, is_well=is_well)
