"""Secrets of codes and tokens, and how one pair of tokens follows from another (pure, but for randomness).

A pair is a refresh token and the access token that is given with it. The access token follows from the refresh token by
HMAC-SHA256, and a pair's successor from its refresh token and a random salt. So the same answer can be given again to a
client that lost it, while the database holds nothing but hashes and salts, of which no secret can be made.

A refresh token names its family in front of its secret: an old one gives a theft away even when its own row is gone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from robot.secret import new_secret

# Secret scanners know all our secrets by their first letters.
CODE_PREFIX = "robot_code_"
ACCESS_PREFIX = "robot_access_"
REFRESH_PREFIX = "robot_refresh_"

_SALT_BYTES = 16


def new_code() -> str:
    return CODE_PREFIX + new_secret()


def first_refresh(family: str) -> str:
    """The refresh token that a family begins with."""
    return _refresh(family, new_secret())


def family_of(refresh: str) -> str:
    """The family that a refresh token names, whether there is such a token or not."""
    return refresh.removeprefix(REFRESH_PREFIX).partition(".")[0]


def new_salt() -> bytes:
    return secrets.token_bytes(_SALT_BYTES)


def access_of(refresh: str) -> str:
    """The access token of a refresh token's pair."""
    return ACCESS_PREFIX + _derive(refresh, b"access")


def successor_of(refresh: str, salt: bytes) -> str:
    """The refresh token of the next pair."""
    return _refresh(family_of(refresh), _derive(refresh, b"refresh" + salt))


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636, section 4.2)."""
    return _unpadded(hashlib.sha256(verifier.encode("utf-8", "surrogateescape")).digest())


def _refresh(family: str, secret: str) -> str:
    return f"{REFRESH_PREFIX}{family}.{secret}"


def _derive(secret: str, purpose: bytes) -> str:
    return _unpadded(hmac.digest(secret.encode("utf-8", "surrogateescape"), purpose, "sha256"))


def _unpadded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
