"""How a request without a good token is refused, for MCP and REST alike."""

from __future__ import annotations

import json

# Clients ask for the scopes that the challenge names, so it names both.
OFFERED_SCOPES = "wiki:read wiki:write"

_NONE_SENT = "This wiki needs a token: send 'Authorization: Bearer robot_…', made on the wiki's token page."
_NOT_VALID = "This token is not valid here: it may be mistyped, expired, revoked, or of another wiki."


def unauthorized(origin: str, token_sent: bool) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """The 401 as (status, headers, JSON body), for a wiki at `origin`.

    `error` is given only when a token was sent (RFC 6750, section 3.1). No `resource_metadata` is named: there is no
    authorization server to discover yet, and clients follow the pointer before they show the sentence in the body.
    """
    challenge = f'Bearer realm="{origin}", scope="{OFFERED_SCOPES}"'
    if token_sent:
        challenge += ', error="invalid_token"'
    body = {
        "error": _NOT_VALID if token_sent else _NONE_SENT,
        "code": "invalid_token" if token_sent else "unauthorized",
    }
    return (
        401,
        [
            (b"www-authenticate", challenge.encode()),
            (b"content-type", b"application/json"),
            (b"cache-control", b"no-store"),
        ],
        json.dumps(body, ensure_ascii=False).encode(),
    )
