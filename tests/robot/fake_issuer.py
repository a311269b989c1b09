"""An OpenID Connect provider with a knob for each way to misbehave, over real TLS."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

from robot.signin.oidc.client import CALLBACK_PATH, OidcProvider, Registration
from robot.signin.oidc.issuer import Issuer
from tests.robot.small_host import ADDRESS, FakeClock
from tests.robot.tls_server import Server, reply, tls_server

CLIENT_ID = "robot+wiki"
SECRET = "s:cr/t + 100%"
REDIRECT_URI = ADDRESS.platform_origin + CALLBACK_PATH

Change = Callable[[dict[str, Any]], object]


@cache
def rsa_key(kid: str = "k1") -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid})


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _unchanged(_: dict[str, Any]) -> None:
    return


@dataclass
class FakeIssuer:
    """Right in everything until a knob is turned. `spoken` is what the token endpoint was sent."""

    server: Server
    clock: FakeClock
    key: Key = field(default_factory=rsa_key)
    published: list[Key] = field(default_factory=lambda: [rsa_key()])
    alg: str = "RS256"
    header: Mapping[str, Any] = field(default_factory=dict)
    metadata: Change = _unchanged
    claims: Change = _unchanged
    answer: Change = _unchanged
    sign: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
    token_status: int = 200
    token_type: str = "application/json"
    raw: Mapping[str, bytes] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    spoken: list[Mapping[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.server.url("")

    def provider(self, secret: str = SECRET) -> OidcProvider:
        door = self.server.door()
        registration = Registration(CLIENT_ID, secret, REDIRECT_URI)
        issuer = Issuer(self.url, door=door, clock=self.clock)
        return OidcProvider(issuer, registration, label="the university", clock=self.clock)

    def authorize(self, address: str) -> str:
        """What a person who agrees makes of the address: the query that the browser comes back with."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert (asked["client_id"], asked["redirect_uri"]) == (CLIENT_ID, REDIRECT_URI)
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return code

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if path in self.raw:
            reply(handler, 200, self.raw[path], "application/json")
        elif path == "/.well-known/openid-configuration":
            self._say(handler, self._metadata())
        elif path == "/jwks":
            self._say(handler, {"keys": [key.as_dict(private=key.key_type == "oct") for key in self.published]})
        elif path == "/token":
            self._redeem(handler, {name: values[0] for name, values in parse_qs(body.decode()).items()})
        else:
            reply(handler, 404)

    def _metadata(self) -> dict[str, Any]:
        said = {
            "issuer": self.url,
            "authorization_endpoint": self.server.url("/authorize?tenant=1"),
            "token_endpoint": self.server.url("/token"),
            "jwks_uri": self.server.url("/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        self.metadata(said)
        return said

    def _redeem(self, handler: BaseHTTPRequestHandler, sent: dict[str, str]) -> None:
        credentials = handler.headers.get("Authorization", "")
        if credentials:
            name, _, secret = base64.b64decode(credentials.removeprefix("Basic ")).decode().partition(":")
            sent |= {"basic_id": unquote_plus(name), "basic_secret": unquote_plus(secret)}
        self.spoken.append(sent)
        asked = self.codes.pop(sent.get("code", ""), None)
        if asked is None or asked["code_challenge"] != _s256(sent["code_verifier"]):
            self._say(handler, {"error": "invalid_grant"}, 400)
            return
        said = {"access_token": "at-1", "token_type": "Bearer", "id_token": self._id_token(asked["nonce"])}
        self.answer(said)
        self._say(handler, said, self.token_status, self.token_type)

    def _id_token(self, nonce: str) -> str:
        now = int(self.clock.now)
        half = hashlib.sha256(b"at-1").digest()[:16]
        claims = {
            "iss": self.url, "sub": "248289761001", "aud": CLIENT_ID, "exp": now + 300, "iat": now, "nonce": nonce,
            "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(), "name": "Bob Müller",
            "preferred_username": "ada.bsky.social",
        }  # fmt: skip
        self.claims(claims)
        header = {"alg": self.alg, "kid": self.key.kid, **self.header}
        if self.sign is not None:
            return self.sign(header, claims)
        return jwt.encode(header, claims, self.key, algorithms=[self.alg])

    def _say(
        self, handler: BaseHTTPRequestHandler, said: object, status: int = 200, content_type: str = "application/json"
    ) -> None:
        reply(handler, status, json.dumps(said).encode(), content_type)


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{part({**header, 'alg': 'none'})}.{part(claims)}."


def by_the_public_key(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """The public key as an HMAC secret, the classic of confused algorithms."""
    signed = f"{part({**header, 'alg': 'HS256'})}.{part(claims)}"
    digest = hmac.digest(rsa_key().as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def elliptic_key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "e1"})


@contextmanager
def fake_issuer(place: Path) -> Iterator[FakeIssuer]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        issuer.handle(handler)

    with tls_server(place, answer) as server:
        issuer = FakeIssuer(server, FakeClock())
        yield issuer
