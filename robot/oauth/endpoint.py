"""`/oauth/token` and `/oauth/revoke`: where programs, not people, come."""

from __future__ import annotations

import re
from collections.abc import Mapping

from quart import Blueprint, Response, jsonify, request
from werkzeug.datastructures import MultiDict

from robot.address import PublicAddress
from robot.clock import Clock, wall_clock
from robot.db import Database, DatabaseError
from robot.model import Scope
from robot.oauth.clients import ClientDocumentFailed, Clients, ClientUnknown
from robot.oauth.codes import Shown, redeem_code
from robot.oauth.proof import Proof, ProofMalformed, is_proven, read_proof
from robot.oauth.refreshing import ShownRefresh, refresh, revoke
from robot.oauth.resources import slug_of_resource
from robot.oauth.scopes import ScopeUnknown, parse_scopes, spell_scopes
from robot.oauth.tokens import Fault, Issued, Lives, Refused

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636, section 4.1
_FORM = "application/x-www-form-urlencoded"


class _Malformed(Exception):
    """A request that is refused before anything is looked up."""

    def __init__(self, fault: Fault, sentence: str) -> None:
        super().__init__(sentence)
        self.refused = Refused(fault, sentence)


def token_endpoint(
    *, db: Database, address: PublicAddress, clients: Clients, lives: Lives, clock: Clock = wall_clock
) -> Blueprint:
    """The blueprint; all its answers are JSON."""
    pages = Blueprint("oauth_token", __name__, url_prefix="/oauth")

    @pages.post("/token")
    async def token() -> Response:
        form = await _read_form()
        client_id = await _prove_client(clients, form)
        match form.get("grant_type"):
            case "authorization_code":
                shown = Shown(
                    client_id, _field(form, "code"), _field(form, "redirect_uri"), _verifier(form), _slug(form, address)
                )
                return _answer(await redeem_code(db, shown, lives, clock=clock))
            case "refresh_token":
                refreshed = ShownRefresh(client_id, _field(form, "refresh_token"), _scopes(form), _slug(form, address))
                return _answer(await refresh(db, refreshed, lives, clock=clock))
            case None:
                raise _Malformed(Fault.REQUEST, "grant_type is missing.")
            case _:
                raise _Malformed(Fault.GRANT_TYPE, "grant_type is authorization_code or refresh_token.")

    @pages.post("/revoke")
    async def revoke_token() -> Response:
        form = await _read_form()
        client_id = await _prove_client(clients, form)
        refusal = await revoke(db, client_id, _field(form, "token"))
        return _no_store(jsonify({})) if refusal is None else _refuse(refusal, address)

    @pages.errorhandler(_Malformed)
    async def malformed(error: _Malformed) -> Response:
        return _refuse(error.refused, address)

    @pages.errorhandler(DatabaseError)
    async def unavailable(_: DatabaseError) -> Response:
        answer = _no_store(jsonify(error="temporarily_unavailable", error_description="Try again in a moment."))
        answer.status_code = 503
        answer.headers["Retry-After"] = "2"
        return answer

    def _answer(outcome: Issued | Refused) -> Response:
        if isinstance(outcome, Refused):
            return _refuse(outcome, address)
        return _no_store(
            jsonify(
                access_token=outcome.access_token,
                token_type="Bearer",
                expires_in=outcome.expires_in,
                refresh_token=outcome.refresh_token,
                scope=spell_scopes(outcome.scopes),
            )
        )

    return pages


async def _read_form() -> Mapping[str, str]:
    """The form, in which nothing may be there twice (RFC 6749, section 3.2). An empty field counts as left out."""
    if request.mimetype != _FORM:
        raise _Malformed(Fault.REQUEST, f"Send the parameters as {_FORM}.")
    form: MultiDict[str, str] = await request.form
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
    except ProofMalformed as error:
        raise _Malformed(Fault.CLIENT, str(error)) from error
    if not await _is_good(clients, proof):
        raise _Malformed(Fault.CLIENT, "This client is not known, or it did not prove itself as it registered to.")
    return proof.client_id


async def _is_good(clients: Clients, proof: Proof) -> bool:
    if proof.client_id.startswith("https://"):
        return proof.secret is None
    try:
        return is_proven(await clients.find_client(proof.client_id), proof)
    except (ClientUnknown, ClientDocumentFailed):
        return False


def _field(form: Mapping[str, str], name: str) -> str:
    if name not in form:
        raise _Malformed(Fault.REQUEST, f"{name} is missing.")
    return form[name]


def _verifier(form: Mapping[str, str]) -> str:
    verifier = _field(form, "code_verifier")
    if not _VERIFIER.fullmatch(verifier):
        raise _Malformed(Fault.REQUEST, "code_verifier has 43 to 128 characters of A–Z, a–z, 0–9 and -._~.")
    return verifier


def _slug(form: Mapping[str, str], address: PublicAddress) -> str | None:
    """The slug of the wiki that `resource` names, None without one: the code or token knows its wiki."""
    if "resource" not in form:
        return None
    slug = slug_of_resource(address, form["resource"])
    if slug is None:
        raise _Malformed(Fault.TARGET, "resource is no wiki of this host.")
    return slug


def _scopes(form: Mapping[str, str]) -> frozenset[Scope]:
    try:
        return parse_scopes(form.get("scope", ""))
    except ScopeUnknown as error:
        raise _Malformed(Fault.SCOPE, str(error)) from error


def _refuse(refused: Refused, address: PublicAddress) -> Response:
    answer = _no_store(jsonify(error=refused.fault.value, error_description=refused.sentence))
    answer.status_code = 401 if refused.fault is Fault.CLIENT else 400
    if refused.fault is Fault.CLIENT:
        answer.headers["WWW-Authenticate"] = f'Basic realm="{address.platform_origin}"'
    return answer


def _no_store(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Pragma"] = "no-cache"
    return answer
