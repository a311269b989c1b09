"""Addresses of servers: https, a host and nothing else (pure)."""

from __future__ import annotations

from urllib.parse import urlsplit


def bare_origin(address: str) -> str | None:
    """The origin that an address is, without the slash at its end; None for whatever is more than an https origin.

    Ports are not spoken of: servers of the AT Protocol are asked at 443 alone.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname
        is_bare = parts.scheme == "https" and parts.netloc == host and parts.path in ("", "/")
    except ValueError:
        return None
    return f"https://{host}" if host and is_bare and not (parts.query or parts.fragment) else None
