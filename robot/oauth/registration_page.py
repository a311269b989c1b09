"""`POST /oauth/register`: a client makes itself known, before anybody has consented to it (RFC 7591)."""

from __future__ import annotations

import json
from typing import Any

from quart import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from robot.clock import Clock, wall_clock
from robot.db import DatabaseError
from robot.oauth.client_metadata import MetadataRefused, read_client_metadata
from robot.oauth.clients import AuthMethod, Client
from robot.oauth.endpoints import REGISTER
from robot.oauth.json_answers import RETRY_SOON, error_answer, json_answer
from robot.oauth.registrations import Registrations
from robot.oauth.scopes import SCOPES


def registration_page(registrations: Registrations, *, clock: Clock = wall_clock) -> Blueprint:
    """The endpoint. It is open to all, as often as `robot.limits` lets them: registering gives access to nothing."""
    pages = Blueprint("oauth_registration", __name__)

    @pages.post(REGISTER)
    async def register() -> Response:
        try:
            said = json.loads(await request.get_data())
            metadata = read_client_metadata(said, default_auth=AuthMethod.BASIC)
        except MetadataRefused as refused:
            return error_answer(400, refused.code, str(refused))
        except (ValueError, RecursionError):
            return error_answer(400, "invalid_client_metadata", "Send one JSON object (RFC 7591, section 3.1).")
        client, secret = await registrations.add(metadata)
        return json_answer(201, _information(client, secret, int(clock())))

    @pages.errorhandler(HTTPException)
    async def unreadable(error: HTTPException) -> Response:
        return error_answer(error.code or 400, "invalid_client_metadata", "The request is too large or too slow.")

    @pages.errorhandler(DatabaseError)
    async def not_stored(_: DatabaseError) -> Response:
        sentence = "The client could not be stored just now; register again in a moment."
        return error_answer(503, "temporarily_unavailable", sentence, RETRY_SOON)

    return pages


def _information(client: Client, secret: str | None, now: int) -> dict[str, Any]:
    """What the client is told (RFC 7591, section 3.2.1). Nothing is null: some clients cannot read that."""
    told: dict[str, Any] = {
        "client_id": client.id,
        "client_id_issued_at": now,
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "token_endpoint_auth_method": client.auth_method,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": " ".join(SCOPES),
    }
    if client.uri is not None:
        told["client_uri"] = client.uri
    if secret is not None:
        told |= {"client_secret": secret, "client_secret_expires_at": 0}
    return told
