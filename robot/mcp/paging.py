"""Lists in parts: opaque cursors that stay right while pages come and go (pure)."""

from __future__ import annotations

import base64
import binascii

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

_MARK = b"1:"  # the cursor's form, should there ever be another


def cursor_of(name: str) -> str:
    """The cursor for what comes after a name, the last that was given: nothing is left out or told twice."""
    return base64.urlsafe_b64encode(_MARK + name.encode()).decode().rstrip("=")


def name_in(cursor: str) -> str:
    """The name after which to go on. Raises: MCPError (INVALID_PARAMS) for a cursor that is none of ours."""
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        name = data.removeprefix(_MARK).decode()
    except (ValueError, binascii.Error):
        raise _unknown_cursor() from None
    if not data.startswith(_MARK):
        raise _unknown_cursor()
    return name


def refuse_cursor(cursor: str | None) -> None:
    """For a list that is given whole. Raises: MCPError (INVALID_PARAMS) when there is any cursor."""
    if cursor is not None:
        raise _unknown_cursor()


def _unknown_cursor() -> MCPError:
    return MCPError(code=INVALID_PARAMS, message="Unknown cursor. Leave cursor out to get the list from its beginning.")
