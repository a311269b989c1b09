"""Handles as people write them, and the names of hosts that may be handles (pure). Source: the AT Protocol's Handle."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

BARE_NAMES_ARE_OF = "bsky.social"
"""Where a name without a dot is looked for: most people have their handle there."""

MAX_HANDLE_CHARS = 253
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HANDLE = re.compile(rf"({_LABEL}\.)+(?![0-9]){_LABEL}")
# They are nobody's on the public internet (`.test` is nobody's, either: see the policy).
_NOBODYS = frozenset(
    {"alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion"},
)


class NotAHandle(ValueError):
    """The text can be nobody's handle; the message is a sentence for whoever typed it."""


@dataclass(frozen=True, slots=True)
class HandlePolicy:
    """Which names count. `tests_too` lets `.test` pass, as tests need it."""

    tests_too: bool = False

    def allows(self, name: str) -> bool:
        """Whether a name in lower case may be a handle, or the host of a `did:web`."""
        top = name.rpartition(".")[2]
        return (
            len(name) <= MAX_HANDLE_CHARS
            and _HANDLE.fullmatch(name) is not None
            and top not in _NOBODYS
            and (top != "test" or self.tests_too)
        )


def tidy(typed: str) -> str:
    """What somebody typed or pasted, in lower case and without what is there for the eye: spaces, `@`, hidden marks."""
    visible = "".join(each for each in typed if unicodedata.category(each) != "Cf")
    return visible.strip().removeprefix("@").lower()


def read_handle(typed: str, policy: HandlePolicy) -> str:
    """The handle that somebody typed. Raises `NotAHandle`."""
    handle = tidy(typed)
    if handle and "." not in handle:
        handle = f"{handle}.{BARE_NAMES_ARE_OF}"
    if not policy.allows(handle):
        raise NotAHandle("This is no handle. A handle looks like alice.bsky.social, or is a domain of your own.")
    return handle
