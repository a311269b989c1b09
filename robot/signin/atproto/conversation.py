"""What is said to one authorization server during one sign-in: each request proves who we are, and that it is ours."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from joserfc.jwk import ECKey

from robot.clock import Clock, wall_clock
from robot.fetch import Door, Fetched, FetchRefused
from robot.signin.atproto.assertions import client_proof
from robot.signin.atproto.client_keys import ClientKey
from robot.signin.atproto.dpop import NONCE_HEADER, dpop_proof
from robot.signin.providers import SignInFailed

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 64 * 1024
DEADLINE_S = 10.0

_DONE = frozenset({200, 201})
_REFUSED = frozenset({400, 401})
_FORM = "application/x-www-form-urlencoded"
# Only these are logged: a server could write into any other what it was told in confidence.
_KNOWN_ERRORS = frozenset(
    {
        "access_denied",
        "invalid_client",
        "invalid_client_metadata",
        "invalid_dpop_proof",
        "invalid_grant",
        "invalid_redirect_uri",
        "invalid_request",
        "invalid_scope",
        "server_error",
        "unauthorized_client",
        "unsupported_grant_type",
        "use_dpop_nonce",
    }
)


@dataclass(slots=True)
class Conversation:
    """Requests to the server `issuer`. `nonce` is the one that it gave last: the next request must have it."""

    door: Door
    client_id: str
    client_key: ClientKey
    issuer: str
    dpop_key: ECKey
    nonce: str | None = None
    clock: Clock = wall_clock

    async def ask(self, endpoint: str, form: Mapping[str, str]) -> Mapping[str, Any]:
        """The JSON object that an endpoint answers a form with. Raises `SignInFailed`."""
        answer = await self.tell(endpoint, form)
        said = _said(answer)
        if said is None:
            raise SignInFailed("refused", f"{self.host} answered with something that cannot be read. Begin again.")
        return said

    async def tell(self, endpoint: str, form: Mapping[str, str]) -> Fetched:
        """Send a form to an endpoint. Raises `SignInFailed`."""
        answer = await self._post(endpoint, form)
        # The first request cannot know a nonce, and one that it knows may have become too old (RFC 9449, section 8).
        if answer.status in _REFUSED and _error(answer) == "use_dpop_nonce" and NONCE_HEADER in answer.headers:
            answer = await self._post(endpoint, form)
        if answer.status not in _DONE:
            raise self._refusal(answer)
        if NONCE_HEADER not in answer.headers:
            raise SignInFailed("refused", f"{self.host} does not protect sign-ins as it must, so it is not used.")
        return answer

    async def _post(self, endpoint: str, form: Mapping[str, str]) -> Fetched:
        now = self.clock()
        proven = {**form, **client_proof(self.client_key, self.client_id, self.issuer, now)}
        try:
            answer = await self.door.post(
                endpoint,
                body=urlencode(proven).encode(),
                content_type=_FORM,
                headers={"Accept": "application/json", "DPoP": dpop_proof(self.dpop_key, endpoint, self.nonce, now)},
                types=[],
                max_bytes=MAX_ANSWER_BYTES,
                deadline_s=DEADLINE_S,
                statuses=_DONE | _REFUSED,
            )
        except FetchRefused as refused:
            raise SignInFailed("unreachable", f"Signing in was not possible just now. {refused}") from None
        self.nonce = answer.headers.get(NONCE_HEADER, self.nonce)
        return answer

    def _refusal(self, answer: Fetched) -> SignInFailed:
        error = _error(answer)
        shown = error if error in _KNOWN_ERRORS else "another error"
        log.warning("%s refused a request for a sign-in: %d, %s", self.host, answer.status, shown)
        if error == "invalid_grant":
            return SignInFailed("expired", "This took too long, or was done before. Begin again.")
        return SignInFailed("refused", f"{self.host} refused to sign anybody in here. Tell the operator of this host.")

    @property
    def host(self) -> str:
        return self.issuer.partition("://")[2]


def _said(answer: Fetched) -> Mapping[str, Any] | None:
    if answer.content_type != "application/json":
        return None
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _error(answer: Fetched) -> str:
    return str((_said(answer) or {}).get("error"))
