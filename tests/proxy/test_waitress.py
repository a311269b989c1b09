"""The proxy before a real waitress, set up as in a worker: what WSGI makes of what we send."""

from __future__ import annotations

import contextlib
import itertools
import json
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import trio
from waitress.server import create_server

from proxy.forward import Forwarder
from tests.proxy.stage import Proxy, RecordingWorker, answering, body_of, get, listening, status_of

Environ = dict[str, Any]


def show(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/redirect":
        start_response("302 Found", [("Location", "http://notes.test/Home"), ("Set-Cookie", "session=x; Domain=test")])
        return [b""]
    if environ["PATH_INFO"] == "/crash":
        raise RuntimeError("a fault in the wiki")
    body = environ["wsgi.input"].read()
    seen = {key: value for key, value in environ.items() if isinstance(value, str)}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({**seen, "body_bytes": len(body)}).encode()]


@contextlib.asynccontextmanager
async def wiki(identity: dict[str, str]) -> AsyncIterator[int]:
    """A proxy before waitress; gives the proxy's port."""
    with tempfile.TemporaryDirectory(prefix="robot-") as folder:
        path = str(Path(folder) / "w.sock")
        server = create_server(
            show,
            unix_socket=path,
            ident=None,
            trusted_proxy="*",
            trusted_proxy_headers={"x-forwarded-for", "x-forwarded-proto"},
            max_request_body_size=1_000_000,
        )
        stop = threading.Event()

        def run() -> None:
            while not stop.is_set():
                server.asyncore.loop(timeout=0.05, map=server._map, count=1)

        thread = threading.Thread(target=run)
        thread.start()
        worker = RecordingWorker(answering(b""), path)
        forwarder = Forwarder()
        try:
            async with listening(Proxy(worker.lease, forwarder, identity)) as port:
                yield port
        finally:
            forwarder.close()
            stop.set()
            await trio.to_thread.run_sync(thread.join, 5)
            assert not thread.is_alive()
            server.close()
            server.asyncore.close_all(server._map)
            server.task_dispatcher.shutdown()


def seen_by_wiki(response: bytes) -> dict[str, Any]:
    assert status_of(response) == 200
    seen: dict[str, Any] = json.loads(body_of(response))
    return seen


SPELLINGS = [
    separator.join(parts).encode()
    for separator, parts in itertools.chain(
        (("-", (a, b, "Permissions")) for a in ("X", "x") for b in ("Otterwiki", "OTTERWIKI", "otterwiki")),
        (("_", (a, b, "Permissions")) for a in ("X", "x") for b in ("Otterwiki", "OTTERWIKI", "otterwiki")),
    )
] + [b"X_Otterwiki-Permissions", b"X-Otterwiki_Permissions", b"X-OtterWiki_PERMISSIONS"]


async def test_no_spelling_of_the_identity_headers_reaches_wsgi() -> None:
    async with wiki({}) as port:
        for name in SPELLINGS:
            for variant in (name, name.replace(b"ermissions", b"ermissions".upper())):
                seen = seen_by_wiki(await get(port, extra=variant + b": READ,WRITE,ADMIN\r\n"))
                assert not [key for key in seen if "OTTERWIKI" in key.upper()]


async def test_what_we_say_wins_over_what_the_client_says() -> None:
    async with wiki({"x-otterwiki-permissions": "READ", "x-otterwiki-name": "Zoë 🦦 Müller"}) as port:
        lies = b"".join(spelling + b": ADMIN\r\n" for spelling in SPELLINGS) + b"X-Otterwiki-Name: Mallory\r\n"
        seen = seen_by_wiki(await get(port, extra=lies))
    assert seen["HTTP_X_OTTERWIKI_PERMISSIONS"] == "READ"
    assert seen["HTTP_X_OTTERWIKI_NAME"].encode("latin-1").decode() == "Zoë 🦦 Müller"


async def test_where_the_request_came_from() -> None:
    async with wiki({}) as port:
        lies = b"X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4;proto=https\r\nX-Forwarded-Proto: https\r\n"
        seen = seen_by_wiki(await get(port, extra=lies))
    assert seen["REMOTE_ADDR"] == "127.0.0.1"
    assert seen["wsgi.url_scheme"] == "http"
    assert seen["HTTP_HOST"] == "notes.test"
    assert "1.2.3.4" not in json.dumps(seen)


@pytest.mark.parametrize(
    ("path", "path_info"),
    [("/Caf%C3%A9", "/Café"), ("/a%2Fb", "/a/b"), ("/100%25", "/100%"), ("/what%3F", "/what?"), ("/a;b", "/a;b")],
)
async def test_paths_as_the_wiki_sees_them(path: str, path_info: str) -> None:
    async with wiki({}) as port:
        seen = seen_by_wiki(await get(port, f"{path}?q=%20"))
    assert seen["PATH_INFO"].encode("latin-1").decode() == path_info
    assert seen["QUERY_STRING"] == "q=%20"


async def test_redirects_and_cookies_stay_on_the_host() -> None:
    async with wiki({}) as port:
        lines = (await get(port, "/redirect")).split(b"\r\n")
    assert b"location: /Home" in lines
    assert b"set-cookie: session=x; Path=/; Secure; HttpOnly; SameSite=Lax" in lines


async def test_bodies_and_faults() -> None:
    async with wiki({}) as port:
        body = b"x" * 500_000
        length = f"Content-Length: {len(body)}\r\n".encode()
        assert seen_by_wiki(await get(port, method="POST", extra=length, body=body))["body_bytes"] == len(body)
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        response = await get(port, method="POST", extra=b"Transfer-Encoding: chunked\r\n", body=chunked)
        assert seen_by_wiki(response)["body_bytes"] == len(body)
        too_long = b"Content-Length: 1500000\r\n"
        assert status_of(await get(port, method="POST", extra=too_long, body=b"x" * 1_500_000)) == 413
        assert status_of(await get(port, "/crash")) == 500
        assert status_of(await get(port, method="HEAD")) == 200
