"""May this name have a certificate? Caddy asks before it fetches one (its `on_demand_tls` `ask`)."""

from __future__ import annotations

from proxy.hosts import PlatformHost, UnknownHost, parse_host, split_host
from robot.address import PublicAddress
from robot.db import Database
from robot.wikis import find_wiki_at

ASK_PATH = "/api/internal/check-slug"


def is_served(db: Database, address: PublicAddress, domain: str) -> bool:
    """Whether `domain` is the platform's, an existing wiki's or a wiki's own; one point read."""
    host = parse_host([(b"host", domain.encode("utf-8", "surrogateescape"))])
    if host is None or host.port is not None:
        return False
    match split_host(host, address.domain):
        case PlatformHost():
            return True
        case UnknownHost():
            return False
        case place:
            return find_wiki_at(db, place) is not None
