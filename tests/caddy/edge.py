"""The real Caddy with `systemd/Caddyfile.example`, its own certificate authority, and clients that trust it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

EXAMPLE = Path(__file__).parents[2] / "systemd" / "Caddyfile.example"
EXAMPLE_UPSTREAM = "127.0.0.1:8080"
READY_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
REQUEST_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Edge:
    """A running Caddy. `port` speaks TLS, `plain_port` sends to it; `trust` knows its certificate (the file `root`)."""

    port: int
    plain_port: int
    root: Path
    trust: ssl.SSLContext

    def browser(self) -> httpx2.Client:
        """A client with one cookie jar for all hosts, as a browser has, that follows redirects."""
        return httpx2.Client(transport=_Loopback(verify=self.trust), timeout=REQUEST_TIMEOUT_S, follow_redirects=True)

    @contextlib.asynccontextmanager
    async def agent(self, url: str, token: str) -> AsyncIterator[Client]:
        """The official MCP client, connected."""
        http = httpx2.AsyncClient(
            transport=_AsyncLoopback(verify=self.trust),
            headers={"Authorization": f"Bearer {token}"},
            timeout=REQUEST_TIMEOUT_S,
        )
        async with http, Client(streamable_http_client(url, http_client=http)) as client:
            yield client

    def handshake(self, name: str) -> str:
        """The TLS version agreed on for a server name. Raises ssl.SSLError when Caddy refuses the name."""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=REQUEST_TIMEOUT_S) as plain,
            self.trust.wrap_socket(plain, server_hostname=name) as secure,
        ):
            return secure.version() or ""


def _to_loopback(request: httpx2.Request) -> httpx2.Request:
    """The same request sent to 127.0.0.1: Python's resolver does not know that *.localhost is this machine."""
    return httpx2.Request(
        request.method,
        request.url.copy_with(host="127.0.0.1"),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )


class _Loopback(httpx2.HTTPTransport):
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return super().handle_request(_to_loopback(request))


class _AsyncLoopback(httpx2.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await super().handle_async_request(_to_loopback(request))


def caddyfile(home: Path, *, upstream_port: int, tls_port: int, plain_port: int) -> str:
    """The example with other ports, and with certificates that Caddy signs itself instead of Let's Encrypt."""
    text = EXAMPLE.read_text("utf-8")
    assert text.count("\n{\n") == 1, "one global block is expected in the example"
    assert f"ask http://{EXAMPLE_UPSTREAM}/" in text
    assert f"\treverse_proxy {EXAMPLE_UPSTREAM} " in text
    options = f"""
{{
	admin off
	local_certs
	skip_install_trust
	default_bind 127.0.0.1
	http_port {plain_port}
	https_port {tls_port}
	storage file_system {home}/storage
"""
    return text.replace(EXAMPLE_UPSTREAM, f"127.0.0.1:{upstream_port}").replace("\n{\n", options)


@contextlib.contextmanager
def running_edge(home: Path, *, upstream_port: int, tls_port: int, plain_port: int) -> Iterator[Edge]:
    """Caddy in front of `upstream_port`, ended with the block. Its log is `home`/caddy.log."""
    program = shutil.which("caddy")
    assert program is not None
    config = home / "Caddyfile"
    config.write_text(caddyfile(home, upstream_port=upstream_port, tls_port=tls_port, plain_port=plain_port), "utf-8")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, (home / "caddy.log").open("w") as log:
        ready.bind(str(home / "notify"))
        ready.settimeout(READY_TIMEOUT_S)
        process = subprocess.Popen(
            [program, "run", "--adapter", "caddyfile", "--config", config],
            env={**os.environ, "HOME": str(home), "NOTIFY_SOCKET": str(home / "notify")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_until_ready(ready, home / "caddy.log")
            root = home / "storage/pki/authorities/local/root.crt"
            yield Edge(tls_port, plain_port, root, ssl.create_default_context(cafile=str(root)))
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(ready: socket.socket, log: Path) -> None:
    """Wait for the READY=1 that Caddy, like any systemd service, sends when it serves."""
    said: Any = b""
    while b"READY=1" not in said:
        try:
            said = ready.recv(4096)
        except TimeoutError as error:
            raise AssertionError(f"Caddy did not start:\n{log.read_text('utf-8')}") from error
