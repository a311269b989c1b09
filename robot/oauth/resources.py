"""What a wiki is called as a `resource` (RFC 8707; pure).

A wiki has one name for each of its addresses: `{slug}.<domain>`, and its own domain while that is in force. Both mean
the wiki, so a token that was asked for under one name opens the wiki at the other, and may be refreshed under it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from proxy.hosts import OwnDomain, WikiHost, parse_host, split_host
from robot.address import PublicAddress

InForce: TypeAlias = Callable[[str], bool]
"""Whether that domain is some wiki's own at the moment."""

_DEFAULT_PORTS = {"http": "80", "https": "443"}


def resource_of(wiki_origin: str) -> str:
    """What tokens for a wiki are bound to: the address of its MCP endpoint."""
    return f"{wiki_origin}/mcp"


def place_of_resource(address: PublicAddress, resource: str, in_force: InForce) -> WikiHost | OwnDomain | None:
    """The place in the identifier of a wiki of this host, None for anything else.

    A slug need not be any wiki's; a domain must be one's own. Scheme and host in capitals and the scheme's own port are
    the same address (RFC 3986, section 6.2); in all other respects there is one spelling.
    """
    if not resource.isascii():
        return None
    authority, _, path = resource.partition("://")[2].partition("/")
    scheme = resource[: resource.find(":")].lower()
    name, colon, port = authority.lower().partition(":")
    canonical_authority = name if colon and port == _DEFAULT_PORTS.get(scheme) else authority.lower()
    host = parse_host([(b"host", name.encode("ascii"))])
    place = None if host is None else split_host(host, address.domain)
    if not isinstance(place, WikiHost | OwnDomain) or (isinstance(place, OwnDomain) and not in_force(place.name)):
        return None
    is_canonical = f"{scheme}://{canonical_authority}/{path}" == resource_of(address.origin_at(place))
    return place if is_canonical else None
