"""Where the pages and files of a wiki lie in a static site. Pure.

Paths work on every file system: no two differ by upper and lower case alone, and none has a character that Windows
refuses. So they are not always the names; links go by this map.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from urllib.parse import quote

from wikihost.names import page_key

PAGES = "pages"
FILES = "files"
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
    plain = "/".join(_plain(part) for part in name.split("/"))
    stem, dot, own_ending = (plain, "", "") if ending else plain.rpartition(".")
    if not ending and (not stem or "/" in own_ending):
        stem, dot, own_ending = plain, "", ""
    for number in count(1):
        mark = "" if number == 1 else f" {number}"
        path = f"{top}/{stem}{mark}{dot}{own_ending}{ending}"
        folded = path.casefold()
        above = [folded[:at] for at, character in enumerate(folded) if character == "/"]
        # A folder is noted with its slash: a page `A` is a file, `A.html/B` would want a folder in its place.
        if folded in taken or f"{folded}/" in taken or any(folder in taken for folder in above):
            continue
        taken.add(folded)
        taken.update(f"{folder}/" for folder in above)
        return path
    raise AssertionError("numbers do not end")


def _plain(part: str) -> str:
    plain = _REFUSED.sub("_", part)
    return f"_{plain}" if _DEVICE.match(plain) else plain
