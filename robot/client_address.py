"""Which network a request comes from, for limits: the client's own, whoever passed the request on."""

from __future__ import annotations

import ipaddress

from proxy.asgi import Scope, values_of

_IPV6_SITE_BITS = 56  # one home is usually given all 256 networks in it (RFC 6177)


def client_network(scope: Scope) -> str:
    """The client's IPv4 address, or the /56 of its IPv6 address; "" when it is not known.

    Only a program on this machine (Caddy) is believed about whom it speaks for, and of what it says only the last
    address, which it added itself.
    """
    client = scope.get("client")
    peer = _address(client[0]) if client else None
    if peer is None or peer.is_loopback:
        forwarded = b",".join(values_of(scope["headers"], b"x-forwarded-for"))
        peer = _address(forwarded.rpartition(b",")[2].strip().decode("latin-1")) or peer
    if isinstance(peer, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(peer), _IPV6_SITE_BITS), strict=False))
    return "" if peer is None else str(peer)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
