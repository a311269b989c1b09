"""Git objects for GitPython, read in process.

GitPython reads objects through two `git cat-file` processes per repository, whose pipes two threads at once
deadlock for good. libgit2 reads them in place, under its own locks, and finds packs that another process made.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pygit2
from git.db import GitCmdObjectDB
from gitdb.base import OInfo, OStream
from gitdb.exc import BadObject
from pygit2.enums import ObjectType

_TYPE_NAMES: Final = {
    ObjectType.COMMIT: b"commit",
    ObjectType.TREE: b"tree",
    ObjectType.BLOB: b"blob",
    ObjectType.TAG: b"tag",
}


class InProcessObjects(GitCmdObjectDB):
    """An object database that never starts a process to read."""

    def __init__(self, root_path: str, git: Any) -> None:
        super().__init__(root_path, git)
        self._repository = pygit2.Repository(str(Path(root_path).parent))
        self._objects = self._repository.odb

    def info(self, binsha: bytes) -> OInfo:
        kind, data = self._read(binsha)
        return OInfo(binsha, kind, len(data))

    def stream(self, binsha: bytes) -> OStream:
        kind, data = self._read(binsha)
        return OStream(binsha, kind, len(data), BytesIO(data))

    def partial_to_complete_sha_hex(self, partial_hexsha: str) -> bytes:
        try:
            return self._repository[partial_hexsha].id.raw
        except (KeyError, ValueError):
            raise BadObject(partial_hexsha) from None

    def _read(self, binsha: bytes) -> tuple[bytes, bytes]:
        try:
            kind, data = self._objects.read(pygit2.Oid(raw=binsha))
        except KeyError:
            raise BadObject(binsha) from None
        return _TYPE_NAMES[ObjectType(kind)], data
