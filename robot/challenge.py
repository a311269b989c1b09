"""How a request without a good credential, or with too weak a one, is refused: for the front, MCP and REST alike.

A challenge names the wiki's resource metadata, where a client learns whom to ask for a token (RFC 9728, section 5.1),
and the scopes to ask for, since clients ask only for those that are named (RFC 6750, section 3).
"""

from __future__ import annotations

import json

from proxy.asgi import Headers
from robot.oauth.metadata import resource_metadata_address
from robot.oauth.scopes import SCOPES

_NONE_SENT = (
    "This wiki needs a credential: connect with OAuth, or send 'Authorization: Bearer robot_…' with a token made on the"
    " wiki's page Agents."
)
NOT_VALID = "This token is not valid here: it may be mistyped, expired, revoked, or of another wiki."
_READ_ONLY = "This connection may only read. Its person may grant it more: ask them to consent to writing."


def unauthorized(origin: str, token_sent: bool) -> tuple[int, Headers, bytes]:
    """The 401 as (status, headers, JSON body), for a wiki at `origin`.

    `error` is given only when a token was sent (RFC 6750, section 3.1).
    """
    error = "invalid_token" if token_sent else None
    return _refusal(401, error or "unauthorized", NOT_VALID if token_sent else _NONE_SENT, _bearer(origin, error))


def insufficient_scope(origin: str) -> tuple[int, Headers, bytes]:
    """The 403 that has a client ask its person for more: `access.may_once_granted` says when that would help."""
    return _refusal(403, "insufficient_scope", _READ_ONLY, _bearer(origin, "insufficient_scope"))


def _bearer(origin: str, error: str | None) -> str:
    parameters = {
        "realm": origin,
        **({"error": error} if error else {}),
        "scope": " ".join(SCOPES),
        "resource_metadata": resource_metadata_address(origin),
    }
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())


def _refusal(status: int, code: str, sentence: str, challenge: str) -> tuple[int, Headers, bytes]:
    headers = [
        (b"www-authenticate", challenge.encode()),
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
    ]
    return status, headers, json.dumps({"error": sentence, "code": code}, ensure_ascii=False).encode()
