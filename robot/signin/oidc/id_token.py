"""Whether an ID token is genuine, and of whom it speaks (OpenID Connect Core 1.0, section 3.1.3.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError

from robot.clock import Clock
from robot.signin.oidc.issuer import Issuer, distrust

# Those with a public key. `none` proves nothing, and with HS256 whoever knows the public key could sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")

LEEWAY_S = 60
"""How far the provider's clock may be from ours."""

MAX_AGE_S = 600
"""How long ago a token may have been made: it was asked for just now."""

_MAX_SUBJECT_CHARS = 255


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token must be about: our own request."""

    client_id: str
    nonce: str
    access_token: str | None


async def verify(token: str, issuer: Issuer, expected: Expected, *, clock: Clock) -> Mapping[str, Any]:
    """The claims of a genuine token. Raises `SignInFailed`."""
    try:
        decoded = await _decode(token, issuer)
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={
                "iss": {"essential": True, "value": issuer.url},
                "aud": {"essential": True, "value": expected.client_id},
            },
            params={
                "client_id": expected.client_id,
                "nonce": expected.nonce,
                "access_token": expected.access_token,
            },
        )
        now = int(clock())
        claims.validate(now, LEEWAY_S)
    except (JoseError, ValueError, TypeError, AttributeError) as error:
        raise distrust(f"its token does not hold ({_reason(error)})") from error
    if claims["iat"] < now - MAX_AGE_S:
        raise distrust("its token is an old one")
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject.isprintable() or not 0 < len(subject) <= _MAX_SUBJECT_CHARS:
        raise distrust("its token does not say who you are")
    checked: Mapping[str, Any] = claims
    return checked


async def _decode(token: str, issuer: Issuer) -> jwt.Token:
    try:
        return jwt.decode(token, await issuer.keys(), algorithms=ALGORITHMS)
    except InvalidKeyIdError:
        # The provider has changed its keys since they were asked for.
        return jwt.decode(token, await issuer.keys(fresh=True), algorithms=ALGORITHMS)


def _reason(error: Exception) -> str:
    """In which way; never the text of a token."""
    claim = getattr(error, "claim", None)
    return f"its {claim} is wrong" if isinstance(claim, str) else type(error).__name__
