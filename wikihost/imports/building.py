"""The commit of an import, made by `git fast-import` in a transfer's own repository: one pack, one file in memory.

Stream format: git-fast-import(1).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable
from types import TracebackType
from typing import IO

import pygit2

from wikihost.commits import signature
from wikihost.errors import StorageFailed
from wikihost.repo import Repository, join_trailers
from wikihost.transfer import Transfer
from wikihost.values import Author
from wikihost.writer import storage_errors

_REF = "refs/robot/import"
_END_S = 120.0


def build_commit(
    transfer: Transfer,
    files: Iterable[tuple[str, bytes]],
    *,
    author: Author,
    message: str,
    also_after: str | None = None,
) -> str:
    """Commit `files` on top of what `transfer` shows, and of `also_after` as the second parent; the commit's id.

    Raises `StorageFull`, `StorageFailed`, and what `files` raises.
    """
    text = join_trailers(message.replace("\0", ""), author.trailers.items()).encode("utf-8", "replace")
    who = signature(author, int(time.time())).encode("utf-8", "replace")
    with storage_errors(), _FastImport(transfer) as stream:
        stream.write(b"commit %s\nauthor %s\ncommitter %s\n" % (_REF.encode(), who, who), _data(text))
        stream.write(b"from %s\n" % transfer.head.encode())
        if also_after is not None:
            stream.write(b"merge %s\n" % also_after.encode())
        for path, data in files:
            stream.write(b"M 100644 inline %s\n" % _quoted(path), b"data %d\n" % len(data), data, b"\n")
        stream.write(b"done\n")
    repository = Repository(transfer.root)
    try:
        return str(repository.git.references[_REF].target)
    except (KeyError, pygit2.GitError) as error:
        raise StorageFailed("git made no commit of the import; nothing was written.") from error
    finally:
        repository.git.free()


class _FastImport:
    """A running `git fast-import`; killed when the block raises."""

    def __init__(self, transfer: Transfer) -> None:
        self._said = (transfer.root / "said").open("w+b")
        self._process = subprocess.Popen(
            ["git", "-c", "fastimport.unpackLimit=0", "fast-import", "--quiet", "--done", "--force"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            cwd="/",
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "GIT_DIR": str(transfer.git_dir),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "LC_ALL": "C.UTF-8",
            },
        )

    def __enter__(self) -> _FastImport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._said, self._process:
            if error is not None and not isinstance(error, BrokenPipeError):
                self._process.kill()
                with contextlib.suppress(BrokenPipeError):
                    self._stdin.close()  # what waits to be written goes nowhere, which is no news
                return
            self._finish()

    def write(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._stdin.write(piece)

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101  (made as a pipe)
        return self._process.stdin

    def _finish(self) -> None:
        try:
            self._process.communicate(timeout=_END_S)
        except subprocess.TimeoutExpired as late:
            self._process.kill()
            raise StorageFailed("git took too long to store the import; nothing was written.") from late
        if self._process.returncode == 0:
            return
        self._said.seek(0)
        words = self._said.read(4096).decode("utf-8", "replace")
        if os.strerror(errno.ENOSPC) in words or self._process.returncode == -signal.SIGXFSZ:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise StorageFailed(f"git could not store the import: {words.strip()[:300]}")


def _data(text: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(text), text)


def _quoted(path: str) -> bytes:
    """A path as git quotes it: no byte of it can end the line or the string."""
    escaped = path.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"%s"' % re.sub(rb"[\x00-\x1f\x7f]", lambda match: b"\\%03o" % match[0][0], escaped)
