"""What one run brings to the destination, and what it goes on using of earlier runs."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from robot.backup.manifest import RUNS, Manifest, StoredFile
from robot.backup.store import Store

_PIECE_BYTES: Final = 1024 * 1024
_COMPRESSION: Final = 6


class Shipment:
    """For one thread at a time. `files` is what the manifest says of files; `brought_bytes` is new at the destination.

    `before` is the backup that this one builds on, and `there` the sizes of files that the destination really has.
    """

    def __init__(
        self, store: Store, run: str, before: Manifest | None = None, there: Mapping[str, int] | None = None
    ) -> None:
        self._store = store
        self._run = run
        self._before: Mapping[str, StoredFile] = {} if before is None else before.files
        self._there = there or {}
        self.files: dict[str, StoredFile] = {}
        self.brought_bytes = 0

    def has(self, names: Iterable[str]) -> bool:
        """Whether the backup before has all these, and the destination has not lost any of them."""
        return all(name in self._before and self._there.get(name) == self._before[name].bytes for name in names)

    def bytes_of(self, name: str) -> int:
        """How large a file of the backup before is."""
        return self._before[name].bytes

    def keep(self, names: Iterable[str]) -> None:
        """Go on using files of the backup before."""
        self.files |= {name: self._before[name] for name in names}

    def bring(self, name: str, pieces: Iterable[bytes]) -> str:
        """Write a file of this run; its name at the destination. Raises `StoreError`, and what `pieces` raises."""
        full_name = f"{RUNS}{self._run}/{name}"
        digest, size = hashlib.sha256(), 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                yield piece

        self._store.put(full_name, counted())
        self.files[full_name] = StoredFile(bytes=size, sha256=digest.hexdigest())
        self.brought_bytes += size
        return full_name

    def bring_compressed(self, name: str, source: Path, kept: str | None = None) -> str:
        """Write a file gzipped, unless `kept` of the backup before is just that; its name at the destination.

        Raises `StoreError`, OSError.
        """
        if kept is not None and self.has([kept]):
            digest = hashlib.sha256()
            for piece in _compressed(source):
                digest.update(piece)
            if digest.hexdigest() == self._before[kept].sha256:
                self.keep([kept])
                return kept
        return self.bring(name, _compressed(source))


def _compressed(source: Path) -> Iterator[bytes]:
    """A file in gzip's format (RFC 1952) without name and time: the same bytes for the same content."""
    packer = zlib.compressobj(_COMPRESSION, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    with source.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            if packed := packer.compress(piece):
                yield packed
    yield packer.flush()
