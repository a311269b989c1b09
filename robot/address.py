"""Where the public reaches this host: the one value that addresses are built from."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from robot.settings import Settings

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """Scheme, bare domain and port as a browser sees them (Caddy's, where Caddy is in front)."""

    scheme: str
    domain: str
    port: int

    @property
    def platform_origin(self) -> str:
        """`https://example.org`, with the port only where it is not the scheme's own."""
        return self._origin(self.domain)

    def wiki_origin(self, slug: str) -> str:
        """`https://{slug}.example.org`, with the port only where it is not the scheme's own."""
        return self._origin(f"{slug}.{self.domain}")

    def _origin(self, host: str) -> str:
        port = "" if self.port == _DEFAULT_PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def public_address(settings: Settings) -> PublicAddress:
    """Where the public reaches us: behind Caddy on the scheme's own port, else where we listen."""
    port = settings.public_port
    if port is None:
        port = _DEFAULT_PORTS["https"] if settings.scheme == "https" else settings.port
    return PublicAddress(settings.scheme, settings.domain, port)


def page_address(origin: str, path: str, anchor: str = "") -> str:
    """Where people read a page of the wiki at `origin`; with the `anchor` of a heading, from there on."""
    return f"{origin}/{quote(path)}{'#' if anchor else ''}{quote(anchor)}"
