"""Where the pages and files of a wiki lie in a static site. Pure.

Paths work on every file system: no two differ by upper and lower case alone, none has a character that Windows
refuses, and no part is too long. So they are not always the names; links go by this map.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from urllib.parse import quote

from wikihost.names import page_key

PAGES = "pages"
FILES = "files"
_MAX_PART_BYTES = 240  # of the 255 that file systems take; a number and `.html` may follow
_MAX_ENDING_BYTES = 20
_REFUSED = re.compile(r'[<>:"\\|?*]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layout:
    """Site paths by page name and by repository path."""

    pages: Mapping[str, str]
    files: Mapping[str, str]
    by_key: Mapping[str, str]

    def find_page(self, name: str) -> str | None:
        """The site path of the page that a name means."""
        own = self.pages.get(name)
        if own is not None:
            return own
        named = self.by_key.get(page_key(name))
        return None if named is None else self.pages[named]


def lay_out(pages: Iterable[str], files: Iterable[str]) -> Layout:
    """Give each page and each file (repository path) its place."""
    taken: set[str] = set()
    page_paths = {name: _place(PAGES, name, ".html", taken) for name in sorted(pages)}
    by_key: dict[str, str] = {}
    for name in page_paths:
        by_key.setdefault(page_key(name), name)
    return Layout(page_paths, {path: _place(FILES, path, "", taken) for path in sorted(files)}, by_key)


def relative(source: str, target: str) -> str:
    """The address of the site path `target` as the page at `source` links to it."""
    return quote(posixpath.relpath(target, posixpath.dirname(source) or "."), safe="/")


def _place(top: str, name: str, ending: str, taken: set[str]) -> str:
    """A free path for `name`, which is taken from now on; folders are noted with a slash at their end."""
    *folders, last = (_plain(part) for part in name.split("/"))
    path = top
    for folder in (_cut(folder, _MAX_PART_BYTES) for folder in folders):
        # Where a file has the folder's name, the folder gets a number.
        path = next(other for other in _numbered(f"{path}/{folder}", "") if other.casefold() not in taken)
        taken.add(f"{path.casefold()}/")
    stem, dot, own_ending = last.rpartition(".") if not ending else (last, "", "")
    if not stem or len(own_ending.encode()) > _MAX_ENDING_BYTES:
        stem, dot, own_ending = last, "", ""
    stem = _cut(stem, _MAX_PART_BYTES - len(own_ending.encode()))
    free = (
        other
        for other in _numbered(f"{path}/{stem}", f"{dot}{own_ending}{ending}")
        if other.casefold() not in taken and f"{other.casefold()}/" not in taken
    )
    found = next(free)
    taken.add(found.casefold())
    return found


def _numbered(start: str, end: str) -> Iterator[str]:
    yield f"{start}{end}"
    yield from (f"{start} {number}{end}" for number in count(2))


def _cut(part: str, room: int) -> str:
    data = part.encode()
    return part if len(data) <= room else data[:room].decode("utf-8", "ignore").rstrip(" .")


def _plain(part: str) -> str:
    plain = _REFUSED.sub("_", part)
    return f"_{plain}" if _DEVICE.match(plain) else plain
