"""Where each page and each file of a source goes. Pure: what the wiki has is asked of two functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from wikihost.errors import InvalidAttachment, InvalidPageName
from wikihost.imports.naming import FreeNames, legal_file_name, legal_page_name, own_name
from wikihost.imports.sources import shown
from wikihost.imports.values import Moved, OnExisting, Refusal
from wikihost.names import page_key

# Where files go that no page uses, with a page that lists them.
UNUSED_FILES = "Imported files"

FindPage = Callable[[str], str | None]
"""The stored name of the wiki's page that a name means, if any."""

FindFile = Callable[[str], str | None]
"""The object id of what the wiki has at a repository path, a folder too, if anything."""


@dataclass(slots=True)
class PagePlaces:
    """`names` by source file, of skipped pages too: those of the wiki's own, to which links to them lead.

    `keys` are the names' keys.
    """

    names: dict[str, str] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    renamed: list[Moved] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


def place_pages(sources: Iterable[str], find_page: FindPage, existing: OnExisting) -> PagePlaces:
    """Give each source file of Markdown a page name of its own: no two pages of one name, and none lost."""
    places = PagePlaces()
    # Those that may keep their names come first, so that no other takes one from them.
    wishes = sorted(_legal(sources, places), key=lambda wish: (wish[2] is not None, wish[0]))
    wanted = {page_key(name) for _, name, _ in wishes}
    names = FreeNames()

    def is_unwanted(name: str) -> bool:
        return page_key(name) not in wanted and page_key(name) not in places.keys

    def settle(source: str, name: str, reason: str | None) -> None:
        there = find_page(name)
        if there is not None and existing is OnExisting.RENAME:
            reason = "The wiki has a page of this name already."
            name = names.page(name, lambda other: is_unwanted(other) and find_page(other) is None)
        elif there is not None:
            name = there
            if existing is OnExisting.SKIP:
                places.skipped.add(source)
        places.names[source] = name
        places.keys.add(page_key(name))
        if reason is not None and source not in places.skipped:
            places.renamed.append(Moved(shown(source), name, reason))

    seen: set[str] = set()
    for source, name, reason in wishes:
        if page_key(name) in seen:
            reason_of_twin = f"Another page is called {name!r}, or the same but for a space or an underscore."
            settle(source, names.page(name, is_unwanted), reason_of_twin)
        else:
            seen.add(page_key(name))
            settle(source, name, reason)
    return places


def _legal(sources: Iterable[str], places: PagePlaces) -> Iterator[tuple[str, str, str | None]]:
    """Each source file with a legal name for it, and why it is not its own."""
    for source in sources:
        try:
            name, reason = legal_page_name(source)
        except InvalidPageName as error:
            places.refused.append(Refusal(shown(source), str(error)))
        else:
            yield source, name, reason


@dataclass(frozen=True, slots=True)
class FilePlaces:
    """`paths` by source file; `same` are files that the wiki has so already; `unused` is the page of UNUSED_FILES."""

    paths: Mapping[str, str]
    same: frozenset[str]
    skipped: Sequence[str]
    renamed: Sequence[Moved]
    refused: Sequence[Refusal]
    unused: Sequence[str] = ()
    unused_page: str = ""


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a source that are no pages: their object ids, and the pages that use them, by source file."""

    oids: Mapping[str, str]
    users: Mapping[str, Sequence[str]]


def attach_files(
    files: Files, pages: PagePlaces, find_page: FindPage, find: FindFile, existing: OnExisting
) -> FilePlaces:
    """Put each file into the folder of a page: the one whose folder it lies in, else the first that uses it."""
    by_folder = {own_name(source): source for source in pages.names}
    may_share = existing is not OnExisting.RENAME
    unused_page = FreeNames().page(
        UNUSED_FILES, lambda name: page_key(name) not in pages.keys and (may_share or find_page(name) is None)
    )
    placing = _Placing(files.oids, find, replace=existing is OnExisting.REPLACE)
    unused: list[str] = []
    for source in sorted(files.oids):
        users = files.users.get(source, ())
        beside = by_folder.get(source.rpartition("/")[0])
        homes = [page for page in ([beside] if beside else []) + list(users) if page in pages.names]
        written = [page for page in homes if page not in pages.skipped]
        if homes and not written:
            placing.skipped.append(source)
            continue
        if not written:
            unused.append(source)
        placing.put(source, pages.names[written[0]] if written else unused_page)
    return placing.done([source for source in unused if source in placing.paths], unused_page)


def keep_files(files: Files, pages: PagePlaces, find: FindFile, existing: OnExisting) -> FilePlaces:
    """Leave each file where it is, beside its page when that got another name."""
    by_folder = {own_name(source): source for source in pages.names}
    placing = _Placing(files.oids, find, replace=existing is OnExisting.REPLACE)
    for source in sorted(files.oids):
        folder = source.rpartition("/")[0]
        page = by_folder.get(folder)
        if page in pages.skipped:
            placing.skipped.append(source)
            continue
        try:
            home = pages.names[page] if page else legal_page_name(f"{folder}.md")[0] if folder else ""
        except InvalidPageName as error:
            placing.refused.append(Refusal(shown(source), str(error)))
            continue
        placing.put(source, home, skip=existing is OnExisting.SKIP)
    return placing.done([], "")


class _Placing:
    """Gives files their places, one after the other."""

    def __init__(self, oids: Mapping[str, str], find: FindFile, *, replace: bool) -> None:
        self._oids = oids
        self._find = find
        self._replace = replace
        self._taken: set[str] = set()
        self._names = FreeNames()
        self.paths: dict[str, str] = {}
        self.same: set[str] = set()
        self.skipped: list[str] = []
        self.renamed: list[Moved] = []
        self.refused: list[Refusal] = []

    def put(self, source: str, folder: str, *, skip: bool = False) -> None:
        try:
            name, reason = legal_file_name(source)
        except InvalidAttachment as error:
            self.refused.append(Refusal(shown(source), str(error)))
            return
        start = f"{folder}/" if folder else ""
        oid = self._oids[source]
        there = self._find(start + name)
        if skip and there not in (None, oid) and start + name not in self._taken:
            self.skipped.append(source)
            return

        def is_free(path: str) -> bool:
            return path not in self._taken and (self._replace or self._find(path) in (None, oid))

        path = self._names.file(start + name, is_free)
        if path != start + name:
            reason = reason or "Another file of this name is there."
        self._taken.add(path)
        self.paths[source] = path
        if self._find(path) == oid:
            self.same.add(source)
        if reason is not None:
            self.renamed.append(Moved(shown(source), path, reason))

    def done(self, unused: Sequence[str], unused_page: str) -> FilePlaces:
        return FilePlaces(
            self.paths, frozenset(self.same), self.skipped, self.renamed, self.refused, unused, unused_page
        )
