"""Random identifiers and secrets: how they are made, and what of them is stored."""

from __future__ import annotations

import base64
import hashlib
import secrets

_ID_BYTES = 10  # 80 bits: unguessable is not needed of an id, never colliding is
_SECRET_BYTES = 32
# What is longer is none of ours, and need not be looked up.
MAX_SECRET_CHARS = 200


def new_id(prefix: str) -> str:
    """A random id such as `w_3k7d…`: `prefix`, underscore, 16 characters of lower-case base32."""
    return f"{prefix}_{base64.b32encode(secrets.token_bytes(_ID_BYTES)).decode().lower()}"


def new_secret() -> str:
    """256 random bits, safe in URLs, cookies and headers."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def hash_secret(secret: str) -> bytes:
    """The SHA-256 that stands for a secret at rest. The secrets are random, so no salt and no slow hash is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
