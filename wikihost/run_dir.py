"""The directory of the workers' sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

# Requests wait here while their worker starts.
_BACKLOG: Final = 512
_SUFFIX: Final = ".sock"


class RunDir:
    """An open run directory, private to this user.

    A Unix socket's path has at most 107 bytes (unix(7)) and a data directory may lie deeper, so sockets are named
    through the directory's descriptor.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def listen(self, wiki_id: str, generation: int) -> tuple[socket.socket, str]:
        """A new listening socket, and the path that this process connects to it by."""
        path = f"/proc/self/fd/{self._descriptor}/{self._name(wiki_id, generation)}"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(path)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
        return listener, path

    def remove(self, wiki_id: str, generation: int) -> None:
        """Remove a socket's name; no error when it is gone."""
        (self.path / self._name(wiki_id, generation)).unlink(missing_ok=True)

    @staticmethod
    def _name(wiki_id: str, generation: int) -> str:
        return f"{wiki_id}.{generation}{_SUFFIX}"


@contextmanager
def open_run_dir(path: Path) -> Iterator[RunDir]:
    """Make the directory when missing, and remove what a process that was killed left in it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    for stale in path.glob(f"*{_SUFFIX}"):
        stale.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield RunDir(path, descriptor)
    finally:
        os.close(descriptor)
