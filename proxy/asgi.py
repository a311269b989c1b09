"""The ASGI types that this package speaks (ASGI 3.0, HTTP sub-specification 2.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

Headers: TypeAlias = list[tuple[bytes, bytes]]
"""Field name (lower case) and value, in the order of arrival."""


def values_of(headers: Headers, name: bytes) -> list[bytes]:
    """Return every value of the field `name` (lower case), in order."""
    return [value for key, value in headers if key == name]
