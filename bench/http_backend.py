"""The peer of git's door: `git http-backend`, behind the smallest server that real git can talk to.

`python -m bench.http_backend ROOT` prints its port and serves the repositories below ROOT. What http-backend answers
goes from its process straight into the client's socket, so its figures are git's own, with nearly nothing on top.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Backend:
    """A running peer; `pid` is the root of its process tree."""

    port: int
    pid: int

    def git_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"


class _Handler(BaseHTTPRequestHandler):
    root = Path()

    def do_GET(self) -> None:
        self._run(b"")

    def do_POST(self) -> None:
        self._run(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _run(self, body: bytes) -> None:
        """Answer with what http-backend writes, which is a CGI header (RFC 3875), and the body until it ends."""
        address = urlsplit(self.path)
        surroundings = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": address.path,
            "QUERY_STRING": address.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n")
        self.wfile.flush()
        subprocess.run(["git", "http-backend"], input=body, stdout=self.connection, env=surroundings, check=False)


@contextlib.contextmanager
def running_backend(root: Path) -> Iterator[Backend]:
    """The peer on the repositories below `root`, until the block ends."""
    process = subprocess.Popen([sys.executable, "-m", __name__, str(root)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Backend(int(process.stdout.readline()), process.pid)
    finally:
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    _Handler.root = Path(sys.argv[1]).absolute()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
