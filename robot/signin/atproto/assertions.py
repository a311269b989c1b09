"""How this host proves to an authorization server which client it is: `private_key_jwt` (RFC 7523, section 3; pure)."""

from __future__ import annotations

from collections.abc import Mapping

from joserfc import jwt

from robot.secret import new_secret
from robot.signin.atproto.client_keys import ClientKey

ASSERTION_LIFE_S = 60
"""Servers of the AT Protocol take none that lives longer."""

_KIND = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def client_proof(key: ClientKey, client_id: str, issuer: str, now: float) -> Mapping[str, str]:
    """The members of a form that prove who asks. Each request needs new ones: a server takes an assertion once."""
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": issuer,
        "jti": new_secret(),
        "iat": int(now),
        "exp": int(now) + ASSERTION_LIFE_S,
    }
    assertion = jwt.encode({"alg": "ES256", "kid": key.id}, claims, key.pair)
    return {"client_id": client_id, "client_assertion_type": _KIND, "client_assertion": assertion}
