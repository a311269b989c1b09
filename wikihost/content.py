"""One wiki's content, as every door of the core reads and writes it. Synchronous and thread-safe."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

from wikihost import query
from wikihost.catalog import Catalog
from wikihost.errors import (
    Conflict,
    EditNotApplicable,
    InvalidPageText,
    PageNotFound,
    PageTooLarge,
    RevisionRequired,
    StorageFailed,
    StorageFull,
)
from wikihost.layout import WikiHome
from wikihost.markdown import page_title, split_frontmatter, wikilinks
from wikihost.names import file_of, parse_page_name
from wikihost.repo import Repository, RepositoryPool, check_revision, unified_diff
from wikihost.values import Author, Commit, Page, PageFilter, PageSummary, SearchHit, WikiStats, Written
from wikihost.writer import HeadMoved, Held, Writer

_log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_PAGE_CHARACTERS = 1_000_000
MAX_SEARCH_HITS = 1_000
MAX_HISTORY = 10_000
_MOVED_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class _Current:
    """A page as it is under the write lock."""

    path: str
    revision: str
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class _Change:
    """A decided write."""

    path: str
    text: str
    message: str
    current: _Current | None


class Content:
    """The pages of one wiki. Open once per process and keep.

    Every method may raise `StorageFailed` or `StorageFull`, and `InvalidPageName` where it takes a name.
    """

    def __init__(self, home: WikiHome) -> None:
        self._home = home
        self._repositories = RepositoryPool(home.repo)
        self._sizes: tuple[str, int] = ("", 0)
        self.catalog = Catalog(home)
        self.writer = Writer(home)

    def head(self) -> str:
        """The commit that the wiki is at."""
        with self._repositories.lend() as repository:
            return repository.head()

    def sync(self) -> str:
        """Bring the catalog to the head, which is returned: for those who then run SQL of their own on it."""
        with self._repositories.lend() as repository:
            return self.catalog.sync(repository)

    def read_blob(self, oid: str) -> bytes:
        """The bytes of a git blob, such as a page's text by its `blob` in the catalog."""
        with self._repositories.lend() as repository:
            return repository.read_blob(oid)

    def read_page(self, name: str, revision: str | None = None) -> Page:
        """A page now, or at a revision (7 to 40 hex digits). Raises `PageNotFound`, `RevisionNotFound`."""
        name = parse_page_name(name)
        with self._synced() as repository:
            if revision is not None:
                return self._page_at(repository, name, repository.resolve(revision))

            def look_up(connection: Connection) -> tuple[query.PageRow, list[str], list[str], list[Commit]]:
                row = query.find_page(connection, name)
                if row is None:
                    raise _not_found(name)
                last = query.history(connection, row.file, 1)
                return row, query.links_of(connection, row.id), query.links_to(connection, row.path), last

            row, links_to, linked_from, last = self.catalog.read(look_up)
            return Page(
                path=row.path,
                title=row.title,
                text=repository.read_blob(row.blob).decode("utf-8", "replace"),
                frontmatter=row.frontmatter,
                links_to=links_to,
                linked_from=linked_from,
                last_commit=last[0],
            )

    def list_pages(self, wanted: PageFilter | None = None) -> list[PageSummary]:
        """The pages that meet all conditions, by path."""
        return self._ask(lambda connection: query.list_pages(connection, wanted or PageFilter()))

    def search(self, text: str, limit: int) -> list[SearchHit]:
        """Pages by keywords, best first; any text is a query."""
        return self._ask(lambda connection: query.search(connection, text, min(max(limit, 0), MAX_SEARCH_HITS)))

    def history(self, name: str, limit: int) -> list[Commit]:
        """The commits that touched a page, newest first. Raises `PageNotFound`."""
        name = parse_page_name(name)

        def look_up(connection: Connection) -> list[Commit]:
            row = query.find_page(connection, name)
            if row is None:
                raise _not_found(name)
            return query.history(connection, row.file, min(max(limit, 0), MAX_HISTORY))

        return self._ask(look_up)

    def stats(self) -> WikiStats:
        """The wiki in figures."""
        with self._synced() as repository:
            head = repository.head()
            pages, updated = self.catalog.read(query.count_pages)
            return WikiStats(
                pages=pages,
                head=head,
                updated=updated,
                categories=self.catalog.read(query.count_by_category),
                tags=self.catalog.read(query.count_by_tag),
                repository_bytes=self._repository_bytes(head),
            )

    def write_page(
        self, name: str, text: str, *, base: str | None, author: Author, message: str | None = None
    ) -> Written:
        """Create a page, or replace its text.

        `base` is the revision of the page that the text was made from (7 to 40 hex digits); a page that does not exist
        needs none. Raises `RevisionRequired`, `RevisionNotFound` (malformed), `Conflict`, `PageTooLarge`,
        `InvalidPageText`.
        """
        name = parse_page_name(name)
        _check_text(text)

        def decide(current: _Current | None) -> _Change:
            if current is None:
                return _Change(name, text, message or f"[api] Create: {name}", None)
            _check_base(current, base)
            return _Change(current.path, text, message or f"[api] Update: {current.path}", current)

        return self._write(name, author, decide)

    def edit_page(
        self, name: str, *, base: str, old: str, new: str, author: Author, message: str | None = None
    ) -> Written:
        """Replace `old`, which must occur exactly once in the page (frontmatter included), by `new`.

        Raises as `write_page`, `PageNotFound`, and `EditNotApplicable`.
        """
        name = parse_page_name(name)
        if not old:
            raise EditNotApplicable("The text to replace is empty.", occurrences=0)
        if old == new:
            raise EditNotApplicable("The old and the new text are the same.", occurrences=0)
        check_revision(base)

        def decide(current: _Current | None) -> _Change:
            if current is None:
                raise _not_found(name)
            _check_base(current, base)
            text = _replace_once(current.text, old, new)
            _check_text(text)
            return _Change(current.path, text, message or f"[api] Edit: {current.path}", current)

        return self._write(name, author, decide)

    def take_in(self, source: Path, *, onto: str, new: str) -> None:
        """Take a push in that was checked: its objects from `source`, and the branch from `onto` to `new`.

        Raises `HeadMoved` when the wiki is not at `onto` any more.
        """
        with self.writer.locked() as held:
            held.take_in(source, onto=onto, new=new)
        self._follow_quietly()

    def close(self) -> None:
        """Release files and connections; nothing may be called afterwards."""
        self.catalog.close()
        self.writer.close()
        self._repositories.close()

    def _write(self, name: str, author: Author, decide: Callable[[_Current | None], _Change]) -> Written:
        with self.writer.locked() as held:
            for _ in range(_MOVED_ATTEMPTS):
                head = self.catalog.sync(held.repository)
                change = decide(self._current(held.repository, name))
                try:
                    written = _commit(held, head, change, author)
                except HeadMoved:
                    continue
                break
            else:
                raise StorageFailed("Another git program keeps changing the wiki; try again in a moment.")
        if written.changed:
            self._follow_quietly()
        return written

    def _current(self, repository: Repository, name: str) -> _Current | None:
        row = self.catalog.read(lambda connection: query.find_page(connection, name))
        return None if row is None else _Current(row.path, row.revision, repository.read_blob(row.blob))

    def _follow_quietly(self) -> None:
        """Bring the catalog along after a commit: the write is acknowledged, whatever becomes of this."""
        try:
            self.sync()
        except (StorageFailed, StorageFull) as error:
            _log.warning("the catalog of %s stays behind: %s", self._home.root, error)

    def _page_at(self, repository: Repository, name: str, commit: str) -> Page:
        row = self.catalog.read(lambda connection: query.find_page(connection, name))
        path = row.path if row else name
        blob = repository.blob_of(commit, file_of(path))
        if blob is None:
            raise PageNotFound(f"Page not found: {name} at revision {commit[:8]}.")
        text = repository.read_blob(blob).decode("utf-8", "replace")
        frontmatter, body = split_frontmatter(text)

        def look_up(connection: Connection) -> tuple[list[str], list[str], list[Commit]]:
            links = query.resolve_links(connection, wikilinks(body))
            last = query.history(connection, file_of(path), 1, up_to=commit)
            return links, query.links_to(connection, path), last

        links_to, linked_from, last = self.catalog.read(look_up)
        if not last:
            raise PageNotFound(f"Page not found: {name} at revision {commit[:8]}.")
        return Page(path, page_title(path, frontmatter), text, frontmatter, links_to, linked_from, last[0])

    def _ask(self, work: Callable[[Connection], T]) -> T:
        with self._synced():
            return self.catalog.read(work)

    @contextmanager
    def _synced(self) -> Iterator[Repository]:
        with self._repositories.lend() as repository:
            try:
                self.catalog.sync(repository)
            except StorageFull as error:
                # Better the wiki without its very last commit than no wiki until there is room again.
                _log.warning("the catalog of %s stays behind: %s", self._home.root, error)
            yield repository

    def _repository_bytes(self, head: str) -> int:
        """The size of the git directory; looked at once per head."""
        known_head, size = self._sizes
        if known_head != head:
            size = 0
            for folder, _, names in os.walk(self._home.git_dir):
                for name in names:
                    try:
                        size += os.lstat(os.path.join(folder, name)).st_blocks * 512
                    except FileNotFoundError:
                        continue  # git renames and removes files meanwhile
            self._sizes = (head, size)
        return size


def _commit(held: Held, head: str, change: _Change, author: Author) -> Written:
    data = change.text.encode()
    old = change.current.data if change.current else None
    done = held.commit({file_of(change.path): data}, author=author, message=change.message, onto=head)
    frontmatter, _ = split_frontmatter(change.text)
    return Written(
        path=change.path,
        title=page_title(change.path, frontmatter),
        revision=done.head if done.changed or change.current is None else change.current.revision,
        head=done.head,
        created=change.current is None,
        changed=done.changed,
        diff=unified_diff(file_of(change.path), old, data),
    )


def _check_base(current: _Current, base: str | None) -> None:
    if base is None:
        raise RevisionRequired(
            f"{current.path} exists: read it, and say which revision the new text was made from.",
            current_revision=current.revision,
        )
    if not current.revision.startswith(check_revision(base)):
        raise Conflict(
            f"{current.path} was changed since revision {base[:8]}; read it again and redo the change.",
            current_revision=current.revision,
            current_text=current.text,
        )


def _check_text(text: str) -> None:
    if len(text) > MAX_PAGE_CHARACTERS:
        raise PageTooLarge(f"A page can have at most {MAX_PAGE_CHARACTERS:,} characters; this one has {len(text):,}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidPageText("The text contains a lone surrogate, which is no character.") from error


def _replace_once(text: str, old: str, new: str) -> str:
    occurrences = text.count(old)
    if occurrences == 0:
        raise EditNotApplicable("The text to replace was not found in the page.", occurrences=0)
    if occurrences > 1:
        raise EditNotApplicable(
            f"The text to replace is ambiguous: found {occurrences} occurrences. Include more of what is around it.",
            occurrences=occurrences,
        )
    return text.replace(old, new)


def _not_found(name: str) -> PageNotFound:
    return PageNotFound(f"Page not found: {name}")
