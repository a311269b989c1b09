"""May this name have a certificate? Caddy asks before it fetches one (its `on_demand_tls` `ask`)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from robot.address import PublicAddress
from robot.db import Database
from robot.wikis import find_wiki_by_slug

ASK_PATH = "/api/internal/check-slug"

_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"})


def may_ask(peer: str | None, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Only a program on this machine may ask, and not on behalf of anybody behind it."""
    if any(name.lower() in _FORWARDED for name, _ in headers):
        return False
    try:
        return peer is not None and ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False


def is_served(db: Database, address: PublicAddress, domain: str) -> bool:
    """Whether `domain` is the platform or an existing wiki; one point read."""
    name = domain.lower().removesuffix(".")
    if name == address.domain:
        return True
    slug, dot, rest = name.partition(".")
    return bool(dot) and rest == address.domain and find_wiki_by_slug(db, slug) is not None
