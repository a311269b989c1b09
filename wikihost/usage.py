"""What a wiki holds, counted from git: by the files that differ from the commit that was counted last.

The last count is kept in a file beside the repository. It only saves work: each line names its commit and carries a
checksum, so one that is old, torn or missing is followed by a count from there, or from nothing.
"""

from __future__ import annotations

import logging
import os
import re
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from wikihost import trees
from wikihost.names import name_of_file
from wikihost.quota import Usage
from wikihost.reach import Reach
from wikihost.repo import Repository

_log = logging.getLogger(__name__)

_SUBMODULE = b"160000"  # names a commit of another repository and has no bytes here
# Always of one length, so that a line written over another leaves nothing of it.
_LINE = re.compile(r"(?P<body>(?P<commit>[0-9a-f]{40}) (?P<pages>\d{20}) (?P<bytes>\d{20})) (?P<sum>[0-9a-f]{8})\n")
_LINE_BYTES = 92
_BLOCK_BYTES = 512  # st_blocks counts in these, whatever the file system's own

SizeOf = Callable[[bytes], int]  # bytes of a blob, by binary object id


def difference(read: trees.ReadTree, size_of: SizeOf, old: bytes | None, new: bytes) -> Usage:
    """How much more the tree `new` holds than `old` (None: nothing). Costs as much as there are changed files."""
    pages = size_bytes = 0
    for change in trees.changed_files(read, old, new):
        pages += _is_page(change.path, change.new) - _is_page(change.path, change.old)
        size_bytes += _size(size_of, change.new) - _size(size_of, change.old)
    return Usage(pages, size_bytes)


def usage_within(repository: Repository, commit: str, reach: Reach) -> Usage:
    """What a folder holds at a commit; only what is in it is read, and the folders on the way there."""
    size_of, pages, size_bytes = sizes_in(repository), 0, 0
    for path, entry in trees.all_files(repository.read_tree, repository.tree_of(commit), enters=reach.leads_to):
        if reach.covers_file(path):
            pages += _is_page(path, entry)
            size_bytes += _size(size_of, entry)
    return Usage(pages, size_bytes)


def growth(size_of: SizeOf, path: str, old: trees.Entry | None, size_bytes: int) -> Usage:
    """How much more a wiki holds once a regular file of that size stands at `path` in place of `old`."""
    pages = int(name_of_file(path) is not None) - _is_page(path, old)
    return Usage(pages, size_bytes - _size(size_of, old))


class Ledger:
    """The counts of one wiki. Thread- and process-safe."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def usage(self, repository: Repository, commit: str) -> Usage:
        """What the wiki holds at a commit."""
        last = self._last()
        if last is not None and last[0] == commit:
            return last[1]
        known = last if last is not None and repository.has_commit(last[0]) else None
        usage = Usage(0, 0) if known is None else known[1]
        old = None if known is None else repository.tree_of(known[0])
        usage += difference(repository.read_tree, sizes_in(repository), old, repository.tree_of(commit))
        self.note(commit, usage)
        return usage

    def last(self) -> Usage | None:
        """The last count that was kept, perhaps of a commit before the newest; counts nothing."""
        last = self._last()
        return None if last is None else last[1]

    def note(self, commit: str, usage: Usage) -> None:
        """Keep a count. Best effort: whoever does not find it counts again."""
        body = f"{commit} {usage.pages:020d} {usage.size_bytes:020d}"
        line = f"{body} {zlib.crc32(body.encode()):08x}\n".encode()
        try:
            descriptor = os.open(self._place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(descriptor, line, 0)
            finally:
                os.close(descriptor)
        except OSError as error:
            _log.warning("the count of %s is not kept: %s", self._place, error)

    def _last(self) -> tuple[str, Usage] | None:
        try:
            with self._place.open("rb") as file:
                line = file.read(_LINE_BYTES).decode("ascii", "replace")
        except OSError:
            return None
        match = _LINE.fullmatch(line)
        if match is None or zlib.crc32(match["body"].encode()) != int(match["sum"], 16):
            return None
        return match["commit"], Usage(int(match["pages"]), int(match["bytes"]))


def sizes_in(repository: Repository) -> SizeOf:
    """Sizes by the headers of objects, which is much cheaper than reading them."""
    return lambda oid: repository.size_of(oid.hex())


class DiskUse:
    """What a folder takes on the disk, looked at once for each commit that the wiki is at."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: tuple[str, int] = ("", 0)

    def at(self, commit: str) -> int:
        """In bytes."""
        known, size_bytes = self._known
        if known != commit:
            size_bytes = _disk_bytes(self._folder)
            self._known = (commit, size_bytes)
        return size_bytes


def _disk_bytes(folder: Path) -> int:
    """What all files below a folder take on the disk, those that come and go meanwhile perhaps left out."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # git renames and removes files
                size += os.lstat(os.path.join(place, name)).st_blocks * _BLOCK_BYTES
    return size


def _is_page(path: str, entry: trees.Entry | None) -> bool:
    """As the catalog sees it: a regular file by a name that a page can have."""
    return entry is not None and entry[0] in (trees.FILE, trees.EXECUTABLE) and name_of_file(path) is not None


def _size(size_of: SizeOf, entry: trees.Entry | None) -> int:
    return 0 if entry is None or entry[0] == _SUBMODULE else size_of(entry[1])
