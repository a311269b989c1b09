"""Which door a path belongs to: one pure decision on one canonical form.

The worker behind us decodes percent-escapes once, takes away leading slashes and matches case-sensitively; the
handlers in this process see decoded paths too. So the decision is made on the path decoded once and split at its
slashes. Whatever two readers could see differently is refused: a page never needs it. What is forwarded is always
the raw path.
"""

from __future__ import annotations

import enum
from urllib.parse import unquote_to_bytes


class Route(enum.Enum):
    """The doors of a host; `REFUSED` is answered with a client error and reaches nobody."""

    HEALTH = enum.auto()
    MCP = enum.auto()
    WELL_KNOWN = enum.auto()
    API = enum.auto()
    GIT = enum.auto()
    AUTH = enum.auto()
    OTHER = enum.auto()
    REFUSED = enum.auto()


_EXACT = {
    b"/healthz": Route.HEALTH,
    b"/readyz": Route.HEALTH,
    b"/metrics": Route.HEALTH,
    b"/mcp": Route.MCP,
    b"/mcp/": Route.MCP,
}
_PREFIXES = {
    b"/.well-known": Route.WELL_KNOWN,
    b"/api/v1": Route.API,
    b"/.git": Route.GIT,
    b"/auth": Route.AUTH,
    # Endpoints of the worker that only this process may call, over its socket.
    b"/-/robot": Route.REFUSED,
}
_CONTROL = bytes(range(0x20)) + b"\x7f"


def classify(raw_path: bytes) -> Route:
    """Return the door for a request target's path, given as the bytes that were sent, without the query.

    A page name may hold any escape, `%2F` and `%25` among them. A protected prefix must be spelled plainly:
    behind an escape or with `;` parameters it is refused.
    """
    if not raw_path.startswith(b"/") or _has_foreign_bytes(raw_path):
        return Route.REFUSED
    path = unquote_to_bytes(raw_path)
    if not _is_unambiguous(path):
        return Route.REFUSED
    route = _match(path)
    if route is Route.OTHER:
        # The same path as a reader sees it who drops the parameters of RFC 2396 3.3.
        bare = b"/".join(segment.partition(b";")[0] for segment in path.split(b"/"))
        return Route.OTHER if _match(bare) is Route.OTHER else Route.REFUSED
    return route if path == raw_path or _match(raw_path) is route else Route.REFUSED


def _has_foreign_bytes(raw_path: bytes) -> bool:
    """Tell whether bytes occur that no path has (RFC 3986 3.3), or that end a path for some readers."""
    return any(byte <= 0x20 or byte >= 0x7F or byte in b"?#\\" for byte in raw_path)


def _is_unambiguous(path: bytes) -> bool:
    if path.translate(None, _CONTROL) != path or b"\\" in path:
        return False
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    segments = path[1:].split(b"/")
    if b"" in segments[:-1]:
        return False
    return all(
        segment.partition(b";")[0] not in (b".", b"..") and (segment == b".git" or segment.lower() != b".git")
        for segment in segments
    ) and (b".git" not in segments[1:])


def _match(path: bytes) -> Route:
    exact = _EXACT.get(path)
    if exact is not None:
        return exact
    for prefix, route in _PREFIXES.items():
        if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in (b"", b"/"):
            return route
    return Route.OTHER
