"""The only reader of the Host header: what it names is decided here once and passed on as a value."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

MAX_NAME_CHARS = 253
"""RFC 1035 2.3.4, without the trailing dot."""

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# What readers of addresses take for IPv4 (WHATWG URL, "ends in a number"); no top-level domain is (RFC 3696, 2).
_NUMERIC_END = re.compile(r"\.(?:[0-9]+|0x[0-9a-f]*)\Z")
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]+)(?::(?P<port>[0-9]{0,5}))?")


@dataclass(frozen=True, slots=True)
class Host:
    """A normalised host: lower-case name without trailing dot (IPv6 in brackets, shortest form), and port."""

    name: str
    port: int | None = None

    def __str__(self) -> str:
        return self.name if self.port is None else f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class PlatformHost:
    """The bare domain."""


@dataclass(frozen=True, slots=True)
class WikiHost:
    """`{slug}.<domain>`: well-formed, which does not mean that the wiki exists."""

    slug: str


@dataclass(frozen=True, slots=True)
class OwnDomain:
    """A name of the public DNS that is not ours, whole: whether it is a wiki's own is for others to say."""

    name: str


@dataclass(frozen=True, slots=True)
class UnknownHost:
    """A host that is not ours to answer."""


Place: TypeAlias = PlatformHost | WikiHost | OwnDomain | UnknownHost


def parse_host(headers: Iterable[tuple[bytes, bytes]]) -> Host | None:
    """Return the one host that a request names, normalised; None when it is absent, repeated or malformed.

    Stricter than RFC 9110 7.2: user information, percent-escapes, underscores and non-ASCII are refused,
    because no address of ours has them and each is read differently by some library.
    """
    values = [value for name, value in headers if name.lower() == b"host"]
    if len(values) != 1 or not values[0].isascii():
        return None
    match = _HOST.fullmatch(values[0].decode("ascii").lower())
    if match is None:
        return None
    name = _normal_name(match["name"])
    port = int(match["port"]) if match["port"] else None
    if name is None or (port is not None and not 0 < port < 65536):
        return None
    return Host(name, port)


def split_host(host: Host, domain: str) -> Place:
    """Say which part of the service `host` names, given the configured domain (lower case, no port).

    Labels compare exactly: the domain itself, or the domain with exactly one label in front. Nothing deeper below the
    domain is anything; neither are addresses, and names of one label.
    """
    if host.name == domain:
        return PlatformHost()
    slug, dot, rest = host.name.partition(".")
    if rest == domain:
        return WikiHost(slug)
    is_name = dot and not host.name.startswith("[") and not _NUMERIC_END.search(host.name)
    return OwnDomain(host.name) if is_name and not host.name.endswith(f".{domain}") else UnknownHost()


def _normal_name(name: str) -> str | None:
    if name.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(name[1:-1]).compressed}]"
        except ValueError:
            return None
    name = name.removesuffix(".")
    if len(name) > MAX_NAME_CHARS or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        return None
    return name
