"""How a request reached us, and whom to believe about it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from proxy.asgi import Scope, values_of
from proxy.hosts import Host


@dataclass(frozen=True, slots=True)
class Edge:
    """What the client sees of us and we of it.

    `host` with the port as the browser writes it; `client` an address, or None when it is unknown.
    """

    scheme: str
    host: str
    client: str | None
    request_id: str

    @property
    def origin(self) -> str:
        """The origin that a browser names in `Origin` (RFC 6454 6.2)."""
        return f"{self.scheme}://{self.host}"


def edge_of(scope: Scope, host: Host, *, trusted_peers: frozenset[str], request_id: str) -> Edge:
    """Return the edge of a request; only a peer in `trusted_peers` is believed about scheme and client.

    Of several forwarded addresses the last one counts: it is the one that the trusted peer saw itself.
    """
    peer = scope.get("client")
    client: str | None = peer[0] if peer else None
    scheme: str = scope.get("scheme", "http")
    if client in trusted_peers:
        protos = values_of(scope["headers"], b"x-forwarded-proto")
        if protos in ([b"https"], [b"http"]):
            scheme = protos[0].decode()
        client = _last_address(values_of(scope["headers"], b"x-forwarded-for")) or client
    name = host.name if host.port == {"http": 80, "https": 443}.get(scheme) else str(host)
    return Edge(scheme, name, client, request_id)


def _last_address(values: list[bytes]) -> str | None:
    if not values:
        return None
    last = values[-1].rpartition(b",")[2].strip().decode("latin-1")
    try:
        return str(ipaddress.ip_address(last))
    except ValueError:
        return None
