"""Proof of possession: each request of one sign-in is signed by a key that only that sign-in has (RFC 9449; pure)."""

from __future__ import annotations

from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

from robot.secret import new_secret

NONCE_HEADER = "dpop-nonce"


def new_dpop_key() -> ECKey:
    """A key for one sign-in."""
    return ECKey.generate_key("P-256", private=True, auto_kid=False)


def dpop_proof(key: ECKey, url: str, nonce: str | None, now: float) -> str:
    """The `DPoP` header of one POST to `url`, with the nonce that its server gave last, if any (section 4.2)."""
    claims = {"jti": new_secret(), "htm": "POST", "htu": urlsplit(url)._replace(query="").geturl(), "iat": int(now)}
    if nonce is not None:
        claims["nonce"] = nonce
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, claims, key)
