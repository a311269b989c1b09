"""An https server on loopback with an authority of its own, which answers as a test says; and git behind it."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

from robot.fetch import Door, IpAddress

HOST = "wiki.example.org"
OTHER = "other.example.org"

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Server:
    """A running server. `seen` are the request lines' paths; `answer` answers them."""

    port: int
    ca_file: Path
    answer: Answer
    seen: list[str] = field(default_factory=list)

    def url(self, path: str = "/", host: str = HOST) -> str:
        return f"https://{host}:{self.port}{path}"

    def door(self, addresses: Mapping[str, Sequence[str]] | None = None) -> Door:
        """A door that finds these hosts (our two on loopback, by default), and lets loopback be asked."""
        known = addresses or {HOST: ["127.0.0.1"], OTHER: ["127.0.0.1"]}

        async def resolve(host: str, port: int) -> Sequence[str]:
            if host not in known:
                raise socket.gaierror(socket.EAI_NONAME, "no such host")
            return known[host]

        return Door(resolve=resolve, allows=_is_loopback, ca_file=self.ca_file)


def _is_loopback(address: IpAddress) -> bool:
    return address.is_loopback


def reply(
    handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", content_type: str = "text/plain", **headers: str
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", content_type)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


@contextlib.contextmanager
def tls_server(place: Path, answer: Answer) -> Iterator[Server]:
    ca_file, chain = _certificates(place)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.seen.append(self.path)
            with contextlib.suppress(OSError):
                server.answer(self)

        do_POST = do_GET  # noqa: N815  (named by http.server)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # clients that refuse our certificate are part of the test

    listener = Quiet(("127.0.0.1", 0), Handler)
    listener.socket = context.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
    server = Server(listener.server_address[1], ca_file, answer)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def git_answer(root: Path) -> Answer:
    """Serve the repositories below a folder as git's own `http-backend` does."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        path, _, query = handler.path.partition("?")
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length)
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": handler.command,
                "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(length),
                "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
            },
            capture_output=True,
            check=False,
        )
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(fields.pop("Status", "200 OK").split()[0])
        reply(handler, status, rest, fields.get("Content-Type", "text/plain"))

    return answer


def _certificates(place: Path) -> tuple[Path, Path]:
    """An authority's certificate; and a certificate of it for our hosts, with its key."""
    authority = trustme.CA()
    ca_file, chain = place / "authority.pem", place / "server.pem"
    authority.cert_pem.write_to_path(ca_file)
    authority.issue_cert(HOST, OTHER).private_key_and_cert_chain_pem.write_to_path(chain)
    return ca_file, chain
