"""The one door to other hosts: whom it asks, at which address, how much it reads, and for how long."""

from __future__ import annotations

import gzip
import ipaddress
import ssl
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from robot.fetch import Door, Fetched, FetchRefused, is_public
from tests.robot.tls_server import HOST, OTHER, Server, reply, tls_server

JSON = {"application/json"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        reply(handler, 200, b'{"ok": 1}', "application/json; charset=utf-8")

    with tls_server(tmp_path, answer) as running:
        yield running


async def get(door: Door, url: str, *, max_bytes: int = 65_536, deadline_s: float = 10) -> Fetched:
    return await door.get(url, types=JSON, max_bytes=max_bytes, deadline_s=deadline_s)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


INSIDE = """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 127.0.0.1 127.8.8.8 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.9
192.0.0.170 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1
255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::7f00:1
64:ff9b::a00:1 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1:: 3fff::1 5f00::1 fc00::1 fd12::1 fe80::1 fec0::1
ff02::1 fe80::1%1
"""


@pytest.mark.parametrize("address", INSIDE.split())
def test_addresses_that_are_never_asked(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://wiki.example.org/",
        "file:///etc/passwd",
        "gopher://wiki.example.org/",
        "ssh://git@wiki.example.org/x",
        "ext::sh -c id",
        "https://user@wiki.example.org/",
        "https://user:secret@wiki.example.org/",
        "https:///x",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f.0.0.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://017700000001/",
        "https://0177.0.0.1/",
        "https://127.0.0.1.:443/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[fe80::1%25lo]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://①②⑦.⓪.⓪.①/",
        "https://wiki.example.org\\@127.0.0.1/",
        "https://wiki.example.org:99999/",
        "https://wiki.example.org/a b",
        "https://wiki.example.org/\r\nHost: x",
        "https://-x.example.org/",
        "https://" + "a" * 300 + ".org/",
        "https://wiki.example.org/" + "a" * 3000,
        "--upload-pack=id",
        "",
    ],
)
async def test_addresses_that_are_refused_before_anybody_is_asked(url: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.215.14"] if host == HOST else ["127.0.0.1"]

    with pytest.raises(FetchRefused):
        await Door(resolve=resolve).pin(url)


async def test_a_name_is_pinned_in_its_plain_spelling() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        assert (host, port) == (HOST, 443)
        return ["93.184.215.14", "2606:4700::1111"]

    pinned = await Door(resolve=resolve).pin("https://WIKI.Example.org.:443/a/b?c=d#e")
    assert (pinned.url, pinned.address) == (f"https://{HOST}/a/b?c=d", "93.184.215.14")


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["::ffff:127.0.0.1"], []])
async def test_a_name_with_one_address_inside_is_refused_whole(found: list[str]) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return found

    with pytest.raises(FetchRefused, match="not on the public internet"):
        await Door(resolve=resolve).pin(f"https://{HOST}/")


async def test_loopback_is_not_asked_unless_a_test_says_so(server: Server) -> None:
    door = server.door()
    with pytest.raises(FetchRefused, match="public internet"):
        await get(Door(resolve=door.resolve, ca_file=door.ca_file), server.url())
    assert not server.seen


async def test_a_document(server: Server) -> None:
    found = await get(server.door(), server.url("/x"))
    assert (found.body, found.content_type, found.url) == (b'{"ok": 1}', "application/json", server.url("/x"))


async def test_a_name_is_resolved_once_and_that_address_is_asked(server: Server) -> None:
    asked = 0

    async def rebinding(host: str, port: int) -> Sequence[str]:
        nonlocal asked
        asked += 1
        return ["127.0.0.1"] if asked == 1 else ["127.0.0.2"]  # nothing listens there

    door = Door(resolve=rebinding, allows=server.door().allows, ca_file=server.ca_file)
    assert (await get(door, server.url())).body
    assert asked == 1


async def test_a_certificate_of_a_stranger_is_refused(server: Server) -> None:
    door = server.door()
    with pytest.raises(FetchRefused, match="certificate"):
        await get(Door(resolve=door.resolve, allows=door.allows), server.url())
    elsewhere = server.door({"third.example.org": ["127.0.0.1"]})
    with pytest.raises(FetchRefused, match="certificate"):
        await get(elsewhere, server.url(host="third.example.org"))


async def test_the_authorities_are_read_once_and_not_on_the_loop(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_in: list[threading.Thread] = []
    create = ssl.create_default_context

    def noted(**how: Any) -> ssl.SSLContext:
        read_in.append(threading.current_thread())
        return create(**how)

    monkeypatch.setattr(ssl, "create_default_context", noted)
    for _ in range(2):
        assert (await get(server.door(), server.url())).body
    assert len(read_in) == 1
    assert read_in[0] is not threading.current_thread()


async def test_redirects_are_judged_anew(server: Server) -> None:
    targets = {"/1": server.url("/2", OTHER), "/2": "/3", "/bad": "https://127.0.0.1/", "/plain": "http://x.example/"}
    targets["/odd"] = "//["

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path in targets:
            reply(handler, 302, Location=targets[handler.path])
        elif handler.path == "/loop":
            reply(handler, 307, Location="/loop")
        else:
            reply(handler, 200, b"{}", "application/json")

    server.answer = answer
    assert (await get(server.door(), server.url("/1"))).url == server.url("/3", OTHER)
    only_here = server.door({HOST: ["127.0.0.1"], OTHER: ["10.0.0.1"]})
    with pytest.raises(FetchRefused, match="public internet"):
        await get(only_here, server.url("/1"))
    with pytest.raises(FetchRefused, match="https"):
        await get(server.door(), server.url("/plain"))
    with pytest.raises(FetchRefused, match="cannot be asked"):
        await get(server.door(), server.url("/odd"))
    server.seen.clear()
    with pytest.raises(FetchRefused, match="without end"):
        await get(server.door(), server.url("/loop"))
    assert server.seen == ["/loop"] * 4


async def test_what_is_too_large_packed_or_of_another_kind_is_refused(server: Server) -> None:
    door = server.door()
    server.answer = lambda handler: reply(handler, 200, b"x" * 100_000, "application/json")
    with pytest.raises(FetchRefused, match="more than"):
        await get(door, server.url())
    bomb = gzip.compress(b"0" * 10_000_000)
    server.answer = lambda handler: reply(handler, 200, bomb, "application/json", Content_Encoding="gzip")
    with pytest.raises(FetchRefused, match="encoding"):
        await get(door, server.url())
    server.answer = lambda handler: reply(handler, 200, b"<p>", "text/html")
    with pytest.raises(FetchRefused, match="kind"):
        await get(door, server.url())
    for status in (401, 404, 500, 204):
        server.answer = lambda handler, status=status: reply(handler, status)  # type: ignore[misc]
        with pytest.raises(FetchRefused, match=str(status)):
            await get(door, server.url())


async def test_a_slow_answer_is_not_waited_for(server: Server) -> None:
    over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        while not over.wait(0.05):
            handler.wfile.write(b" ")

    server.answer = drip
    try:
        with pytest.raises(FetchRefused, match="did not answer within"):
            await get(server.door(), server.url(), deadline_s=0.5)
    finally:
        over.set()


async def test_a_name_that_nobody_has(server: Server) -> None:
    with pytest.raises(FetchRefused, match="no host"):
        await get(server.door(), server.url(host="nowhere.example.org"))


@dataclass(frozen=True, slots=True)
class Sent:
    """What a server was sent."""

    method: str
    headers: Mapping[str, str]
    body: bytes


async def post(door: Door, url: str, statuses: Collection[int] = (200,)) -> Fetched:
    return await door.post(
        url,
        body=b"a=1",
        content_type="application/x-www-form-urlencoded",
        headers={"DPoP": "proof"},
        types=JSON,
        max_bytes=65_536,
        deadline_s=10,
        statuses=statuses,
    )


async def test_a_body_is_sent_with_its_type_and_the_headers_of_the_caller(server: Server) -> None:
    sent: list[Sent] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        sent.append(Sent(handler.command, headers, handler.rfile.read(int(headers["content-length"]))))
        reply(handler, 201, b"{}", "application/json", DPoP_Nonce="n1")

    server.answer = answer
    found = await post(server.door(), server.url("/par"), statuses=(200, 201))
    assert (found.status, found.headers["dpop-nonce"], found.body) == (201, "n1", b"{}")
    (request,) = sent
    assert (request.method, request.body) == ("POST", b"a=1")
    assert request.headers["host"] == f"{HOST}:{server.port}"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["dpop"] == "proof"


async def test_the_caller_says_which_statuses_it_reads_itself(server: Server) -> None:
    server.answer = lambda handler: reply(handler, 400, b'{"error": "use_dpop_nonce"}', "application/json")
    found = await post(server.door(), server.url(), statuses=(201, 400))
    assert (found.status, found.body) == (400, b'{"error": "use_dpop_nonce"}')
    with pytest.raises(FetchRefused, match="status 400"):
        await post(server.door(), server.url(), statuses=(201,))


async def test_what_is_sent_to_one_is_not_sent_on_to_another(server: Server) -> None:
    for status in (301, 302, 303, 307, 308):
        server.answer = lambda handler, status=status: reply(  # type: ignore[misc]
            handler, status, Location=server.url("/elsewhere", OTHER)
        )
        with pytest.raises(FetchRefused, match="not followed"):
            await post(server.door(), server.url("/par"))
    assert server.seen == ["/par"] * 5


async def test_nothing_is_sent_inside(server: Server) -> None:
    door = server.door()
    with pytest.raises(FetchRefused, match="public internet"):
        await post(Door(resolve=door.resolve, ca_file=door.ca_file), server.url())
    assert not server.seen


async def test_an_answer_of_any_type_is_read_when_none_is_named(server: Server) -> None:
    server.answer = lambda handler: reply(handler, 200, b"did:plc:x", "application/octet-stream")
    found = await server.door().get(server.url(), types=(), max_bytes=100, deadline_s=10)
    assert found.body == b"did:plc:x"
