"""Otter Wiki's page index in the sidebar, remembered until the branch head moves.

Stock lists a folder and opens every page in it at each view. Here the index of a folder is kept as stock built it, and
the headings of pages are kept by their text's object id, so that after a commit only changed pages are opened.

What was built is kept only when the work tree stood at one and the same commit before and after: a writer moves the
head first and then changes files, so nothing in between can be taken for either commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock
from typing import Any, Final

from otterwiki.util import get_page_directoryname

from wikihost.child.kept import PerHead

# All that decides how an index of a folder looks, but for the files.
_SETTINGS: Final = (
    "RETAIN_PAGE_NAME_CASE",
    "SIDEBAR_MENUTREE_FOCUS",
    "SIDEBAR_MENUTREE_IGNORE_CASE",
    "SIDEBAR_MENUTREE_MAXDEPTH",
    "SIDEBAR_MENUTREE_MODE",
    "TREAT_UNDERSCORE_AS_SPACE_FOR_TITLES",
)
# Some 600 bytes each; the index that was used last is kept whatever its size.
_MOST_ENTRIES: Final = 3_000
# Some 300 bytes each.
_MOST_HEADINGS: Final = 10_000

Key = tuple[object, ...]
Index = dict[str, Any]  # the attributes of a `SidebarPageIndex`
Heading = tuple[bytes, str | None]  # the text's object id, and the first heading in it


class PageIndexes:
    """Page indexes at one commit, and the headings of pages. Thread-safe."""

    def __init__(self) -> None:
        self._indexes: PerHead[Index] = PerHead(_MOST_ENTRIES)
        self._lock = Lock()
        self._headings: dict[str, Heading] = {}

    def find(self, head: str, key: Key) -> Index | None:
        return self._indexes.find(head, key)

    def headings(self) -> Mapping[str, Heading]:
        """What is known of pages by file name; not to be changed."""
        return self._headings

    def keep(self, head: str, key: Key, index: Index, headings: Mapping[str, Heading]) -> None:
        """Remember an index that was built at `head`, and the headings that were read for it."""
        self._indexes.keep(head, key, index, len(index["filenames_and_header"]))
        with self._lock:
            known = self._headings if len(self._headings) + len(headings) <= _MOST_HEADINGS else {}
            self._headings = {**known, **headings}


def remember_page_indexes(kind: Any, app: Any, storage: Any) -> None:
    """Change Otter Wiki's class `SidebarPageIndex` where it stands, since many of its modules have copied the name."""
    build, read_header = kind.__init__, kind.read_header

    def remembered(self: Any, path: str | None = None, mode: str = "", filter_order: bool = True) -> None:
        head = storage.settled_head()
        if mode or not filter_order or head is None:
            build(self, path, mode, filter_order)
            return
        folder = get_page_directoryname(path or "/")
        key = (folder, *(app.config.get(name) for name in _SETTINGS))
        index = storage.sidebar_indexes.find(head, key)
        if index is None:
            self.robot_headings = headings = _Headings(storage.sidebar_indexes.headings(), storage.blobs(head))
            build(self, path)
            del self.robot_headings
            index = dict(vars(self))
            if storage.settled_head() == head:
                storage.sidebar_indexes.keep(head, key, index, headings.read)
        vars(self).update(index)

    def header(self: Any, filename: str) -> str | None:
        headings: _Headings | None = getattr(self, "robot_headings", None)
        return read_header(self, filename) if headings is None else headings.of(filename, partial(read_header, self))

    kind.__init__ = remembered
    kind.read_header = header


class _Headings:
    """The headings that one index needs; those that nobody knows are read, and found in `read` afterwards."""

    def __init__(self, known: Mapping[str, Heading], blob_of: Callable[[str], bytes | None]) -> None:
        self._known = known
        self._blob_of = blob_of
        self.read: dict[str, Heading] = {}

    def of(self, filename: str, read: Callable[[str], str | None]) -> str | None:
        blob = self._blob_of(filename)
        known = self._known.get(filename)
        if blob is not None and known is not None and known[0] == blob:
            return known[1]
        heading = read(filename)
        if blob is not None:
            self.read[filename] = (blob, heading)
        return heading
