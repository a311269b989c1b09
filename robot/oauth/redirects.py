"""Addresses that a client may have its answers sent to (pure)."""

from __future__ import annotations

from urllib.parse import urlsplit

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


def same_redirect(registered: str, asked: str) -> bool:
    """Whether `asked` is the registered address, character by character; only the port of loopback is free.

    A program on a person's machine listens on whatever port it gets (RFC 8252, section 7.3).
    """
    if registered == asked:
        return True
    return is_loopback(registered) and is_loopback(asked) and _without_port(registered) == _without_port(asked)


def is_loopback(uri: str) -> bool:
    """Whether an address is of a program on the person's own machine, over plain http."""
    try:
        parts = urlsplit(uri)
        return parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _without_port(uri: str) -> str:
    parts = urlsplit(uri)
    port = "" if parts.port is None else f":{parts.port}"
    return uri.replace(parts.netloc, parts.netloc.removesuffix(port), 1)
