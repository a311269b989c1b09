"""What the browser came back with, and what the server gave for it, checked (pure). All raise `SignInFailed`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from robot.signin.atproto.client_document import SCOPE
from robot.signin.providers import SignInFailed

_TOKEN = re.compile(r"[ -~]+")  # RFC 6749, appendix A.12


def read_code(query: Mapping[str, str], issuer: str) -> str:
    """The code in an answer of the server `issuer` (RFC 6749, section 4.1.2; RFC 9207), refusals included."""
    # First of all: until it is known who answers, nothing that is said counts, not even that somebody said no.
    if query.get("iss") != issuer:
        raise SignInFailed("mismatch", "Another server answered than the one that was asked. Begin again.")
    match query.get("error"):
        case None:
            pass
        case "access_denied":
            raise SignInFailed("denied", f"It was not allowed at {_host(issuer)}, so nobody was signed in.")
        case _:
            raise SignInFailed("refused", f"{_host(issuer)} did not sign you in. Begin again in a while.")
    code = query.get("code")
    if not code:
        raise SignInFailed("refused", f"{_host(issuer)} sent you back without an answer. Begin again.")
    return code


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a server gave, before anything about it is believed: it is to be revoked in any case."""

    access: str | None = field(repr=False)
    refresh: str | None = field(repr=False)

    @property
    def strongest(self) -> str | None:
        """The one whose end is the end of both."""
        return self.refresh or self.access


def tokens_in(answer: Mapping[str, Any]) -> Tokens:
    """The tokens in the answer of a token endpoint."""
    return Tokens(_token(answer.get("access_token")), _token(answer.get("refresh_token")))


def _token(said: Any) -> str | None:
    return said if isinstance(said, str) and _TOKEN.fullmatch(said) else None


def read_subject(answer: Mapping[str, Any], issuer: str, did: str | None) -> str:
    """The DID that the answer of a token endpoint is about: that of `did`, unless it is None."""
    host, scope = _host(issuer), answer.get("scope")
    if str(answer.get("token_type")).lower() != "dpop" or not tokens_in(answer).access:
        raise SignInFailed("refused", f"{host} signed you in in a way that is not safe, so it does not count.")
    if not isinstance(scope, str) or SCOPE not in scope.split():
        raise SignInFailed("denied", f"{host} was not allowed to say who you are, so nobody was signed in.")
    subject = answer.get("sub")
    if not isinstance(subject, str):
        raise SignInFailed("refused", f"{host} did not say who you are.")
    if did is not None and subject != did:
        raise SignInFailed(
            "mismatch", f"At {host} another account was signed in than the one you named. Sign in there as that one."
        )
    return subject


def _host(issuer: str) -> str:
    return issuer.partition("://")[2]
