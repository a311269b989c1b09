"""Requests that two readers frame differently: the worker sees one well-framed request, or none."""

from __future__ import annotations

from dataclasses import dataclass, field

import h11
import pytest
import trio

from tests.proxy.stage import OK, RecordingWorker, proxied, talk

HEAD = b"POST /first HTTP/1.1\r\nHost: a.test\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"
SMUGGLED_LENGTH = str(len(SMUGGLED)).encode()


@dataclass
class Server:
    """A worker with a strict reading of its own; keeps what it was asked, with bodies."""

    requests: list[tuple[bytes, bytes, bytes]] = field(default_factory=list)

    async def script(self, stream: trio.SocketStream, worker: RecordingWorker) -> None:
        protocol = h11.Connection(h11.SERVER)
        body = b""
        while True:
            try:
                event = protocol.next_event()
            except h11.RemoteProtocolError:
                return  # The body broke off, so this is no request.
            if event is h11.NEED_DATA:
                data = await worker.receive(stream)
                assert b"\n" not in data.partition(b"\r\n\r\n")[0].replace(b"\r\n", b""), "a bare LF in the head"
                protocol.receive_data(data)
            elif isinstance(event, h11.Request):
                request = event
                names = [name for name, _ in request.headers]
                assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
                assert names.count(b"host") == 1
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                self.requests.append((request.method, request.target, body))
                await stream.send_all(OK)
                body = b""
                protocol.send(h11.Response(status_code=200, headers=[(b"content-length", b"0")]))
                protocol.send(h11.EndOfMessage())
                protocol.start_next_cycle()
            else:
                return


CORPUS = {
    "CL.TE": HEAD
    + b"Content-Length: %b\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % str(5 + len(SMUGGLED)).encode()
    + SMUGGLED,
    "TE.CL": HEAD
    + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: " + SMUGGLED_LENGTH + b"\r\n\r\n" + SMUGGLED,
    "a list of lengths": HEAD + b"Content-Length: 0, " + SMUGGLED_LENGTH + b"\r\n\r\n" + SMUGGLED,
    "a signed length": HEAD + b"Content-Length: +" + SMUGGLED_LENGTH + b"\r\n\r\n" + SMUGGLED,
    "a hexadecimal length": HEAD + b"Content-Length: 0x2b\r\n\r\n" + SMUGGLED,
    "a length and a space": HEAD + b"Content-Length : " + SMUGGLED_LENGTH + b"\r\n\r\n" + SMUGGLED,
    "a length with an underscore": HEAD + b"Content_Length: 4\r\nContent-Length: 0\r\n\r\n",
    "TE: identity": HEAD + b"Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n",
    "TE: xchunked": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + SMUGGLED,
    "TE: chunked, identity": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "TE twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE with a vertical tab": HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "TE with an underscore": HEAD + b"Transfer_Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
    "TE in HTTP/1.0": b"POST /first HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE folded": HEAD + b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 0\r\n\r\n",
    "a folded header": HEAD + b"X-A: one\r\n two\r\nContent-Length: 0\r\n\r\n",
    "a fold at the start": b"POST /first HTTP/1.1\r\n Host: a.test\r\nContent-Length: 0\r\n\r\n",
    "bare LF": HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n",
    "bare LF hiding a length": HEAD + b"X-A: a\nContent-Length: 0\r\n\r\n",
    "bare CR": HEAD + b"X-A: a\rContent-Length: 5\r\nContent-Length: 0\r\n\r\n",
    "chunk with a sign": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + SMUGGLED,
    "chunk of 0x": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + SMUGGLED,
    "chunk longer than it says": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n" + SMUGGLED,
    "chunk of 2^80": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 21 + b"\r\n",
    "chunk extension": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0;a=b\r\n\r\n",
    "chunk extension with LF": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0;a\n\r\n\r\n",
    "trailers": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 99\r\nHost: b.test\r\n\r\n",
    "absolute target": b"GET http://b.test/first HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "CONNECT": b"CONNECT b.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "TRACE": b"TRACE /first HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "no Host": b"GET /first HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /first HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n",
    "Host with user": b"GET /first HTTP/1.1\r\nHost: a.test@b.test\r\n\r\n",
    "Host listed in Connection": b"GET /first HTTP/1.1\r\nHost: a.test\r\nConnection: Host, Content-Length\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /first\r\n\r\n",
    "HTTP/9.9": b"GET /first HTTP/9.9\r\nHost: a.test\r\n\r\n",
    "NUL in a value": HEAD + b"X-A: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "a space in a name": HEAD + b"X A: b\r\nContent-Length: 0\r\n\r\n",
    "dots": b"GET /a/%2e%2e/-/robot/probe HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "NUL in the path": b"GET /a%00 HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a head without end": HEAD + b"X-A: " + b"a" * 100_000,
}


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.parametrize("pieces", [1, 7])
async def test_the_worker_sees_one_request_or_none(name: str, pieces: int) -> None:
    server = Server()
    async with proxied(server.script) as (port, _, app):
        # A second request on the same connection ends it, and would show what the first left behind.
        response = await talk(
            port, CORPUS[name] + b"GET /last HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", pieces=pieces
        )
        assert app.errors == []
    targets = [target for _, target, _ in server.requests]
    assert targets in ([], [b"/first"], [b"/first", b"/last"], [b"/last"])
    assert all(body in (b"", SMUGGLED) for _, _, body in server.requests)
    statuses = [int(part[:3]) for part in response.split(b"HTTP/1.1 ")[1:]]
    if not targets:
        assert statuses == [] or all(400 <= status <= 505 for status in statuses)
    assert statuses.count(200) == len(targets)


@pytest.mark.parametrize(
    "name", ["CL.TE", "TE.CL", "two lengths", "absolute target", "CONNECT", "TRACE", "two Hosts", "TE in HTTP/1.0"]
)
async def test_what_is_ambiguous_is_refused(name: str) -> None:
    server = Server()
    async with proxied(server.script) as (port, _, _):
        response = await talk(port, CORPUS[name])
    assert response.startswith(b"HTTP/1.1 4")
    assert server.requests == []


async def test_requests_in_one_packet_are_answered_one_by_one() -> None:
    server = Server()
    both = HEAD + b"Content-Length: 2\r\n\r\nabGET /last HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
    async with proxied(server.script) as (port, _, _):
        response = await talk(port, both)
    assert server.requests == [(b"POST", b"/first", b"ab"), (b"GET", b"/last", b"")]
    assert response.count(b"HTTP/1.1 200") == 2
