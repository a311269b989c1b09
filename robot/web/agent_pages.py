"""A wiki's agents: their tokens, made and shown once, and what to paste where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from quart import Blueprint, request

from robot.access import may
from robot.address import PublicAddress
from robot.db import Database
from robot.model import Action, Person, Role, Scope, Token, User, Wiki
from robot.signin.sessions import Sessions
from robot.tokens import InvalidToken, check_token_name, create_token, list_tokens
from robot.web.page import render
from robot.web.setups import PLACEHOLDER, agent_setups
from robot.web.visitor import open_wiki, signed_in

_SCOPES = {"write": ("Read and write", {Scope.READ, Scope.WRITE}), "read": ("Read only", {Scope.READ})}
_EXPIRIES = {
    "30": ("in 30 days", timedelta(days=30)),
    "90": ("in 90 days", timedelta(days=90)),
    "365": ("in a year", timedelta(days=365)),
    "never": ("never", None),
}


_REVOKED = "The token is revoked. Whatever used it is refused from now on."


@dataclass(frozen=True, slots=True)
class _Row:
    token: Token
    person: User
    writes: bool
    expired: bool


@dataclass(frozen=True, slots=True)
class _Typed:
    name: str = ""
    scope: str = "write"
    expiry: str = "90"


def agent_pages(*, db: Database, address: PublicAddress, sessions: Sessions) -> Blueprint:
    """`/app/wiki/{slug}/agents`, `/app/wiki/{slug}/tokens`"""
    pages = Blueprint("agents", __name__, url_prefix="/app/wiki/<slug>")

    def page(template: str, user: User, wiki: Wiki, role: Role, **context: object) -> str:
        origin = address.wiki_origin(wiki.slug)
        return render(template, user=user, here="wikis", wiki=wiki, role=role, origin=origin, **context)

    def overview(user: User, wiki: Wiki, role: Role, typed: _Typed, errors: dict[str, str]) -> str:
        now = datetime.now(UTC)
        return page(
            "agents.html",
            user,
            wiki,
            role,
            tokens=[_row(token, person, now) for token, person in _visible(db, user, wiki, role)],
            typed=typed,
            errors=errors,
            scope_choices=[(value, label) for value, (label, _) in _scopes_for(user, wiki, role).items()],
            expiry_choices=[(value, label) for value, (label, _) in _EXPIRIES.items()],
            placeholder=PLACEHOLDER,
            setup_items=agent_setups(wiki.slug, address.wiki_origin(wiki.slug)),
            notice=_REVOKED if "revoked" in request.args else None,
        )

    @pages.get("/agents")
    async def agents(slug: str) -> str:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        return overview(user, wiki, role, _Typed(), {})

    @pages.post("/tokens")
    async def make_token(slug: str) -> str | tuple[str, int]:
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        sent = await request.form
        typed = _Typed(*(sent.get(field, "") for field in ("name", "scope", "expiry")))
        scopes = _scopes_for(user, wiki, role)
        errors = _find_errors(typed, scopes)
        if errors:
            return overview(user, wiki, role, typed, errors), 400
        lifetime = _EXPIRIES[typed.expiry][1]
        expires = None if lifetime is None else datetime.now(UTC) + lifetime
        secret, token = await create_token(db, user, wiki, typed.name, scopes[typed.scope][1], expires=expires)
        setup_items = agent_setups(wiki.slug, address.wiki_origin(wiki.slug), secret)
        return page("token_made.html", user, wiki, role, token=token, secret=secret, setup_items=setup_items)

    return pages


def _visible(db: Database, user: User, wiki: Wiki, role: Role) -> list[tuple[Token, User]]:
    """The tokens that the person may see and revoke: their own, and an owner all."""
    sees_all = may(Person(user, role), Action.ADMINISTER, wiki)
    return [(token, person) for token, person in list_tokens(db, wiki) if sees_all or person.id == user.id]


def _row(token: Token, person: User, now: datetime) -> _Row:
    return _Row(token, person, Scope.WRITE in token.scopes, token.expires is not None and token.expires <= now)


def _scopes_for(user: User, wiki: Wiki, role: Role) -> dict[str, tuple[str, set[Scope]]]:
    """What the person can give to an agent: never more than they may do themselves."""
    if may(Person(user, role), Action.WRITE, wiki):
        return _SCOPES
    return {"read": _SCOPES["read"]}


def _find_errors(typed: _Typed, scopes: dict[str, tuple[str, set[Scope]]]) -> dict[str, str]:
    errors = {}
    try:
        check_token_name(typed.name)
    except InvalidToken as error:
        errors["name"] = str(error)
    if typed.scope not in scopes:
        errors["scope"] = "Choose what the token's bearer may do."
    if typed.expiry not in _EXPIRIES:
        errors["expiry"] = "Choose when the token expires."
    return errors
