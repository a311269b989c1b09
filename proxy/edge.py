"""How a request reached us, as the caller has decided it: never by what a client says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edge:
    """What the client sees of us and we of it.

    `host` with the port as the browser writes it; `client` an address, or None when it is unknown.
    """

    scheme: str
    host: str
    client: str | None
    request_id: str
