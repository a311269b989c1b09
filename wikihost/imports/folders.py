"""A folder of this machine as a source, for the command line. No symbolic link is followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from wikihost.imports.sources import Listed, name_problem, sift
from wikihost.imports.values import Refusal, SourceLimits, Unreadable


class Folder:
    """The files below a folder. Raises `ImportRefused` when they are too many or too large together."""

    def __init__(self, root: Path, limits: SourceLimits) -> None:
        self._root = root
        sizes: dict[str, int] = {}
        listed = [entry for entry in _walk(root) if sizes.setdefault(entry.path, entry.size) is not None]
        sifted = sift(listed, limits)
        self._limits = limits
        self.files: Mapping[str, int] = {path: sizes[path] for path in sifted.files}
        self.refused: Sequence[Refusal] = sifted.refused
        self.hidden: Sequence[str] = sifted.hidden

    def read(self, path: str) -> bytes:
        try:
            descriptor = os.open(self._root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                data = file.read(self._limits.file_bytes + 1)
        except OSError as error:
            raise Unreadable(f"It cannot be read: {error.strerror}.") from error
        if len(data) > self._limits.file_bytes:
            raise Unreadable(f"It has more than {self._limits.file_bytes:,} bytes.")
        return data


def _walk(root: Path) -> Iterator[Listed]:
    closed: list[OSError] = []
    for folder, folders, names in os.walk(root, onerror=closed.append):
        folders.sort()
        inside = os.path.relpath(folder, root)
        for name in sorted([*names, *(each for each in folders if os.path.islink(os.path.join(folder, each)))]):
            path = name if inside == "." else f"{inside}/{name}"
            status = os.lstat(os.path.join(folder, name))
            yield Listed(path, status.st_size, _problem(path, status.st_mode))
    for error in closed:
        yield Listed(os.path.relpath(error.filename, root), 0, f"It cannot be read: {error.strerror}.")


def _problem(path: str, mode: int) -> str | None:
    if stat.S_ISLNK(mode):
        return "It is a symbolic link; a wiki has regular files only."
    if not stat.S_ISREG(mode):
        return "It is no regular file."
    return name_problem(path)
