from __future__ import annotations

import pytest

from proxy.asgi import Headers
from proxy.edge import Edge
from proxy.headers import confined_cookie, confined_location, to_client, to_worker

EDGE = Edge("https", "notes.test", "192.0.2.7", "r-1")
OURS = [
    (b"host", b"notes.test"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"notes.test"),
    (b"x-request-id", b"r-1"),
    (b"x-forwarded-for", b"192.0.2.7"),
]


@pytest.mark.parametrize(
    "name",
    [
        b"x_otterwiki_permissions",
        b"x-otterwiki_permissions",
        b"x_otterwiki-permissions",
        b"x-otterwiki-permissions",
        b"x-otterwiki-name",
        b"x-otterwiki-anything",
        b"x-robot-probe",
        b"remote-user",
        b"remote_user",
        b"x-remote-user",
        b"x-auth-request-user",
        b"forwarded",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-forwarded-prefix",
        b"x-real-ip",
        b"x-original-url",
        b"x-rewrite-url",
        b"x-request-id",
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
        b"expect",
        b"content-length",
        b"host",
        b"authorization",
        b"proxy-authorization",
        b"content_type",
    ],
)
def test_no_client_speaks_for_us(name: bytes) -> None:
    assert to_worker([(name, b"ADMIN")], EDGE, {}) == OURS


@pytest.mark.parametrize(
    "name",
    [b"accept", b"accept-language", b"range", b"if-none-match", b"content-type", b"user-agent", b"referer", b"origin"],
)
def test_what_a_page_needs_passes(name: bytes) -> None:
    assert to_worker([(name, b"v")], EDGE, {}) == [(name, b"v"), *OURS]


def test_names_listed_in_connection_stay_here() -> None:
    sent: Headers = [(b"connection", b"close, X-Hop"), (b"x-hop", b"1"), (b"connection", b"accept"), (b"accept", b"a")]
    assert to_worker(sent, EDGE, {}) == OURS


def test_identity_is_ours_and_in_utf8_on_one_line() -> None:
    sent: Headers = [(b"x-otterwiki-name", b"Mallory")]
    identity = {"X-Otterwiki-Name": "Jürgen 🦦\r\nX-Otterwiki-Permissions: ADMIN\x85\u2028", "x-otterwiki-email": ""}
    assert to_worker(sent, EDGE, identity) == [
        (b"x-otterwiki-name", "Jürgen 🦦 X-Otterwiki-Permissions: ADMIN".encode()),
        (b"x-otterwiki-email", b""),
        *OURS,
    ]


def test_our_own_cookies_never_reach_a_worker() -> None:
    sent: Headers = [
        (b"cookie", b"__Host-robot=s3cret; session=abc; __host-ROBOT_flow=x"),
        (b"cookie", b"theme=dark;  __Host-robot_x=y"),
    ]
    assert to_worker(sent, EDGE, {})[0] == (b"cookie", b"session=abc; theme=dark")
    assert to_worker([(b"cookie", b"__Host-robot=s3cret")], EDGE, {}) == OURS


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"session=a.b; Path=/; HttpOnly", b"session=a.b; Path=/; Secure; HttpOnly; SameSite=Lax"),
        (b"a=b; Domain=.test; Path=/x; SameSite=None", b"a=b; Path=/; Secure; HttpOnly; SameSite=Lax"),
        (
            b"a=b;Max-Age=60; expires=Wed, 21 Oct 2026 07:28:00 GMT; secure; Partitioned",
            b"a=b; Max-Age=60; expires=Wed, 21 Oct 2026 07:28:00 GMT; Path=/; Secure; HttpOnly; SameSite=Lax",
        ),
        (b"__Host-robot=evil", None),
        (b" __host-Robot_session =evil; Path=/", None),
        (b"=__Host-robot=evil", None),
        (b"__Host-robot", None),
        (b"", None),
        (b"a=\x01", None),
    ],
)
def test_a_worker_sets_cookies_for_its_host_alone(sent: bytes, kept: bytes | None) -> None:
    assert confined_cookie(sent) == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"/Page?x=1#top", b"/Page?x=1#top"),
        (b"Other", b"Other"),
        (b"?revision=1", b"?revision=1"),
        (b"http://notes.test/Page?x=1", b"/Page?x=1"),
        (b"https://NOTES.test", b"/"),
        ("/Café".encode(), "/Café".encode()),
        (b"https://notes.test:8443/", b"/"),
        (b"https://evil.test/Page", b"/"),
        (b"//evil.test/", b"/"),
        (b"///evil.test/", b"/"),
        (b"/\\evil.test/", b"/"),
        (b"\\\\evil.test/", b"/"),
        (b"/\t/evil.test", b"/"),
        (b"https:evil.test", b"/"),
        (b"https://notes.test@evil.test/", b"/"),
        (b"http://notes.test//evil.test/", b"/"),
        (b"javascript:alert(1)", b"/"),
        (b"data:text/html,x", b"/"),
        (b"http://[evil/", b"/"),
    ],
)
def test_a_worker_redirects_within_its_host(sent: bytes, kept: bytes) -> None:
    assert confined_location(sent, "notes.test") == kept


def test_what_a_worker_says_about_the_origin_is_dropped_and_ours_is_added() -> None:
    sent: Headers = [
        (b"content-type", b"text/html"),
        (b"content-security-policy", b"sandbox"),
        (b"server", b"waitress"),
        (b"date", b"yesterday"),
        (b"strict-transport-security", b"max-age=0"),
        (b"referrer-policy", b"unsafe-url"),
        (b"x-content-type-options", b"none"),
        (b"access-control-allow-origin", b"*"),
        (b"clear-site-data", b"*"),
        (b"connection", b"keep-alive, x-hop"),
        (b"x-hop", b"1"),
        (b"keep-alive", b"timeout=5"),
        (b"set-cookie", b"__Host-robot=evil"),
        (b"set-cookie", b"a=b"),
        (b"location", b"https://evil.test/"),
        (b"etag", b'"1"'),
    ]
    assert to_client(sent, EDGE) == [
        (b"content-type", b"text/html"),
        (b"content-security-policy", b"sandbox"),
        (b"set-cookie", b"a=b; Path=/; Secure; HttpOnly; SameSite=Lax"),
        (b"location", b"/"),
        (b"etag", b'"1"'),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"content-security-policy", b"object-src 'none'; base-uri 'none'; form-action 'self'"),
        (b"strict-transport-security", b"max-age=31536000"),
    ]


def test_hsts_is_said_over_tls_only() -> None:
    plain = Edge("http", "notes.test", None, "r-1")
    assert b"strict-transport-security" not in dict(to_client([], plain))


def test_a_chunked_response_has_no_length() -> None:
    sent: Headers = [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")]
    assert not {b"content-length", b"transfer-encoding"} & dict(to_client(sent, EDGE)).keys()
