"""Who sends a request: the network of the client, whoever passed it on, for limits; or a program of the operator's."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from proxy.asgi import Scope, values_of

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))

_IPV6_SITE_BITS = 56  # one home is usually given all 256 networks in it (RFC 6177)
_MAX_KNOWN = 4_096
# A longer header was made up, and is read each time in place of being kept.
_MAX_KEPT_BYTES = 200

_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"})


class ClientNetworks:
    """Finds the client's IPv4 address, or the /56 of its IPv6 address.

    Only peers in `trusted` are believed about whom they speak for (`X-Forwarded-For`), and of what they say only the
    last address that is not one of them: what stands before it, the client may have written itself.
    """

    def __init__(self, trusted: Sequence[Network] = LOOPBACK) -> None:
        self.trust(trusted)

    def trust(self, trusted: Sequence[Network]) -> None:
        """Believe these peers from now on, and no others."""
        self._trusted = trusted
        self._find_known = lru_cache(_MAX_KNOWN)(self._find)

    def of(self, scope: Scope) -> str:
        """The network as a key; "" when it is not known. Some microseconds."""
        client = scope.get("client")
        forwarded = b",".join(values_of(scope["headers"], b"x-forwarded-for"))
        find = self._find_known if len(forwarded) <= _MAX_KEPT_BYTES else self._find
        return find(client[0] if client else "", forwarded)

    def trusts_sender(self, scope: Scope) -> bool:
        """Whether the peer is one that is believed about what it says of a request."""
        client = scope.get("client")
        peer = _address(client[0]) if client else None
        return peer is not None and self._is_trusted(peer)

    def _find(self, peer: str, forwarded: bytes) -> str:
        """By the peer's address; "" for one without, which is a program on this machine."""
        hop = _address(peer)
        told = forwarded.decode("latin-1").split(",") if forwarded else []
        while told and (hop is None or self._is_trusted(hop)):
            before = _address(told.pop().strip())
            if before is None:
                break
            hop = before
        if isinstance(hop, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((int(hop), _IPV6_SITE_BITS), strict=False))
        return "" if hop is None else str(hop)

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def asks_directly(scope: Scope, networks: Sequence[Network]) -> bool:
    """Whether a program in one of these networks asks, and not on behalf of anybody behind it."""
    client = scope.get("client")
    peer = _address(client[0]) if client else None
    is_passed_on = any(name.lower() in _FORWARDED for name, _ in scope["headers"])
    return peer is not None and not is_passed_on and any(peer in network for network in networks)


def is_address(host: str) -> bool:
    """Whether a request's host is this machine by its address, as programs name it that know nothing of domains."""
    return host == "localhost" or _address(host.strip("[]")) is not None


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
