"""`/oauth/token` and `/oauth/revoke`: where programs, not people, come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from quart import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from proxy.hosts import OwnDomain, WikiHost
from robot.address import PublicAddress
from robot.clock import Clock, wall_clock
from robot.db import Database, DatabaseError
from robot.oauth.clients import AuthMethod, ClientUnknown
from robot.oauth.codes import Shown, redeem_code
from robot.oauth.documents import is_document_id
from robot.oauth.endpoints import REVOKE, TOKEN
from robot.oauth.finding import Clients
from robot.oauth.json_answers import RETRY_SOON, error_answer, json_answer
from robot.oauth.proof import ProofMalformed, is_proven, read_proof
from robot.oauth.refreshing import ShownRefresh, refresh, revoke
from robot.oauth.resources import InForce, place_of_resource
from robot.oauth.scopes import ScopeUnknown, parse_scopes, spell_scopes
from robot.oauth.tokens import Fault, Issued, Lives, Refused
from robot.wikis import is_in_force

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636, section 4.1
_Named = WikiHost | OwnDomain | None
_FORM = "application/x-www-form-urlencoded"


class _Malformed(Exception):
    """A request that is refused before anything is looked up."""

    def __init__(self, fault: Fault, sentence: str) -> None:
        super().__init__(sentence)
        self.refused = Refused(fault, sentence)


def token_page(
    *, db: Database, address: PublicAddress, clients: Clients, lives: Lives, clock: Clock = wall_clock
) -> Blueprint:
    """The blueprint; all its answers are JSON."""
    pages = Blueprint("oauth_token", __name__)
    in_force = partial(is_in_force, db)

    def named(form: Mapping[str, str]) -> _Named:
        return _place(form, address, in_force)

    @pages.post(TOKEN)
    async def token() -> Response:
        form = await _read_form()
        client_id = await _prove_client(clients, form)
        match form.get("grant_type"):
            case "authorization_code":
                outcome = await redeem_code(db, _shown_code(form, client_id, named(form)), lives, clock=clock)
            case "refresh_token":
                outcome = await refresh(db, _shown_refresh(form, client_id, named(form)), lives, clock=clock)
            case None:
                raise _Malformed(Fault.REQUEST, "grant_type is missing.")
            case _:
                raise _Malformed(Fault.GRANT_TYPE, "grant_type is authorization_code or refresh_token.")
        return _refuse(outcome, address) if isinstance(outcome, Refused) else _tokens(outcome)

    @pages.post(REVOKE)
    async def revoke_token() -> Response:
        form = await _read_form()
        client_id = await _prove_client(clients, form)
        refusal = await revoke(db, client_id, _field(form, "token"))
        return json_answer(200, {}) if refusal is None else _refuse(refusal, address)

    @pages.errorhandler(_Malformed)
    async def malformed(error: _Malformed) -> Response:
        return _refuse(error.refused, address)

    @pages.errorhandler(HTTPException)
    async def unreadable(error: HTTPException) -> Response:
        return error_answer(error.code or 400, Fault.REQUEST, "The request is too large or too slow.")

    @pages.errorhandler(DatabaseError)
    async def unavailable(_: DatabaseError) -> Response:
        return error_answer(503, "temporarily_unavailable", "Try again in a moment.", RETRY_SOON)

    return pages


async def _read_form() -> Mapping[str, str]:
    """The form, in which nothing may be there twice (RFC 6749, section 3.2). An empty field counts as left out."""
    if request.mimetype != _FORM:
        raise _Malformed(Fault.REQUEST, f"Send the parameters as {_FORM}.")
    form = await request.form
    if any(len(values) > 1 for _, values in form.lists()):
        raise _Malformed(Fault.REQUEST, "A parameter is sent more than once.")
    return {name: value for name, value in form.items() if value}


async def _prove_client(clients: Clients, form: Mapping[str, str]) -> str:
    """The id of the client, once it has proven itself.

    One that is described by a document has no secret. The document is not read here: tokens are bound to its address,
    and a refresh must not fail because some other host cannot be reached.
    """
    try:
        proof = read_proof(form, request.headers.get("Authorization"))
        if is_document_id(proof.client_id):
            is_good = proof.method is AuthMethod.NONE
        else:
            is_good = is_proven(await clients.find_client(proof.client_id), proof)
    except (ProofMalformed, ClientUnknown) as error:
        raise _Malformed(Fault.CLIENT, str(error)) from error
    if not is_good:
        raise _Malformed(Fault.CLIENT, "The client did not prove itself in the way, or with the secret, of its own.")
    return proof.client_id


def _shown_code(form: Mapping[str, str], client_id: str, place: _Named) -> Shown:
    verifier = _field(form, "code_verifier")
    if not _VERIFIER.fullmatch(verifier):
        raise _Malformed(Fault.REQUEST, "code_verifier has 43 to 128 letters, digits, and -._~ of ASCII.")
    return Shown(client_id, _field(form, "code"), _field(form, "redirect_uri"), verifier, place)


def _shown_refresh(form: Mapping[str, str], client_id: str, place: _Named) -> ShownRefresh:
    try:
        scopes = parse_scopes(form.get("scope", ""))
    except ScopeUnknown as error:
        raise _Malformed(Fault.SCOPE, str(error)) from error
    return ShownRefresh(client_id, _field(form, "refresh_token"), scopes, place)


def _field(form: Mapping[str, str], name: str) -> str:
    if name not in form:
        raise _Malformed(Fault.REQUEST, f"{name} is missing.")
    return form[name]


def _place(form: Mapping[str, str], address: PublicAddress, in_force: InForce) -> _Named:
    """The place of the wiki that `resource` names, None without one: the code or token knows its wiki."""
    if "resource" not in form:
        return None
    place = place_of_resource(address, form["resource"], in_force)
    if place is None:
        raise _Malformed(Fault.TARGET, "resource is no wiki of this host.")
    return place


def _tokens(issued: Issued) -> Response:
    """RFC 6749, section 5.1; the scopes are told even where they are those that were asked for."""
    return json_answer(
        200,
        {
            "access_token": issued.access_token,
            "token_type": "Bearer",
            "expires_in": issued.expires_in,
            "refresh_token": issued.refresh_token,
            "scope": spell_scopes(issued.scopes),
        },
    )


def _refuse(refused: Refused, address: PublicAddress) -> Response:
    """RFC 6749, section 5.2."""
    if refused.fault is not Fault.CLIENT:
        return error_answer(400, refused.fault, refused.sentence)
    challenge = {"WWW-Authenticate": f'Basic realm="{address.platform_origin}"'}
    return error_answer(401, refused.fault, refused.sentence, challenge)
