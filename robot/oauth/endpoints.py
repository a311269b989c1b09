"""Where the authorization server's endpoints are, on the platform's host."""

from __future__ import annotations

AUTHORIZE = "/oauth/authorize"
CONSENT = "/oauth/consent"
TOKEN = "/oauth/token"  # noqa: S105  (a path)
REVOKE = "/oauth/revoke"
REGISTER = "/oauth/register"


def authorize_for(slug: str) -> str:
    """Where clients ask that know no `resource`: those from before MCP's authorization of June 2025.

    They look for the server's metadata on the wiki's own host, so the address that they find there says which wiki.
    """
    return f"/oauth/wikis/{slug}/authorize"
