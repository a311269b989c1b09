"""Where to go after signing in: a path of the same host, whatever was asked for."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlencode

# An agent's request for access comes back this way too, whole.
_MAX_CHARS = 8000
# What RFC 3986 allows in path, query and fragment, percent signs included; so no backslash, space, control or quote.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")


def safe_return(wanted: str | None, fallback: str = "/") -> str:
    """`wanted` when it is a path of this host (with query), else `fallback`.

    Refused are other origins in every spelling that a browser or a decoder could make one of: `//x`, `/\\x`, `/%2fx`,
    `%5c`, schemes, line breaks, control characters.
    """
    if not wanted or len(wanted) > _MAX_CHARS or not _PLAIN_PATH.fullmatch(wanted):
        return fallback
    decoded = unquote(wanted.partition("?")[0].partition("#")[0])
    if decoded.startswith("//") or "\\" in decoded or any(ord(char) < 0x20 or ord(char) == 0x7F for char in decoded):
        return fallback
    return wanted


def with_query(path: str, **query: str) -> str:
    """`path?name=value…`, encoded."""
    return f"{path}?{urlencode(query)}"
