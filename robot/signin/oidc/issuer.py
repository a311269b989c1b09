"""What an OpenID Connect provider says of itself (OpenID Connect Discovery 1.0): its endpoints and its keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from robot.clock import Clock, steady_clock
from robot.fetch import Door, FetchRefused
from robot.signin.providers import SignInFailed

KEPT_S = 600.0
"""How long a document is believed without asking anew. Keys are asked for anew, too, when one is missing."""

DEADLINE_S = 8.0
MAX_BYTES = 256 * 1024

_WELL_KNOWN = "/.well-known/openid-configuration"
_JSON = ("application/json", "application/jwk-set+json")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where to send the browser, where to redeem its code and to ask for a name, and how to prove there who we are."""

    authorization: str
    token: str
    jwks: str
    userinfo: str | None
    auth_methods: tuple[str, ...]
    says_issuer: bool


class Issuer:
    """The provider at `url`, as it writes itself. `home` is the door to its own host, `door` that to all others."""

    def __init__(self, url: str, *, door: Door, home: Door | None = None, clock: Clock = steady_clock) -> None:
        self.url = url
        self._host = urlsplit(url).hostname
        self._door = door
        self._home = home or door
        self._clock = clock
        self._endpoints: tuple[float, Endpoints] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def door_to(self, url: str) -> Door:
        """By which door an address is asked: only the issuer's own host may stand in a private network."""
        return self._home if urlsplit(url).hostname == self._host else self._door

    async def endpoints(self) -> Endpoints:
        """The endpoints, asked for when they are not known. Raises `SignInFailed`."""
        if self._endpoints is None or self._endpoints[0] <= self._clock():
            found = _read_metadata(await self._document(self.url.rstrip("/") + _WELL_KNOWN), self.url)
            self._endpoints = (self._clock() + KEPT_S, found)
        return self._endpoints[1]

    async def keys(self, *, fresh: bool = False) -> KeySet:
        """The keys that sign ID tokens; `fresh` asks in any case. Raises `SignInFailed`."""
        if fresh or self._keys is None or self._keys[0] <= self._clock():
            found = _read_keys(await self._document((await self.endpoints()).jwks))
            self._keys = (self._clock() + KEPT_S, found)
        return self._keys[1]

    async def _document(self, url: str) -> Mapping[str, Any]:
        try:
            fetched = await self.door_to(url).get(
                url, types=_JSON, max_bytes=MAX_BYTES, deadline_s=DEADLINE_S, max_redirects=0
            )
        except FetchRefused as error:
            raise SignInFailed("unreachable", f"The sign-in server cannot be asked: {error}") from error
        return read_object(fetched.body)


def read_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object that a server answered with. Raises `SignInFailed`."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise distrust("it answered with something that is not a JSON object")
    return value


def distrust(reason: str) -> SignInFailed:
    """What to raise where the server's answer must not be believed; the operator has to look into it."""
    return SignInFailed(
        "refused", f"The sign-in server's answer is not as it must be: {reason}. Tell the operator of this host."
    )


def _read_metadata(said: Mapping[str, Any], issuer: str) -> Endpoints:
    if said.get("issuer") != issuer:
        raise distrust("it describes another issuer")
    authorization, token, jwks = (
        _https(said.get(name)) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    )
    userinfo = said.get("userinfo_endpoint")
    methods = said.get("token_endpoint_auth_methods_supported")
    return Endpoints(
        authorization,
        token,
        jwks,
        userinfo=userinfo if isinstance(userinfo, str) else None,
        auth_methods=tuple(map(str, methods)) if isinstance(methods, list) else (),
        says_issuer=said.get("authorization_response_iss_parameter_supported") is True,
    )


def _https(address: object) -> str:
    if not isinstance(address, str) or not address.startswith("https://"):
        raise distrust("its endpoints are not all https addresses")
    return address


def _read_keys(said: Mapping[str, Any]) -> KeySet:
    listed = said.get("keys")
    keys = [key for each in listed if (key := _read_key(each)) is not None] if isinstance(listed, list) else []
    if not keys:
        raise distrust("it has no key that signs")
    return KeySet(keys)


def _read_key(said: object) -> Key | None:
    """A public key that signs, or None: what is of another use, of another kind or a shared secret is left out."""
    if not isinstance(said, dict) or said.get("kty") == "oct" or said.get("use", "sig") != "sig":
        return None
    try:
        return JWKRegistry.import_key(said)
    except (JoseError, ValueError, TypeError):
        return None
