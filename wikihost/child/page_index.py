"""Otter Wiki's index of all pages, which its editor makes too, to offer pages as targets of links.

Stock looks up the headings of every page one by one, and compares each page with every other. Here the pages are kept
per branch head, and headings are looked up for all pages at once, when somebody shows them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from otterwiki.util import join_path, split_path

from wikihost.child.tables_of_contents import TableOfContents, TablesOfContents
from wikihost.names import SUFFIX

Heading = tuple[int, str, str]  # its level, its text, its address

# What Flask leaves as it is in an anchor.
_ANCHOR_SAFE: Final = "%!#$&'()*+,/:;=?@"
_MOST_ADDRESSES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """A page of an index, or a folder that is no page (its `file` is empty)."""

    letter: str
    depth: int
    title: str
    url: str
    file: str
    has_children: bool


class Entry:
    """A row as Otter Wiki's templates read it (its `PageIndexEntry`)."""

    def __init__(self, row: Row, headings: Callable[[str], TableOfContents]) -> None:
        self.depth, self.title, self.url, self.has_children = row.depth, row.title, row.url, row.has_children
        self._file = row.file
        self._headings = headings
        self._toc: list[Heading] | None = None

    @property
    def toc(self) -> list[Heading]:
        """The headings after the first, which is the page's title."""
        if self._toc is None:
            below = self._headings(self._file)[1:] if self._file else ()
            self._toc = [(level, text, _with_anchor(self.url, anchor)) for _, _, level, text, anchor in below]
        return self._toc


def remember_pages(kind: Any, app: Any, storage: Any) -> None:
    """Change Otter Wiki's class `PageIndex` where it stands, since its modules have copied the name."""
    build = kind.__init__
    addresses: dict[str, str] = {}

    def remembered(self: Any, path: str | None = None, display_page_path: bool = False) -> None:
        head = storage.settled_head()
        # Without this setting a page's headings have a say in its name.
        if head is None or not app.config["RETAIN_PAGE_NAME_CASE"]:
            build(self, path, display_page_path)
            return
        _describe(self, path)
        key = (self.path, display_page_path, app.config.get("TREAT_UNDERSCORE_AS_SPACE_FOR_TITLES"))
        rows = storage.page_indexes.find(head, key)
        if rows is None:
            if len(addresses) > _MOST_ADDRESSES:
                addresses.clear()
            rows = list(_Builder(storage, self.path, display_page_path, addresses).rows())
            if storage.settled_head() == head:
                storage.page_indexes.keep(head, key, rows, len(rows))
        contents = TablesOfContents(storage, head, [row.file for row in rows if row.file])
        self.toc = {}
        for row in rows:
            self.toc.setdefault(row.letter, []).append(Entry(row, contents.of))

    kind.__init__ = remembered


def _describe(index: Any, path: str | None) -> None:
    """Set what an index says of the folder that it is of."""
    from otterwiki import pageindex  # noqa: PLC0415  (importing it before the server would start a wiki)

    index.path = None if path is None else path.rstrip("/")
    index.breadcrumbs = None if path is None else pageindex.get_breadcrumbs(pageindex.get_pagename(path, full=True))
    index.index_depth = len(split_path(index.path or ""))
    index.pagename = pageindex.get_pagename_for_title(filepath=index.path, full=False) if index.path else None


class _Builder:
    """Makes the rows of one folder's index, in stock's order."""

    def __init__(self, storage: Any, path: str | None, display_path: bool, addresses: dict[str, str]) -> None:
        from otterwiki import pageindex  # noqa: PLC0415  (as in `_describe`)

        self._otter = pageindex
        self._storage = storage
        self._path = path
        self._folder = path or ""
        self._display_path = display_path
        self._addresses = addresses
        self._seen: set[str] = set()

    def rows(self) -> Iterator[Row]:
        names = [name for name in self._storage.list(p=self._path)[0] if name.endswith(SUFFIX)]
        with_pages = {name[:end] for name in names for end in _slashes(name)}
        depth = len(split_path(self._folder))
        for name in names:
            file = os.path.join(self._folder, name)
            letter = self._otter.get_pagename_for_title(name, full=True)[0].upper()
            yield from self._folders(letter, split_path(name)[:-1])
            yield Row(
                letter,
                depth=len(split_path(file)) - 1 - depth,
                title=self._title(file),
                url=self._address(self._otter.get_pagename(file, full=True)),
                file=file,
                # As stock does it: below a folder, a page's whole path against names that begin there.
                has_children=file.removesuffix(SUFFIX) in with_pages,
            )

    def _folders(self, letter: str, parts: list[str]) -> Iterator[Row]:
        """The folders on the way to a page that are no pages themselves, each once."""
        for depth in range(len(parts)):
            below = join_path(parts[: depth + 1])
            path = join_path([self._folder, below])
            if path in self._seen:
                continue
            self._seen.add(path)
            if not self._storage.exists(self._otter.get_filename(path)):
                title = self._otter.get_pagename_for_title(below, full=False)
                url = self._address(self._otter.get_pagename(path, full=True))
                yield Row(letter, depth, title, url, file="", has_children=True)

    def _title(self, file: str) -> str:
        title: str = self._otter.get_pagename_for_title(file, full=self._display_path)
        if self._display_path and self._path is not None and title.lower().startswith(self._path.lower()):
            return title[len(self._path) + 1 :]
        return title

    def _address(self, name: str) -> str:
        known = self._addresses.get(name)
        if known is None:
            known = self._addresses[name] = self._otter.url_for("view", path=name)
        return known


def _slashes(name: str) -> Iterator[int]:
    at = name.find("/")
    while at >= 0:
        yield at
        at = name.find("/", at + 1)


def _with_anchor(url: str, anchor: str) -> str:
    return f"{url}#{quote(anchor, safe=_ANCHOR_SAFE)}"
