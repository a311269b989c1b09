"""The two halves of a sign-in at an authorization server, before and after the browser was there.

Authorization requests are pushed (RFC 9126), with PKCE (RFC 7636), so that the browser carries nothing but a reference.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import trio
from joserfc.jwk import ECKey

from robot.clock import Clock, wall_clock
from robot.fetch import Door
from robot.secret import new_secret
from robot.signin.atproto.callback import Tokens, tokens_in
from robot.signin.atproto.client_document import SCOPE
from robot.signin.atproto.client_keys import ClientKey, ClientKeys
from robot.signin.atproto.conversation import Conversation
from robot.signin.atproto.discovery import AuthorizationServer
from robot.signin.atproto.dpop import new_dpop_key
from robot.signin.atproto.pending import Pending
from robot.signin.providers import SignInFailed

log = logging.getLogger(__name__)

REVOKE_DEADLINE_S = 5.0
# It becomes part of an address.
_REFERENCE = re.compile(r"[!-~]{1,1000}")


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """This host as a client of any authorization server of the AT Protocol. Both methods raise `SignInFailed`."""

    door: Door
    keys: ClientKeys
    client_id: str
    redirect_uri: str
    clock: Clock = wall_clock

    async def push(
        self, server: AuthorizationServer, *, state: str, did: str | None, hint: str | None
    ) -> tuple[str, Pending]:
        """Announce a sign-in of `did` (None: of anybody). Returns where the browser goes, and what to keep."""
        key, verifier = (await self.keys.ring()).signing(self.clock()), new_secret()
        conversation = self._conversation(server, key, new_dpop_key(), nonce=None)
        form = {
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "scope": SCOPE,
            "state": state,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
            **({} if hint is None else {"login_hint": hint}),
        }
        reference = (await conversation.ask(server.pushing_endpoint, form)).get("request_uri")
        if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
            raise SignInFailed("refused", f"{conversation.host} did not take the sign-in. Begin again.")
        pending = Pending(
            issuer=server.issuer,
            did=did,
            client_key=key.id,
            verifier=verifier,
            dpop_key=conversation.dpop_key,
            nonce=conversation.nonce,
        )
        query = urlencode({"client_id": self.client_id, "request_uri": reference})
        joint = "&" if "?" in server.authorization_endpoint else "?"
        return f"{server.authorization_endpoint}{joint}{query}", pending

    @asynccontextmanager
    async def redeemed(
        self, server: AuthorizationServer, pending: Pending, code: str
    ) -> AsyncIterator[Mapping[str, Any]]:
        """The answer to a code, while it is checked; the tokens in it are ended afterwards, whatever came of it."""
        key = (await self.keys.ring()).of_id(pending.client_key, self.clock())
        if key is None:
            raise SignInFailed("expired", "This host has new keys since you left. Begin again.")
        conversation = self._conversation(server, key, pending.dpop_key, pending.nonce)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": pending.verifier,
        }
        answer = await conversation.ask(server.token_endpoint, form)
        try:
            yield answer
        finally:
            await _revoke(conversation, server, tokens_in(answer))

    def _conversation(
        self, server: AuthorizationServer, key: ClientKey, dpop_key: ECKey, nonce: str | None
    ) -> Conversation:
        return Conversation(
            door=self.door,
            client_id=self.client_id,
            client_key=key,
            issuer=server.issuer,
            dpop_key=dpop_key,
            nonce=nonce,
            clock=self.clock,
        )


async def _revoke(conversation: Conversation, server: AuthorizationServer, tokens: Tokens) -> None:
    """End what was given (RFC 7009), as far as the server lets us: it is kept nowhere, and ends by itself, too."""
    if server.revocation_endpoint is None or tokens.strongest is None:
        return
    # Also for a browser that has gone away meanwhile.
    with trio.move_on_after(REVOKE_DEADLINE_S, shield=True) as scope:
        try:
            await conversation.tell(server.revocation_endpoint, {"token": tokens.strongest})
        except SignInFailed as failure:
            log.info("%s did not end the session of a sign-in: %s", conversation.host, failure.code)
    if scope.cancelled_caught:
        log.info("%s did not end the session of a sign-in in time", conversation.host)


def challenge_of(verifier: str) -> str:
    """What stands for a verifier until it is shown (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
