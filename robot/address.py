"""Where the public reaches this host: the one value that addresses are built from."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from proxy.hosts import OwnDomain, PlatformHost, WikiHost
from robot.model import Wiki
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

    def own_origin(self, domain: str) -> str:
        """The origin of a domain of a wiki's own: like all of ours, by our scheme and at our port."""
        return self._origin(domain)

    def origin_of(self, wiki: Wiki) -> str:
        """Where people read `wiki`: at its own domain while that is in force, else at its first address."""
        return self.wiki_origin(wiki.slug) if wiki.domain is None else self.own_origin(wiki.domain)

    def origin_at(self, place: PlatformHost | WikiHost | OwnDomain) -> str:
        """The origin of a place that a host named, whether anything is there or not."""
        match place:
            case PlatformHost():
                return self.platform_origin
            case WikiHost(slug):
                return self.wiki_origin(slug)
            case OwnDomain(name):
                return self.own_origin(name)

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
