"""The pieces of a backup, taken from where it lies and held against its manifest on the way."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from robot.backup.manifest import Manifest, NoManifest, StoredFile, WikiCopy, list_backups, read_manifest
from robot.backup.store import NotStored, Store
from robot.migrate import shipped_migrations

_GZIP = 16 + zlib.MAX_WBITS
_UNPACKED_BYTES = 1024 * 1024


class BackupDamaged(Exception):
    """A piece of a backup is not what it was when it was written; the message names it and says what is wrong."""

    def __init__(self, piece: str, fault: str) -> None:
        super().__init__(f"{piece}: {fault}")
        self.piece = piece


@dataclass(frozen=True, slots=True)
class Pieces:
    """Files at a destination, and what was written of them there."""

    store: Store
    files: Mapping[str, StoredFile]

    def bytes_of(self, copy: WikiCopy) -> int:
        """How much one wiki's part takes there."""
        return sum(self.files[name].bytes for name in copy.names)

    def take(self, name: str, place: Path) -> None:
        """Write a piece as it lies there to `place`. Raises `BackupDamaged`, `StoreError`, OSError."""
        _write(place, self.read(name))

    def take_unpacked(self, name: str, place: Path) -> None:
        """Write a gzipped piece unpacked to `place`. Raises as `take`."""
        _write(place, _unpacked(name, self.read(name)))

    def read(self, name: str) -> Iterator[bytes]:
        """A piece as it lies there, in pieces; raises after the last one when it was not right. Raises as `take`."""
        said = self.files[name]
        digest, found_bytes = hashlib.sha256(), 0
        try:
            for piece in self.store.get(name):
                digest.update(piece)
                found_bytes += len(piece)
                yield piece
        except NotStored:
            raise BackupDamaged(name, "is missing") from None
        if found_bytes != said.bytes:
            raise BackupDamaged(name, f"has {found_bytes:,} bytes, and had {said.bytes:,} when it was written")
        if digest.hexdigest() != said.sha256:
            raise BackupDamaged(name, "was changed since it was written: its SHA-256 is another")


@dataclass(frozen=True, slots=True)
class Source:
    """A finished backup and where it lies."""

    store: Store
    manifest: Manifest

    @property
    def pieces(self) -> Pieces:
        return Pieces(self.store, self.manifest.files)


def open_source(store: Store, run: str | None) -> Source:
    """The backup of that id, or the newest one. Raises `NoManifest` (none that this robot can read), `StoreError`."""
    if run is None:
        runs = list_backups(store)
        if not runs:
            raise NoManifest(f"There is no finished backup at {store.address}.")
        run = runs[-1]
    manifest = read_manifest(store, run)
    newest = len(shipped_migrations())
    if manifest.schema_version > newest:
        raise NoManifest(
            f"The backup {run} was made by a newer robot, {manifest.robot} (schema {manifest.schema_version}; this one"
            f" knows schemas up to {newest}); restore it with that robot."
        )
    return Source(store, manifest)


def _write(place: Path, pieces: Iterator[bytes]) -> None:
    """Write to a new file, which is there only when all of it came and was right."""
    try:
        with place.open("xb") as file:
            for piece in pieces:
                file.write(piece)
    except BaseException:
        place.unlink(missing_ok=True)
        raise


def _unpacked(name: str, packed: Iterator[bytes]) -> Iterator[bytes]:
    """What is in a gzip file. What its manifest says of it comes before what gzip finds wrong."""
    unpack = zlib.decompressobj(_GZIP)
    fault = ""
    for piece in packed:
        rest = piece
        while rest and not (fault or unpack.eof):
            try:
                yield unpack.decompress(rest, _UNPACKED_BYTES)  # a megabyte of zeros is packed in a kilobyte
            except zlib.error as error:
                fault = str(error)
            rest = unpack.unconsumed_tail
    if fault or not unpack.eof:
        raise BackupDamaged(name, f"cannot be unpacked: {fault or 'it is cut off'}")
