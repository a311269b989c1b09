"""What a wiki is called as a `resource` (RFC 8707; pure)."""

from __future__ import annotations

import re

from robot.address import PublicAddress

_LABEL = re.compile(r"[a-z0-9-]{1,63}")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def resource_of(wiki_origin: str) -> str:
    """What tokens for a wiki are bound to: the address of its MCP endpoint."""
    return f"{wiki_origin}/mcp"


def slug_of_resource(address: PublicAddress, resource: str) -> str | None:
    """The slug in the identifier of a wiki of this host, whether there is such a wiki or not; None for anything else.

    Scheme and host in capitals and the scheme's own port are the same address (RFC 3986, section 6.2); in all other
    respects there is one spelling.
    """
    authority, _, path = resource.partition("://")[2].partition("/")
    scheme = resource[: resource.find(":")].lower()
    host, colon, port = authority.lower().partition(":")
    if colon and port == _DEFAULT_PORTS.get(scheme):
        authority = host
    slug = host.partition(".")[0]
    canonical = f"{scheme}://{authority.lower()}/{path}"
    is_here = _LABEL.fullmatch(slug) and canonical == resource_of(address.wiki_origin(slug)) and resource.isascii()
    return slug if is_here else None
