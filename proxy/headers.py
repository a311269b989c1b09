"""Which header passes in which direction.

To the worker: first every name with an underscore goes, because WSGI folds `X_Otterwiki_Permissions` and
`X-Otterwiki-Permissions` into one variable; then the families that say who somebody is or whom we speak for; then what
belongs to one connection only; credentials and our own cookies stay with us. Only then our own statements are added.

To the client: what belongs to the connection, to the server or to the whole origin is ours to say and not a worker's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from proxy.asgi import Headers
from proxy.edge import Edge

OWN_COOKIE_PREFIX: Final = b"__host-robot"
"""Lower case: browsers compare the `__Host-` prefix without regard to case."""

_HOP_BY_HOP: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
"""RFC 9110 7.6.1, with its predecessors' names."""

_IDENTITY: Final = frozenset(
    (b"remote-user", b"remote-name", b"remote-email", b"remote-groups", b"remote-addr", b"ssl-client-cert")
)
_IDENTITY_FAMILIES: Final = (b"x-otterwiki-", b"x-robot-", b"x-remote-", b"x-auth-", b"x-authenticated-")
_FORWARDED: Final = frozenset(
    (b"forwarded", b"via", b"x-real-ip", b"true-client-ip", b"client-ip", b"x-client-ip", b"x-request-id")
)
_FORWARDED_FAMILIES: Final = (b"x-forwarded-", b"x-original-", b"x-rewrite-", b"cf-")

_REFRAMED: Final = frozenset((b"host", b"content-length", b"expect", b"http2-settings"))
"""Said anew for the connection to the worker."""

_CREDENTIALS: Final = frozenset((b"authorization", b"proxy-authorization"))
"""A worker is told who acts; what proves it stays here."""

_NOT_FROM_CLIENT: Final = _HOP_BY_HOP | _IDENTITY | _FORWARDED | _REFRAMED | _CREDENTIALS
_FAMILIES_NOT_FROM_CLIENT: Final = _IDENTITY_FAMILIES + _FORWARDED_FAMILIES

_NOT_FROM_WORKER: Final = _HOP_BY_HOP | frozenset(
    (
        b"server",
        b"date",
        b"via",
        b"x-powered-by",
        b"alt-svc",
        b"clear-site-data",
        b"proxy-authenticate",
        b"public-key-pins",
        b"service-worker-allowed",
        b"strict-transport-security",
        b"referrer-policy",
        b"x-content-type-options",
        b"x-request-id",
    )
)
_FAMILIES_NOT_FROM_WORKER: Final = (b"access-control-", b"x-otterwiki-", b"x-robot-")

WIKI_CSP: Final = b"object-src 'none'; base-uri 'none'; form-action 'self'"
"""Sent beside a worker's own policy: browsers enforce each of several policies (CSP Level 3, 8.1)."""

_HSTS: Final = b"max-age=31536000"
_KEPT_COOKIE_ATTRIBUTES: Final = (b"expires", b"max-age")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_CONTROL_BYTES: Final = re.compile(rb"[\x00-\x1f\x7f]")


def to_worker(headers: Headers, edge: Edge, identity: Mapping[str, str]) -> Headers:
    """Return the request headers for a worker, without those that frame the body.

    `identity` maps header names to text; the values go out in UTF-8. WSGI shows each byte as one character
    (PEP 3333), so the worker reads them back with `value.encode("latin-1").decode()`.
    """
    dropped = _NOT_FROM_CLIENT | _listed_in_connection(headers)
    kept = [
        (name, value)
        for name, value in headers
        if b"_" not in name
        and name not in dropped
        and not name.startswith(_FAMILIES_NOT_FROM_CLIENT)
        and name != b"cookie"
    ]
    cookies = _foreign_cookies(headers)
    if cookies:
        kept.append((b"cookie", cookies))
    kept += [(name.lower().encode("ascii"), _identity_value(text)) for name, text in identity.items()]
    kept += [
        (b"host", edge.host.encode("ascii")),
        (b"x-forwarded-proto", edge.scheme.encode("ascii")),
        (b"x-forwarded-host", edge.host.encode("ascii")),
        (b"x-request-id", edge.request_id.encode("ascii")),
    ]
    if edge.client is not None:
        kept.append((b"x-forwarded-for", edge.client.encode("ascii")))
    return kept


def to_client(headers: Headers, edge: Edge) -> Headers:
    """Return the response headers for the client: a worker speaks for its pages, never for the origin."""
    dropped = _NOT_FROM_WORKER | _listed_in_connection(headers)
    if any(name == b"transfer-encoding" for name, _ in headers):
        dropped |= {b"content-length"}
    kept: Headers = []
    for name, value in headers:
        if name in dropped or name.startswith(_FAMILIES_NOT_FROM_WORKER):
            continue
        if name == b"set-cookie":
            cookie = confined_cookie(value)
            if cookie is not None:
                kept.append((name, cookie))
        elif name == b"location":
            kept.append((name, confined_location(value, edge.host)))
        else:
            kept.append((name, value))
    kept += [
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"content-security-policy", WIKI_CSP),
    ]
    if edge.scheme == "https":
        kept.append((b"strict-transport-security", _HSTS))
    return kept


def confined_cookie(value: bytes) -> bytes | None:
    """Return a worker's Set-Cookie for this host alone, out of reach of scripts; None when it may not be set.

    A cookie without a name goes too: browsers send it back as bare text that reads like any other cookie
    (RFC 6265bis 5.7).
    """
    pair, *attributes = value.split(b";")
    name, separator, _ = pair.partition(b"=")
    name = name.strip().lower()
    if not separator or not name or name.startswith(OWN_COOKIE_PREFIX) or _CONTROL_BYTES.search(pair):
        return None
    kept = [
        attribute.strip()
        for attribute in attributes
        if attribute.partition(b"=")[0].strip().lower() in _KEPT_COOKIE_ATTRIBUTES
    ]
    return b"; ".join([pair.strip(), *kept, b"Path=/", b"Secure", b"HttpOnly", b"SameSite=Lax"])


def confined_location(value: bytes, own_host: str) -> bytes:
    """Return a worker's redirect as a path on its own host; `/` for a redirect to anywhere else.

    Otter Wiki redirects only within itself, so a foreign target is a mistake or an attack. Our own absolute URLs
    become paths, because a worker may guess scheme and port wrongly. Browsers read a backslash as a slash and skip
    tabs and newlines in a URL (WHATWG URL 4.4), so a target with any of these goes nowhere.
    """
    target = value.decode("latin-1")
    if "\\" in target or _CONTROL_BYTES.search(value):
        return b"/"
    try:
        parts = urlsplit(target)
    except ValueError:
        return b"/"
    if parts.scheme or parts.netloc:
        if parts.scheme not in ("http", "https", "") or parts.netloc.lower() != own_host:
            return b"/"
        target = parts._replace(scheme="", netloc="").geturl() or "/"
    return b"/" if target.startswith("//") else target.encode("latin-1")


def _listed_in_connection(headers: Headers) -> frozenset[bytes]:
    """Names that `Connection` declares to concern one connection (RFC 9110 7.6.1)."""
    return frozenset(
        option.strip().lower() for name, value in headers if name == b"connection" for option in value.split(b",")
    )


def _foreign_cookies(headers: Headers) -> bytes:
    """The Cookie header without our own cookies, which no worker may learn."""
    pairs = (pair.strip() for name, value in headers if name == b"cookie" for pair in value.split(b";") if pair.strip())
    return b"; ".join(pair for pair in pairs if not pair.lower().startswith(OWN_COOKIE_PREFIX))


def _identity_value(text: str) -> bytes:
    return " ".join(_UNPRINTABLE.sub(" ", text).split()).encode("utf-8", "replace")
