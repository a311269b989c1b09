"""Which wiki a `resource` parameter names (pure)."""

from __future__ import annotations

from urllib.parse import urlsplit

from robot.address import PublicAddress

MCP_PATH = "/mcp"

_DEFAULT_PORTS = {"http": 80, "https": 443}


def resource_of(address: PublicAddress, slug: str) -> str:
    """The identifier of the wiki at `slug` as a protected resource (RFC 8707, section 2; RFC 9728)."""
    return address.wiki_origin(slug) + MCP_PATH


def slug_of_resource(address: PublicAddress, resource: str) -> str | None:
    """The slug in the identifier of a wiki of this host, whether there is such a wiki or not; None for anything else.

    Scheme and host in capitals and the scheme's own port are the same address (RFC 3986, section 6.2); in all other
    respects there is one spelling.
    """
    try:
        parts = urlsplit(resource)
        port = parts.port
    except ValueError:
        return None
    slug, _, domain = (parts.hostname or "").partition(".")
    is_here = (parts.scheme, domain, port or _DEFAULT_PORTS.get(parts.scheme)) == (
        address.scheme,
        address.domain,
        address.port,
    )
    _, _, rest = resource.partition("://")
    has_only_path = parts.path == MCP_PATH and "@" not in rest and rest[len(parts.netloc) :] == MCP_PATH
    return slug if is_here and slug and has_only_path else None
