"""A wiki's agents: how to connect one, who signed in, and tokens, made and shown once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from quart import Blueprint, request

from robot.access import may
from robot.db import Database
from robot.model import Action, Connection, Health, Person, Role, Scope, Token, User, Wiki
from robot.oauth.connections import list_connections, list_redirects
from robot.oauth.proposals import Way, destination_of
from robot.tokens import InvalidToken, check_folder, check_token_name, create_token, list_tokens
from robot.web.page import render
from robot.web.setups import LOCAL_NOTE, PLACEHOLDER, agent_setups, is_local
from robot.web.site import Site
from robot.web.visitor import open_wiki, signed_in, whose_agents

_SCOPES = {"write": ("Read and write", {Scope.READ, Scope.WRITE}), "read": ("Read only", {Scope.READ})}
_EXPIRIES = {
    "30": ("in 30 days", timedelta(days=30)),
    "90": ("in 90 days", timedelta(days=90)),
    "365": ("in a year", timedelta(days=365)),
    "never": ("never", None),
}

# What a redirect may ask the page to say.
_REVOKED = {
    "token": "The token is revoked. Whatever used it is refused from now on.",
    "connection": "The connection is revoked. The agent is refused from now on, until you connect it again.",
}

_HEALTH = {
    Health.WELL: "working",
    Health.REFUSED: "signed out: its last renewal was refused. If it asks you to, connect it again",
    Health.EXPIRED: "expired: it was not used for too long. Connect it again",
    Health.REUSED: (
        "signed out: a secret of it was used twice, which may mean that it was stolen. Look at what it changed, then"
        " connect it again"
    ),
}


@dataclass(frozen=True, slots=True)
class _TokenRow:
    token: Token
    person: User
    writes: bool
    expired: bool


@dataclass(frozen=True, slots=True)
class _ConnectionRow:
    """`answered` is where consent was sent: a client's name is its own word, that is not."""

    connection: Connection
    person: User
    writes: bool
    answered: str
    is_well: bool
    health: str


@dataclass(frozen=True, slots=True)
class _Typed:
    name: str = ""
    scope: str = "write"
    expiry: str = "90"
    folder: str = ""


def agent_pages(site: Site) -> Blueprint:
    """`/app/wiki/{slug}/agents`, `/app/wiki/{slug}/tokens`"""
    db, address, sessions = site
    pages = Blueprint("agents", __name__, url_prefix="/app/wiki/<slug>")

    def page(template: str, user: User, wiki: Wiki, role: Role, **context: object) -> str:
        origin = address.origin_of(wiki)
        return render(template, user=user, here="wikis", wiki=wiki, role=role, origin=origin, **context)

    def overview(user: User, wiki: Wiki, role: Role, typed: _Typed, errors: dict[str, str]) -> str:
        origin = address.origin_of(wiki)
        return page(
            "agents.html",
            user,
            wiki,
            role,
            connections=_connection_rows(db, user, wiki, role),
            tokens=_token_rows(db, user, wiki, role),
            typed=typed,
            errors=errors,
            scope_choices=[(value, label) for value, (label, _) in _scopes_for(user, wiki, role).items()],
            expiry_choices=[(value, label) for value, (label, _) in _EXPIRIES.items()],
            placeholder=PLACEHOLDER,
            setup_items=agent_setups(wiki.slug, origin),
            local_note=LOCAL_NOTE if is_local(origin) else None,
            notice=_REVOKED.get(request.args.get("revoked", "")),
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
        typed = _Typed(*(sent.get(field, "") for field in ("name", "scope", "expiry", "folder")))
        scopes = _scopes_for(user, wiki, role)
        errors = _find_errors(typed, scopes)
        if errors:
            return overview(user, wiki, role, typed, errors), 400
        lifetime = _EXPIRIES[typed.expiry][1]
        secret, token = await create_token(
            db,
            user,
            wiki,
            typed.name,
            scopes[typed.scope][1],
            expires=None if lifetime is None else datetime.now(UTC) + lifetime,
            prefix=typed.folder.strip() or None,
        )
        setup_items = agent_setups(wiki.slug, address.origin_of(wiki), secret)
        return page("token_made.html", user, wiki, role, token=token, secret=secret, setup_items=setup_items)

    return pages


def _token_rows(db: Database, user: User, wiki: Wiki, role: Role) -> list[_TokenRow]:
    now = datetime.now(UTC)
    return [
        _TokenRow(token, person, Scope.WRITE in token.scopes, token.expires is not None and token.expires <= now)
        for token, person in list_tokens(db, wiki, whose_agents(user, wiki, role))
    ]


def _connection_rows(db: Database, user: User, wiki: Wiki, role: Role) -> list[_ConnectionRow]:
    found = list_connections(db, wiki, whose_agents(user, wiki, role))
    redirects = list_redirects(db, wiki)
    return [
        _ConnectionRow(
            connection,
            person,
            Scope.WRITE in connection.scopes,
            _answered_at(redirects[connection.id]),
            connection.health is Health.WELL,
            _HEALTH[connection.health],
        )
        for connection, person in found
        if connection.id in redirects  # else it was revoked between the two reads
    ]


def _answered_at(redirect_uri: str) -> str:
    destination = destination_of(redirect_uri)
    match destination.way:
        case Way.SITE:
            return destination.shown
        case Way.COMPUTER:
            return "a program on the person's computer"
        case Way.APP:
            return f"an app that opens {destination.shown}: links"


def _scopes_for(user: User, wiki: Wiki, role: Role) -> dict[str, tuple[str, set[Scope]]]:
    """What the person can give to an agent: never more than they may do themselves."""
    if may(Person(user, role), Action.WRITE, wiki):
        return _SCOPES
    return {"read": _SCOPES["read"]}


def _find_errors(typed: _Typed, scopes: dict[str, tuple[str, set[Scope]]]) -> dict[str, str]:
    errors = {}
    checks: dict[str, Callable[[str], object]] = {"name": check_token_name}
    if typed.folder.strip():
        checks["folder"] = check_folder
    for field, check in checks.items():
        try:
            check(getattr(typed, field))
        except InvalidToken as error:
            errors[field] = str(error)
    if typed.scope not in scopes:
        errors["scope"] = "Choose what the token's bearer may do."
    if typed.expiry not in _EXPIRIES:
        errors["expiry"] = "Choose when the token expires."
    return errors
