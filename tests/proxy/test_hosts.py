from __future__ import annotations

import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.hosts import Host, OwnDomain, PlatformHost, UnknownHost, WikiHost, parse_host, split_host

DOMAIN = "robot.localhost"


@pytest.mark.parametrize(
    ("value", "host"),
    [
        (b"robot.localhost", Host("robot.localhost")),
        (b"Robot.LOCALHOST", Host("robot.localhost")),
        (b"robot.localhost.", Host("robot.localhost")),
        (b"robot.localhost:8080", Host("robot.localhost", 8080)),
        (b"robot.localhost.:443", Host("robot.localhost", 443)),
        (b"robot.localhost:", Host("robot.localhost")),
        (b"127.0.0.1:80", Host("127.0.0.1", 80)),
        (b"[::1]", Host("[::1]")),
        (b"[0:0:0:0:0:0:0:1]:8080", Host("[::1]", 8080)),
        (b"[::FFFF:127.0.0.1]", Host("[::ffff:7f00:1]")),
        (b"xn--bcher-kva.robot.localhost", Host("xn--bcher-kva.robot.localhost")),
        (b"", None),
        (b".", None),
        (b"a..b", None),
        (b"robot.localhost..", None),
        (b"-a.robot.localhost", None),
        (b"a-.robot.localhost", None),
        (b"_dmarc.robot.localhost", None),
        (b"user@robot.localhost", None),
        (b"robot.localhost@evil.test", None),
        (b"robot.localhost:80:80", None),
        (b"robot.localhost:0", None),
        (b"robot.localhost:65536", None),
        (b"robot.localhost:-1", None),
        (b"robot.localhost:8o", None),
        (b"robot.localhost /", None),
        (b"robot .localhost", None),
        (b" robot.localhost", None),
        (b"robot.localhost\t", None),
        (b"robot.localhost\n", None),
        (b"robot.localhost\x00", None),
        (b"robot%2elocalhost", None),
        (b"robot.localhost,evil.test", None),
        (b"robot.localhost/evil", None),
        (b"http://robot.localhost", None),
        (b"[::1", None),
        (b"::1", None),
        (b"[::1%25eth0]", None),
        (b"[1.2.3.4]", None),
        ("bücher.test".encode(), None),
        ("ｒobot.localhost".encode(), None),
        (b"a" * 64 + b".test", None),
        (b".".join([b"a" * 60] * 5), None),
    ],
)
def test_one_spelling_or_none(value: bytes, host: Host | None) -> None:
    assert parse_host([(b"accept", b"*/*"), (b"host", value)]) == host


def test_absent_and_repeated_hosts_are_refused() -> None:
    assert parse_host([]) is None
    assert parse_host([(b"host", b"a.test"), (b"host", b"a.test")]) is None
    assert parse_host([(b"host", b"a.test"), (b"Host", b"b.test")]) is None


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("robot.localhost", PlatformHost()),
        ("notes.robot.localhost", WikiHost("notes")),
        ("robot.robot.localhost", WikiHost("robot")),
        ("a.b.robot.localhost", UnknownHost()),
        ("localhost", UnknownHost()),
        ("notesrobot.localhost", OwnDomain("notesrobot.localhost")),
        ("robot.localhost.evil.test", OwnDomain("robot.localhost.evil.test")),
        ("xn--bcher-kva.example", OwnDomain("xn--bcher-kva.example")),
        ("10.in-addr.arpa", OwnDomain("10.in-addr.arpa")),
        ("notes.1", UnknownHost()),
        ("127.0.1", UnknownHost()),
        ("1.0x7f", UnknownHost()),
        ("127.0.0.1", UnknownHost()),
        ("[::1]", UnknownHost()),
    ],
)
def test_labels_compare_exactly(name: str, place: object) -> None:
    assert split_host(Host(name, 8080), DOMAIN) == place


def is_address(name: str) -> bool:
    """Whether the C library's reader of addresses takes the name for one, in any of its old spellings."""
    try:
        socket.inet_aton(name)
    except OSError:
        return name.startswith("[")
    return True


@given(st.binary(max_size=80) | st.from_regex(rb"[a-zA-Z0-9.:@\[\]_%-]{0,40}", fullmatch=True))
@example(b"notes.robot.localhost")
@example(b"127.1")
@example(b"0x7f.1")
@example(b"1.0X7F")
@example(b"notes.example.")
def test_whatever_is_accepted_is_normal_and_stays_so(value: bytes) -> None:
    host = parse_host([(b"host", value)])
    if host is None:
        return
    assert host.name == host.name.lower().removesuffix(".")
    assert parse_host([(b"host", str(host).encode())]) == host
    place = split_host(host, DOMAIN)
    if isinstance(place, WikiHost):
        assert f"{place.slug}.{DOMAIN}" == host.name
        assert "." not in place.slug
    elif isinstance(place, PlatformHost):
        assert host.name == DOMAIN
    elif isinstance(place, OwnDomain):
        assert place.name == host.name
        assert not f".{host.name}".endswith(f".{DOMAIN}")
        assert "." in host.name
        assert not is_address(host.name)
