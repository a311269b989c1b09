"""The OpenID Connect client: the `Provider` that an operator's own sign-in server is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from robot.clock import Clock, wall_clock
from robot.fetch import FetchRefused
from robot.secret import new_secret
from robot.signin.oidc.id_token import Expected, verify
from robot.signin.oidc.issuer import DEADLINE_S, MAX_BYTES, Issuer, distrust, read_object
from robot.signin.providers import Departure, Identity, SignInFailed

CALLBACK_PATH = "/auth/callback/oidc"

_SCOPE = "openid profile"
_FORM = "application/x-www-form-urlencoded"
_ERROR = re.compile(r"[a-z_]{1,60}")
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_MAX_CODE_CHARS = 4096


@dataclass(frozen=True, slots=True)
class Registration:
    """What the operator agreed on with the provider. Without a secret we are a public client, which PKCE makes safe."""

    client_id: str
    secret: str = field(repr=False)
    redirect_uri: str


class OidcProvider:
    """Sends people to the provider, and believes it about who they are, after checking that it is it that speaks.

    A subject is the issuer and the subject of the ID token, with `#` between: no issuer has one. There are no handles:
    what a provider calls its people is their own choice at many of them, and would pass for a Bluesky handle here.
    """

    name = "oidc"
    asks = False

    def __init__(self, issuer: Issuer, registration: Registration, *, label: str, clock: Clock = wall_clock) -> None:
        self._issuer = issuer
        self._registration = registration
        self.label = label
        self._clock = clock

    async def begin(self, typed: str, *, state: str, return_after: str = "") -> Departure:
        """As `Provider.begin`; nothing is asked, so `typed` does not matter."""
        endpoints = await self._issuer.endpoints()
        verifier, nonce = new_secret(), new_secret()
        address = prepare_grant_uri(
            endpoints.authorization,
            self._registration.client_id,
            "code",
            redirect_uri=self._registration.redirect_uri,
            scope=_SCOPE,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return Departure(address, {"verifier": verifier, "nonce": nonce})

    async def finish(self, query: Mapping[str, str], memory: Mapping[str, str]) -> Identity:
        """As `Provider.finish`. The access token is used to check the ID token, and thrown away."""
        endpoints = await self._issuer.endpoints()
        # Before anything else is believed: at which server the person was (RFC 9207, section 2.4).
        if query.get("iss", "" if endpoints.says_issuer else self._issuer.url) != self._issuer.url:
            raise distrust("another server sent you back")
        if "error" in query:
            raise self._told(query["error"])
        code = query.get("code", "")
        if not 0 < len(code) <= _MAX_CODE_CHARS:
            raise distrust("it sent you back without a code")
        answer = await self._redeem(code, memory["verifier"])
        token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str):
            raise distrust("it gave no token that says who you are")
        expected = Expected(
            self._registration.client_id, memory["nonce"], access_token if isinstance(access_token, str) else None
        )
        claims = await verify(token, self._issuer, expected, clock=self._clock)
        name = _shown_name(claims) or await self._ask_for_name(claims["sub"], expected.access_token)
        return Identity(self.name, f"{self._issuer.url}#{claims['sub']}", None, name)

    async def _redeem(self, code: str, verifier: str) -> Mapping[str, Any]:
        endpoints = await self._issuer.endpoints()
        body = prepare_token_request(
            "authorization_code", code=code, redirect_uri=self._registration.redirect_uri, code_verifier=verifier
        )
        address, headers, body = self._authenticated(endpoints.token, endpoints.auth_methods, body)
        try:
            fetched = await self._issuer.door_to(address).post(
                address,
                body=body.encode(),
                content_type=_FORM,
                headers=headers,
                types=("application/json",),
                max_bytes=MAX_BYTES,
                deadline_s=DEADLINE_S,
                statuses=(200, 400, 401),
            )
        except FetchRefused as error:
            raise SignInFailed("unreachable", f"The sign-in server cannot be asked: {error}") from error
        answer = read_object(fetched.body)
        if fetched.status != 200:
            raise self._told(answer.get("error"))
        return answer

    async def _ask_for_name(self, subject: str, access_token: str | None) -> str:
        """What the person is called, where only UserInfo says so (OpenID Connect Core 1.0, section 5.4), or ""."""
        endpoint = (await self._issuer.endpoints()).userinfo
        if endpoint is None or access_token is None or not _TOKEN.fullmatch(access_token):
            return ""
        try:
            fetched = await self._issuer.door_to(endpoint).get(
                endpoint,
                headers={"Authorization": f"Bearer {access_token}"},
                types=("application/json",),
                max_bytes=MAX_BYTES,
                deadline_s=DEADLINE_S,
                max_redirects=0,
            )
            said = read_object(fetched.body)
        except (FetchRefused, SignInFailed):
            return ""  # it is only a proposal for the form that comes
        return _shown_name(said) if said.get("sub") == subject else ""

    def _authenticated(self, address: str, methods: tuple[str, ...], body: str) -> tuple[str, dict[str, str], str]:
        """The token request with the proof that it is us, in a way that the provider takes."""
        client_id, secret = self._registration.client_id, self._registration.secret
        if not secret:
            method = "none"
        elif "client_secret_basic" in methods or "client_secret_post" not in methods:
            method = "client_secret_basic"
            # RFC 6749, section 2.3.1, has them encoded first, which Authlib leaves to us.
            client_id, secret = quote_plus(client_id), quote_plus(secret)
        else:
            method = "client_secret_post"
        prepared: tuple[str, dict[str, str], str] = ClientAuth(client_id, secret, method).prepare(
            "POST", address, {}, body
        )
        return prepared

    def _told(self, error: object) -> SignInFailed:
        """What an error code of the provider means to the person."""
        match error:
            case "access_denied":
                return SignInFailed("denied", f"You, or {self.label}, said no. Begin again if that was not meant.")
            case "invalid_grant":
                return SignInFailed("expired", "It took too long, or was used already. Begin again.")
            case "invalid_client" | "unauthorized_client":
                sentence = f"This host is not known to {self.label}, or not by its secret. Tell this host's operator."
                return SignInFailed("refused", sentence)
            case "temporarily_unavailable" | "server_error":
                return SignInFailed("unreachable", f"Just now {self.label} cannot sign you in. Try again in a moment.")
        said = f" ({error})" if isinstance(error, str) and _ERROR.fullmatch(error) else ""
        return SignInFailed(
            "refused", f"The sign-in server refused{said}. Begin again, or tell the operator of this host."
        )


def _shown_name(claims: Mapping[str, Any]) -> str:
    names = (claims.get(name) for name in ("name", "preferred_username"))
    return next((name for name in names if isinstance(name, str) and name.strip()), "")
