"""The only door through which this host asks others: https, to addresses of the public internet, bounded.

A name is resolved once, every address it has is judged, and the connection goes to one that was judged: what the name
resolves to a moment later does not matter. Redirects are followed here, each judged anew, and never by a library; what
is sent to somebody is not sent on to another.
Programs that speak for themselves (git) get the name and the address that was judged, by `Door.pin`.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from urllib.parse import urljoin, urlsplit

import httpcore2
import idna
import trio
from cachetools import TTLCache, cached

MAX_REDIRECTS = 3
_CONNECT_S = 10.0
_TRUST_KEPT_S = 3600.0  # the machine's authorities change, now and then
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_ADDRESS_CHARS = 2_000
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# As browsers and curl read hosts: `0x7f.1`, `017700000001` and `2130706433` are all 127.0.0.1 (WHATWG URL, 3.5).
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_TARGET = re.compile(r"[!-~]*")
_ONLY_OK = frozenset({200})
_NO_HEADERS: Mapping[str, str] = {}

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")  # all that IANA gives to hosts
# What `is_global` lets pass and is no host of the public internet: 6to4 and its relays, Teredo, documentation,
# and what is kept for protocols.
_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "2002::/16", "2001::/23", "3fff::/20")
)


class FetchRefused(Exception):
    """Nothing was fetched; the message is a sentence for whoever gave the address."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """An https address that may be asked, and the one network address to ask for it."""

    url: str
    host: str
    port: int
    address: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: where it came from after redirects, its type without parameters, and its whole body.

    `headers` has names in lower case, and of a header that was sent more than once the last.
    """

    url: str
    content_type: str
    body: bytes = field(repr=False)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked of whomever is asked, and what is taken for an answer."""

    method: str
    types: frozenset[str]
    statuses: Collection[int]
    max_bytes: int
    headers: Mapping[str, str]
    body: bytes | None = None

    def all_headers(self) -> list[tuple[str, str]]:
        accepted = ", ".join(sorted(self.types)) or "*/*"
        ours = {"Accept": accepted, "Accept-Encoding": "identity", "User-Agent": "robot"}
        return list({**ours, **self.headers}.items())


def is_public(address: IpAddress) -> bool:
    """Whether a network address is a host of the public internet, however it is wrapped."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.scope_id is not None or address not in _UNICAST:
            return False
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved or address.is_unspecified)
        and not any(address.version == network.version and address in network for network in _REFUSED)
    )


def is_host(address: IpAddress) -> bool:
    """Whether an address can be that of a host, also of one in a private network; of link-local ones none is.

    Those are how clouds tell machines their own secrets.
    """
    inner = getattr(address, "ipv4_mapped", None) or address
    return not (inner.is_link_local or inner.is_multicast or inner.is_unspecified or inner.is_reserved)


async def resolve(host: str, port: int) -> Sequence[str]:
    """The network addresses of a host, as the machine's resolver has them. Raises OSError."""
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


@dataclass(frozen=True, slots=True)
class Door:
    """How to reach others. `allows` judges each network address; `ca_file` replaces the machine's authorities."""

    resolve: Resolve = resolve
    allows: Callable[[IpAddress], bool] = is_public
    ca_file: Path | None = None

    async def pin(self, url: str) -> Pinned:
        """Resolve an address, once. Raises `FetchRefused` when it may not be asked."""
        host, port, target = _parse(url)
        shown = f"[{host}]" if ":" in host else host
        try:
            with trio.fail_after(_CONNECT_S):
                found = [ipaddress.ip_address(each) for each in await self._addresses(host, port)]
        except (OSError, ValueError, trio.TooSlowError):
            raise FetchRefused(f"There is no host {shown}, or its name cannot be resolved just now.") from None
        # A name with one address here and one there is refused whole: which of them is asked must not be chance.
        if not found or not all(self.allows(address) for address in found):
            raise FetchRefused(f"{shown} is not on the public internet, so it is not asked.")
        origin = f"https://{shown}" + ("" if port == 443 else f":{port}")
        return Pinned(origin + target, host, port, str(found[0]))

    async def get(
        self,
        url: str,
        *,
        types: Iterable[str],
        max_bytes: int,
        deadline_s: float,
        max_redirects: int = MAX_REDIRECTS,
        headers: Mapping[str, str] = _NO_HEADERS,
        statuses: Collection[int] = _ONLY_OK,
    ) -> Fetched:
        """Fetch a document of one of these types (of any, if none is named), following at most so many redirects.

        An answer with another status than `statuses` is refused, too. Raises `FetchRefused`.
        """
        request = _Request("GET", frozenset(types), statuses, max_bytes, headers)
        return await self._follow(url, request, deadline_s, max_redirects)

    async def post(
        self,
        url: str,
        *,
        body: bytes,
        content_type: str,
        types: Iterable[str],
        max_bytes: int,
        deadline_s: float,
        headers: Mapping[str, str] = _NO_HEADERS,
        statuses: Collection[int] = _ONLY_OK,
    ) -> Fetched:
        """Send a body and read the answer, as `get` does; a redirect is not followed. Raises `FetchRefused`."""
        typed = {"Content-Type": content_type, **headers}
        request = _Request("POST", frozenset(types), statuses, max_bytes, typed, body)
        return await self._follow(url, request, deadline_s, max_redirects=0)

    async def _follow(self, url: str, request: _Request, deadline_s: float, max_redirects: int) -> Fetched:
        with trio.move_on_after(deadline_s):
            for _ in range(max_redirects + 1):
                pinned = await self.pin(url)
                answer = await self._ask(pinned, request)
                if isinstance(answer, Fetched):
                    return answer
                url = _joined(pinned, answer)
            if max_redirects == 0:
                raise FetchRefused(f"{pinned.host} sends to another address, which is not followed.")
            raise FetchRefused(f"{pinned.host} sends from one address to another without end.")
        raise FetchRefused(f"{_host(url)} did not answer within {deadline_s:g} seconds.")

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            return await self.resolve(host, port)

    async def _ask(self, pinned: Pinned, request: _Request) -> Fetched | str:
        """One request; the answer, or where it leads."""
        trust = await trio.to_thread.run_sync(_trust, self.ca_file)
        try:
            async with (
                httpcore2.AsyncConnectionPool(ssl_context=trust, network_backend=_OneAddress(pinned)) as pool,
                pool.stream(
                    request.method, pinned.url, headers=request.all_headers(), content=request.body
                ) as response,
            ):
                headers = {name.decode("ascii").lower(): value.decode("latin-1") for name, value in response.headers}
                if response.status in _REDIRECTS and "location" in headers:
                    return headers["location"]
                content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
                _check_answer(pinned, request, response.status, content_type, headers.get("content-encoding"))
                body = bytearray()
                async for piece in response.aiter_stream():
                    body += piece
                    if len(body) > request.max_bytes:
                        raise FetchRefused(f"{pinned.host} answered with more than {request.max_bytes:,} bytes.")
                return Fetched(pinned.url, content_type, bytes(body), response.status, headers)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, ssl.SSLError) as error:
            raise FetchRefused(f"{pinned.host} cannot be reached, or its certificate is not right.") from error


@cached(TTLCache(maxsize=8, ttl=_TRUST_KEPT_S), lock=Lock())
def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """The authorities that vouch for others. Reading the machine's takes some 40 ms."""
    return ssl.create_default_context(cafile=ca_file)


class _OneAddress(httpcore2.AsyncNetworkBackend):
    """Connects to the address that was judged, whatever the name says by now."""

    def __init__(self, pinned: Pinned) -> None:
        self._pinned = pinned
        self._trio = httpcore2.TrioBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (the interface is httpcore's)
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return await self._trio.connect_tcp(self._pinned.address, self._pinned.port, _CONNECT_S)


def _parse(url: str) -> tuple[str, int, str]:
    """Host, port and target of an https address, in the one spelling that all who read it understand alike."""
    if len(url) > _MAX_ADDRESS_CHARS or not _TARGET.fullmatch(url) or "\\" in url:
        raise FetchRefused("This is not an address that can be asked; it begins with https:// and has no spaces.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise FetchRefused("This is not an address that can be asked.") from None
    if parts.scheme != "https":
        raise FetchRefused("Only addresses that begin with https:// are asked.")
    if parts.username is not None or parts.password is not None:
        raise FetchRefused("An address with a user name or a password in it is not asked.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _canonical_host(host), port or 443, target


def _canonical_host(host: str) -> str:
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise FetchRefused("This is not the address of a host.") from None
    try:
        name = idna.encode(host.removesuffix("."), uts46=True).decode("ascii").lower() if host else ""
    except idna.IDNAError:
        name = host.lower().removesuffix(".")
    labels = name.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or len(name) > 253:
        raise FetchRefused("This is not the address of a host.")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise FetchRefused("A host given by numbers has four of them, such as 192.0.2.1.") from None
    if len(labels) < 2:
        raise FetchRefused("A host of the public internet has a dot in its name.")
    return name


def _check_answer(pinned: Pinned, request: _Request, status: int, content_type: str, encoding: str | None) -> None:
    if status not in request.statuses:
        if status in (401, 403, 404):
            raise FetchRefused(f"{pinned.host} has nothing there for the public (status {status}).")
        raise FetchRefused(f"{pinned.host} answered with status {status}.")
    if request.types and content_type not in request.types:
        raise FetchRefused(f"{pinned.host} answered with another kind of document than was asked for.")
    if encoding not in (None, "identity"):
        raise FetchRefused(f"{pinned.host} answered in an encoding that was not asked for.")


def _joined(pinned: Pinned, location: str) -> str:
    try:
        return urljoin(pinned.url, location)
    except ValueError:
        raise FetchRefused(f"{pinned.host} sends to an address that cannot be asked.") from None


def _host(url: str) -> str:
    """For sentences, of an address that was looked at before."""
    return urlsplit(url).hostname or "The host"
