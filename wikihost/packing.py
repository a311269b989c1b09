"""Loose objects of a wiki's repository, and what goes once they are in a pack. A save leaves four or five of them.

Making the pack is git's work, on a view of the wiki (`transfer`), so it needs no lock and honours no configuration.
What a pack made superfluous is removed only when the pack is durable: until then the wiki has both, and every reader
looks again among the packs when it misses an object, as git and libgit2 do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wikihost import objects
from wikihost.layout import WikiHome
from wikihost.writer import storage_errors

LARGE_PACK_BYTES = 64 * 1024 * 1024
"""A pack so large is left as it is: to copy it each time would cost more than it saves."""

_SAMPLE = "17"  # as `git gc --auto`: object ids are spread evenly over 256 folders
_FOLDERS = 256
# gitformat-pack(5), version 2 of an index: its head, then for each first byte how many ids there are up to it.
_INDEX_HEAD = b"\xfftOc\x00\x00\x00\x02"
_FANOUT_BYTES = 256 * 4
_ID_BYTES = 20


@dataclass(frozen=True, slots=True)
class Removed:
    """What became superfluous and was removed."""

    loose: int
    packs: int


def count_loose(home: WikiHome) -> int:
    """About how many loose objects there are, from one folder of them."""
    folder = home.git_dir / "objects" / _SAMPLE
    with storage_errors():
        return _FOLDERS * sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


def link_large_packs(home: WikiHome, view: Path) -> list[str]:
    """Link packs that a new one is not to repeat into the object directory `view`, and return their file names.

    git leaves out only what is in packs of the repository that it runs on, not what is in those that this one borrows.
    """
    with storage_errors():
        packs = [pack for pack in (home.git_dir / "objects/pack").glob("pack-*.pack") if _is_left_alone(pack)]
        for pack in packs:
            for file in (pack, pack.with_suffix(".idx")):
                os.link(file, view / "pack" / file.name)
        return sorted(pack.name for pack in packs)


def adopt_pack(home: WikiHome, source: Path) -> Removed:
    """Take the pack in the object directory `source`, and remove what it makes superfluous.

    Large packs may be linked there. Raises `StorageFull`, `StorageFailed`; no object is lost then.
    """
    with storage_errors():
        folder = home.git_dir / "objects/pack"
        new = [folder / index.name for index in (source / "pack").glob("pack-*.idx")]
        old = list(folder.glob("pack-*.idx"))
        objects.adopt_objects(source, home.git_dir)  # durable from here on; to rename a link onto itself does nothing
        packed = {oid for index in new for oid in _ids(index)}
        packs = sum(_remove_pack(index) for index in old if index not in new and _is_superfluous(index, packed))
        return Removed(_remove_loose(home.git_dir / "objects", packed), packs)


def _remove_loose(folder: Path, packed: set[bytes]) -> int:
    removed = 0
    for number in range(_FOLDERS):
        for file in _files(folder / f"{number:02x}"):
            if len(file.name) == 2 * _ID_BYTES - 2 and bytes.fromhex(file.parent.name + file.name) in packed:
                file.unlink(missing_ok=True)
                removed += 1
    return removed


def _files(folder: Path) -> Iterator[Path]:
    # Not `rmdir` afterwards: a writer may be about to rename an object into an empty folder.
    if folder.is_dir():
        yield from folder.iterdir()


def _is_superfluous(index: Path, packed: set[bytes]) -> bool:
    if _is_left_alone(index.with_suffix(".pack")):
        return False
    ids = [*_ids(index)]
    return bool(ids) and packed.issuperset(ids)


def _is_left_alone(pack: Path) -> bool:
    """Whether a pack is large, or somebody told git to keep it (git-repack(1))."""
    return pack.stat().st_size >= LARGE_PACK_BYTES or pack.with_suffix(".keep").exists()


def _remove_pack(index: Path) -> bool:
    """The index goes first, as git does it: what is left of a crash is no pack to anybody."""
    index.unlink(missing_ok=True)
    for file in index.parent.glob(f"{index.stem}.*"):
        file.unlink(missing_ok=True)
    return True


def _ids(index: Path) -> Iterator[bytes]:
    """The binary ids of the objects of a pack, from its index."""
    data = index.read_bytes()
    if not data.startswith(_INDEX_HEAD):
        return  # an old format, of which nothing is concluded
    start = len(_INDEX_HEAD) + _FANOUT_BYTES
    count = int.from_bytes(data[start - 4 : start], "big")
    for at in range(start, start + count * _ID_BYTES, _ID_BYTES):
        yield data[at : at + _ID_BYTES]
