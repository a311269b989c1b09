"""A model hub on loopback: what huggingface_hub asks of one, for one repository; or one that lets everybody wait."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

REVISION = "5f1b8cd78bc4fb444dd171e59b18f3a3af89a079"


class _Hub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, files: Mapping[str, Path] | None) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files = files
        self.asked = threading.Event()
        self.over = threading.Event()


class _Answer(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: a test says what it sees."""

    def _answer(self) -> None:
        hub = cast(_Hub, self.server)
        hub.asked.set()
        if hub.files is None:
            hub.over.wait()
            return
        entries = [
            {"type": "file", "path": name, "size": file.stat().st_size, "oid": _oid(file)}
            for name, file in hub.files.items()
        ]
        path = self.path.partition("?")[0]
        if "/resolve/" in path:
            self._send_file(hub.files.get(path.rpartition("/")[2]))
        elif "/tree/" in path:
            self._send(json.dumps(entries).encode(), "application/json")
        else:
            siblings = [{"rfilename": entry["path"]} for entry in entries]
            told = {"id": "org/model", "sha": REVISION, "siblings": siblings}
            self._send(json.dumps(told).encode(), "application/json")

    def _send_file(self, file: Path | None) -> None:
        if file is None:
            self.send_error(404)
            return
        self._send(file.read_bytes(), "application/octet-stream", ETag=f'"{_oid(file)}"')

    def _send(self, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(200)
        for name, value in {"Content-Type": kind, "X-Repo-Commit": REVISION, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@contextmanager
def serve_hub(files: Mapping[str, Path] | None) -> Iterator[tuple[str, threading.Event]]:
    """A hub's address, and what is set at the first question. Without `files` it never answers."""
    hub = _Hub(files)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{hub.server_address[1]}", hub.asked
    finally:
        hub.over.set()
        hub.shutdown()
        hub.server_close()
        thread.join()


def _oid(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()
