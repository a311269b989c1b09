"""Where the authorization server's endpoints are, on the platform's host; and what a wiki is called there."""

from __future__ import annotations

AUTHORIZE = "/oauth/authorize"
CONSENT = "/oauth/consent"
TOKEN = "/oauth/token"  # noqa: S105  (a path)
REVOKE = "/oauth/revoke"
REGISTER = "/oauth/register"

SCOPES = ("wiki:read", "wiki:write")


def resource_of(wiki_origin: str) -> str:
    """What tokens for a wiki are bound to (RFC 8707): the address of its MCP endpoint."""
    return f"{wiki_origin}/mcp"
