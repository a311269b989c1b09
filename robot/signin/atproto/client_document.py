"""What this host says of itself to every authorization server (OAuth Client ID Metadata Document; pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from robot.address import PublicAddress
from robot.signin.atproto.client_keys import KeyRing, public_jwk

METADATA_PATH = "/oauth-client-metadata.json"
"""Servers show a client as its host alone if its document is exactly there, else as the document's whole address."""

JWKS_PATH = "/oauth/jwks.json"
CALLBACK_PATH = "/auth/callback"

SCOPE = "atproto"
"""Who somebody is, and nothing that they have."""


_NOT_PUBLIC = frozenset({"test", "local", "localhost", "invalid", "example", "internal", "arpa", "onion", "alt"})


def is_public_name(domain: str) -> bool:
    """Whether servers take a client of that domain, as far as its name says; they also must reach it."""
    return domain.rpartition(".")[2] not in _NOT_PUBLIC


def client_id(address: PublicAddress) -> str:
    """The address of the document, which is this host's name as a client."""
    return address.platform_origin + METADATA_PATH


def redirect_uri(address: PublicAddress) -> str:
    """Where servers send the browser back to."""
    return address.platform_origin + CALLBACK_PATH


def client_metadata(address: PublicAddress) -> Mapping[str, Any]:
    """The document (RFC 7591, section 2, as the profile of the AT Protocol demands it)."""
    origin = address.platform_origin
    return {
        "client_id": client_id(address),
        "client_name": address.domain,
        "client_uri": f"{origin}/",
        "application_type": "web",
        "redirect_uris": [redirect_uri(address)],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "scope": SCOPE,
        "dpop_bound_access_tokens": True,
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "jwks_uri": origin + JWKS_PATH,
    }


def client_jwks(ring: KeyRing, now: float) -> Mapping[str, Any]:
    """The public keys, for `jwks_uri` (RFC 7517, section 5)."""
    return {"keys": [public_jwk(key) for key in ring.published(now)]}
