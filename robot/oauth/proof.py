"""How a client proves at the token endpoint who it is (RFC 6749, section 2.3.1; pure)."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from robot.oauth.clients import AuthMethod, Client
from robot.secret import hash_secret


class ProofMalformed(ValueError):
    """Nobody can tell which client this is meant to be; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Which client somebody says they are, and how they prove it. `secret` is None for public clients."""

    client_id: str
    method: AuthMethod
    secret: str | None


def read_proof(form: Mapping[str, str], authorization: str | None) -> Proof:
    """The proof in a request's form and its Authorization header. Raises `ProofMalformed`."""
    if authorization is not None:
        proof = _read_basic(authorization)
        if "client_secret" in form or form.get("client_id", proof.client_id) != proof.client_id:
            raise ProofMalformed("The client says who it is twice: in the Authorization header and in the form.")
        return proof
    client_id = form.get("client_id")
    if not client_id:
        raise ProofMalformed("client_id is missing.")
    secret = form.get("client_secret")
    return Proof(client_id, AuthMethod.NONE if secret is None else AuthMethod.POST, secret)


def is_proven(client: Client, proof: Proof) -> bool:
    """Whether `proof` is made in the way that the client registered, with its secret."""
    if proof.method is not client.auth_method:
        return False
    if client.auth_method is AuthMethod.NONE:
        return True
    if client.secret_hash is None or proof.secret is None:
        return False
    return hmac.compare_digest(client.secret_hash, hash_secret(proof.secret))


def _read_basic(authorization: str) -> Proof:
    scheme, _, encoded = authorization.partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        decoded = ""
    client_id, colon, secret = decoded.partition(":")
    if scheme.lower() != "basic" or not colon or not client_id:
        raise ProofMalformed("The Authorization header is not Basic with a client's id and secret.")
    # Both are form-encoded first, so that an id may hold a colon.
    return Proof(unquote_plus(client_id), AuthMethod.BASIC, unquote_plus(secret))
