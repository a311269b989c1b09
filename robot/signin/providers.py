"""What an identity provider is to the rest of robot: a way to find out who somebody is, and nothing more.

A provider sends the browser away (`begin`) and understands what it comes back with (`finish`). State, cookies, accounts
and sessions are not its business; they are the same for all (`robot.signin.attempts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Code = Literal[
    "invalid",  # what was typed cannot be a name of that provider
    "not_found",  # there is nobody of that name
    "unreachable",  # a server could not be asked
    "refused",  # a server answered with something that must not be believed
    "denied",  # the person said no there
    "mismatch",  # somebody else came back than was sent
    "expired",  # it took too long, or was used before
]


class SignInFailed(Exception):
    """Nobody was signed in. `sentence` is for the person: what failed, and what to do."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code: Code = code
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody proved to be.

    `subject` is the key, which the provider never gives to another (a DID; an issuer and its subject). `handle` and
    `display_name` are for showing; `handle` is None unless it was proved, `display_name` may be "".
    """

    provider: str
    subject: str
    handle: str | None
    display_name: str


@dataclass(frozen=True, slots=True)
class Departure:
    """Where to send the browser, and what `finish` must know again (secrets too: it is stored here, not sent along)."""

    address: str
    memory: Mapping[str, str] = field(repr=False)


class Provider(Protocol):
    """One way to sign in. Both methods raise `SignInFailed`."""

    @property
    def name(self) -> str:
        """As it is stored and stands in addresses: `atproto`, `oidc`."""

    @property
    def label(self) -> str:
        """As people know it: `Bluesky`."""

    @property
    def asks(self) -> bool:
        """Whether a text (a handle) is asked for before the browser is sent away."""

    async def begin(self, typed: str, *, state: str, return_after: str = "") -> Departure:
        """Prepare a sign-in of whoever typed `typed` ("" where nothing is asked).

        The provider must hand `state` back unchanged. `return_after` is where the person goes when they are signed in.
        """

    async def finish(self, query: Mapping[str, str], memory: Mapping[str, str]) -> Identity:
        """Who came back with the parameters `query` (`state` among them, checked before) after that `begin`."""
