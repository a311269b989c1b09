"""Where the authorization server's endpoints are, on the platform's host."""

from __future__ import annotations

from proxy.hosts import OwnDomain, WikiHost

AUTHORIZE = "/oauth/authorize"
CONSENT = "/oauth/consent"
TOKEN = "/oauth/token"  # noqa: S105  (a path)
REVOKE = "/oauth/revoke"
REGISTER = "/oauth/register"


def authorize_for(place: WikiHost | OwnDomain) -> str:
    """Where clients ask that know no `resource`: those from before MCP's authorization of June 2025.

    They look for the server's metadata on the wiki's own host, so the address that they find there says which wiki.
    """
    return authorize_named(place.slug if isinstance(place, WikiHost) else place.name)


def authorize_named(name: str) -> str:
    """The same for a slug or a whole domain, which has a dot, or for a placeholder of either."""
    return f"/oauth/wikis/{name}/authorize"
