"""Which files a worker may reach (pure, but for looking which of them are there)."""

from __future__ import annotations

import mimetypes
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import wikihost
from wikihost.isolation.landlock import Access, Place
from wikihost.layout import WikiHome

_READ: Final = Access.READ_FILE | Access.READ_DIR
_RUN: Final = _READ | Access.EXECUTE
# Nothing but folders and files, which cannot be started. Links would lead core elsewhere, which reads there, too.
_KEEP: Final = (_READ | Access.WRITE_FILE | Access.TRUNCATE) | (
    Access.MAKE_REG | Access.REMOVE_FILE | Access.MAKE_DIR | Access.REMOVE_DIR | Access.REFER
)

# Programs and libraries as distributions install them, which everybody may read. A worker starts git and Python.
_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store")
_SYSTEM_FILES: Final = (
    *("/etc/ld.so.cache", "/etc/localtime", "/etc/passwd", "/etc/nsswitch.conf", "/dev/urandom"),
    "/proc/sys/kernel/random/boot_id",  # whether a lock file is older than this start of the machine
    *map(str, mimetypes.knownfiles),
)
_INSTALLED: Final = ("site-packages", "dist-packages")


def of_all_workers() -> tuple[Place, ...]:
    """What every worker may read: the system's programs, this Python, and installed libraries."""
    places = (*map(_folder, _SYSTEM), *_python(), *_libraries(), *map(_file, _SYSTEM_FILES), _nothing())
    return tuple(_needed(places))


def of(home: WikiHome) -> Place:
    """What only the worker of this wiki may reach."""
    return Place(str(home.root), _KEEP)


def _python() -> Iterator[Place]:
    for prefix in dict.fromkeys((sys.prefix, sys.base_prefix)):
        for folder in ("bin", "lib", "lib64"):
            yield _folder(f"{prefix}/{folder}")
        yield _file(f"{prefix}/pyvenv.cfg")


def _libraries() -> Iterator[Place]:
    """Not what else is on the path: a folder with sources may well hold the data directory, and more."""
    yield Place(str(Path(wikihost.__file__).parent), _READ)
    for entry in map(Path, filter(None, sys.path)):
        if entry.is_file():
            yield _file(str(entry))
        elif entry.name in _INSTALLED:
            yield Place(str(entry), _READ)


def _needed(places: Iterable[Place]) -> Iterator[Place]:
    """Those that are there, by their names without links, and say more than the ones before: each costs at a wake."""
    kept: list[tuple[Path, Access]] = []
    for place in places:
        path = Path(place.path).resolve()
        is_covered = any(path.is_relative_to(above) and place.access in access for above, access in kept)
        if path.exists() and not is_covered:
            kept.append((path, place.access))
            yield Place(str(path), place.access)


def _folder(path: str) -> Place:
    return Place(path, _RUN)


def _file(path: str) -> Place:
    return Place(path, Access.READ_FILE)


def _nothing() -> Place:
    return Place("/dev/null", Access.READ_FILE | Access.WRITE_FILE)


def overlapping(data: Path) -> Path | None:
    """The place for all workers in which the data directory lies, if it does: then they would read all of it."""
    root = data.resolve()
    for place in of_all_workers():
        if root.is_relative_to(place.path):
            return Path(place.path)
    return None
