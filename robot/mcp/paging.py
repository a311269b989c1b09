"""Lists in parts: opaque cursors that stay right while pages come and go (pure)."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TypeVar

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

T = TypeVar("T")

_MARK = b"1:"  # the cursor's form, should there ever be another


def take_page(
    items: Sequence[T], cursor: str | None, size: int, name: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """The `size` items after the cursor, and the cursor of those that follow; `items` are in the order of `name`.

    A cursor is the last name that was given, so nothing is left out or told twice when others appear or vanish.
    Raises: MCPError (INVALID_PARAMS) for a cursor that is none of ours.
    """
    first = 0 if cursor is None else bisect_right(items, _name_in(cursor), key=name)
    shown = list(items[first : first + size])
    more = first + size < len(items)
    return shown, _cursor_of(name(shown[-1])) if more else None


def refuse_cursor(cursor: str | None) -> None:
    """For a list that is given whole. Raises: MCPError (INVALID_PARAMS) when there is any cursor."""
    if cursor is not None:
        raise _unknown_cursor()


def _cursor_of(name: str) -> str:
    return base64.urlsafe_b64encode(_MARK + name.encode()).decode().rstrip("=")


def _name_in(cursor: str) -> str:
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        name = data.removeprefix(_MARK).decode()
    except (ValueError, binascii.Error):
        raise _unknown_cursor() from None
    if not data.startswith(_MARK):
        raise _unknown_cursor()
    return name


def _unknown_cursor() -> MCPError:
    return MCPError(code=INVALID_PARAMS, message="Unknown cursor. Leave cursor out to get the list from its beginning.")
