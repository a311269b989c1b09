"""Scopes as OAuth spells them (pure)."""

from __future__ import annotations

from collections.abc import Container

from robot.model import Scope

_MEANING = {"wiki:read": Scope.READ, "wiki:write": Scope.WRITE}
SCOPES = tuple(_MEANING)
# Every client gets a refresh token here, so asking for one (OpenID Connect Core, section 11) asks for nothing more.
_HARMLESS = frozenset({"offline_access"})


class ScopeUnknown(ValueError):
    """A scope that this server does not have; the message is a sentence."""


def parse_scopes(text: str) -> frozenset[Scope]:
    """The scopes of a `scope` parameter (RFC 6749, section 3.3), empty for an empty one. Write includes read."""
    asked = set(text.split()) - _HARMLESS
    if not asked <= _MEANING.keys():
        raise ScopeUnknown(f"The scopes of this server are {' and '.join(_MEANING)}.")
    scopes = frozenset(_MEANING[name] for name in asked)
    return scopes | {Scope.READ} if scopes else scopes


def spell_scopes(scopes: Container[Scope]) -> str:
    """The opposite of `parse_scopes`."""
    return " ".join(spelled for spelled, scope in _MEANING.items() if scope in scopes)
