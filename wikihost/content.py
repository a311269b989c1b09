"""One wiki's content, as every door of the core reads and writes it. Synchronous and thread-safe."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Concatenate, ParamSpec, TypeVar

from wikihost import attachments, keyword_syntax, keywords, moving, query, reading, texts, timeline, undoing
from wikihost.catalog import Catalog
from wikihost.errors import StorageFailed, StorageFull
from wikihost.layout import WikiHome
from wikihost.names import parse_page_name
from wikihost.plans import Plan, Snapshot, carry_out
from wikihost.quota import Usage, check_fit, read_quota
from wikihost.replays import Replays
from wikihost.repo import Repository, RepositoryPool, check_revision
from wikihost.usage import DiskUse, Ledger
from wikihost.values import (
    NO_FILTERS,
    Attached,
    Attachment,
    Author,
    Changes,
    Commit,
    LinkGraph,
    LoggedCommit,
    Page,
    PageFilter,
    PageSummary,
    Removed,
    Renamed,
    SearchFilters,
    SearchHits,
    Undone,
    WikiStats,
    Written,
)
from wikihost.writer import Writer

_log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MAX_SEARCH_HITS = 100
MAX_OFFSET = 1_000_000
MAX_HISTORY = 10_000


class Content:
    """The pages of one wiki. Open once per process and keep.

    Every method may raise `StorageFailed` or `StorageFull`, `InvalidPageName` where it takes a name, and where it adds
    something `QuotaExceeded`.
    """

    def __init__(self, home: WikiHome) -> None:
        self._home = home
        self._repositories = RepositoryPool(home.repo)
        self._disk_use = DiskUse(home.git_dir)
        self._ledger = Ledger(home.usage)
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

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The wiki at its head, to read at leisure: nothing is locked, so only the files stay as they are."""
        with self._repositories.lend() as repository:
            yield Snapshot(repository, self.catalog, self.catalog.sync(repository))

    def read_blob(self, oid: str) -> bytes:
        """The bytes of a git blob, such as a page's text by its `blob` in the catalog."""
        with self._repositories.lend() as repository:
            return repository.read_blob(oid)

    def copy_blob(self, oid: str, write: Callable[[bytes], object]) -> None:
        """As `read_blob`, handed on in pieces."""
        with self._repositories.lend() as repository:
            repository.copy_blob(oid, write)

    def read_page(self, name: str, revision: str | None = None, *, follow_redirect: bool = True) -> Page:
        """A page now, or at a revision (7 to 40 hex digits), which is never a redirect's target.

        Raises `PageNotFound`, `RevisionNotFound`.
        """
        name = parse_page_name(name)
        with self._synced() as repository:
            if revision is not None:
                return reading.read_page_at(repository, self.catalog, name, repository.resolve(revision))
            return reading.read_page(repository, self.catalog, name, follow_redirect=follow_redirect)

    def list_pages(self, wanted: PageFilter | None = None) -> list[PageSummary]:
        """The pages that meet all conditions, by path."""
        return self._ask(lambda connection: query.list_pages(connection, wanted or PageFilter()))

    def pages_after(self, name: str, limit: int) -> list[tuple[PageSummary, int]]:
        """At most `limit` pages whose names come after `name`, by path, each with the size of its text in bytes."""
        with self._synced() as repository:
            rows = self.catalog.read(lambda connection: query.pages_after(connection, name, limit))
            return [(page, repository.size_of(blob)) for page, blob in rows]

    def page_names(self) -> list[str]:
        """The names of all pages, in order."""
        return self._ask(query.page_names)

    def search(self, text: str, limit: int, offset: int = 0, filters: SearchFilters = NO_FILTERS) -> SearchHits:
        """Pages by keywords, best first, those after the first `offset`; any text is a query."""
        limit, offset = min(max(limit, 1), MAX_SEARCH_HITS), min(max(offset, 0), MAX_OFFSET)
        asked = keyword_syntax.parse(text, filters)
        return self._ask(lambda connection: keywords.search(connection, asked, limit, offset))

    def history(self, name: str, limit: int) -> list[Commit]:
        """The commits that touched a page, under older names too, newest first. Raises `PageNotFound`."""
        name = parse_page_name(name)

        def look_up(snapshot: Snapshot) -> list[Commit]:
            return timeline.page_history(snapshot, snapshot.page(name), min(max(limit, 0), MAX_HISTORY))

        return self._look(look_up)

    def changelog(
        self, limit: int, after: str | None = None, email: str | None = None
    ) -> tuple[list[LoggedCommit], int]:
        """The wiki's commits, newest first, those after the commit `after`; and how many there are in all.

        `email` is of the author whose commits are listed, None for everybody's.
        """
        most = min(max(limit, 0), MAX_HISTORY)
        return self._ask(lambda connection: timeline.changelog(connection, most, after, email))

    def last_changes(self) -> dict[str, datetime]:
        """When each author made their last commit, by their address (`ada@users.example.org`)."""
        return self._ask(timeline.last_changes)

    def changes_since(self, revision: str, limit: int) -> Changes:
        """What commits after `revision` did to pages, oldest first. Raises `RevisionNotFound`."""
        return self._look(timeline.changes_since, revision, limit)

    def links(self) -> LinkGraph:
        """All links of the wiki."""
        return self._ask(query.link_graph)

    def broken_links(self) -> dict[str, list[str]]:
        """The names that pages link to and that no page has, with the pages that link there; both by path."""
        return self._ask(query.broken_links)

    def links_around(self, name: str) -> tuple[str, list[str], list[str]]:
        """A page's name, the names that it links to, and the pages that link to it; the page need not exist."""
        name = parse_page_name(name)
        return self._ask(lambda connection: query.links_around(connection, name))

    def stats(self) -> WikiStats:
        """The wiki in figures."""
        with self._synced() as repository:
            head = repository.head()
            pages, updated = self.catalog.read(query.count_pages)
            return WikiStats(
                pages=pages,
                usage=self._usage(repository, head),
                quota=read_quota(self._home.quota),
                head=head,
                updated=updated,
                categories=self.catalog.read(query.count_by_category),
                tags=self.catalog.read(query.count_by_tag),
                repository_bytes=self._repository_bytes(head),
            )

    def write_page(
        self,
        name: str,
        text: str,
        *,
        base: str | None,
        author: Author,
        message: str | None = None,
        dry_run: bool = False,
        follow_redirect: bool = True,
    ) -> Written:
        """Create a page, or replace its text; a dry run only says what would change.

        `base` is the revision of the page that the text was made from (7 to 40 hex digits); a page that does not exist
        needs none. With `follow_redirect` one that `read_page` told at an old name is refused.

        Raises `RevisionRequired`, `RevisionNotFound` (malformed), `Conflict`, `PageTooLarge`, `InvalidPageText`.
        """
        name = parse_page_name(name)
        data = texts.encode_text(text)
        plan = partial(
            texts.plan_write, name=name, data=data, base=base, follow_redirect=follow_redirect, message=message
        )
        return self._change(author, plan, dry_run)

    def edit_page(
        self,
        name: str,
        *,
        base: str,
        old: str,
        new: str,
        author: Author,
        message: str | None = None,
        dry_run: bool = False,
        follow_redirect: bool = True,
    ) -> Written:
        """Replace `old`, which must occur exactly once in the page (frontmatter included), by `new`.

        `base` and `follow_redirect` are as in `write_page`. Raises as that, `PageNotFound` and `EditNotApplicable`.
        """
        name = parse_page_name(name)
        put = texts.check_replacement(old, new)
        check_revision(base)
        plan = partial(
            texts.plan_edit, name=name, old=old, new=put, base=base, follow_redirect=follow_redirect, message=message
        )
        return self._change(author, plan, dry_run)

    def rewrite_page(
        self,
        name: str,
        rewrite: Callable[[str], str],
        *,
        base: str | None,
        author: Author,
        message: str | None = None,
        dry_run: bool = False,
    ) -> Written:
        """Put what `rewrite` makes of a page's text in its place; nobody else writes meanwhile.

        It is called anew when a plain git was faster; what it raises, nothing was written. `base` is as in
        `write_page`, and may be None. Raises as `edit_page`, and `InvalidPageText` for a page that is not UTF-8.
        """
        name = parse_page_name(name)
        plan = partial(texts.plan_rewrite, name=name, rewrite=rewrite, base=base, message=message)
        return self._change(author, plan, dry_run)

    def delete_page(
        self, name: str, *, base: str | None = None, author: Author, message: str | None = None, dry_run: bool = False
    ) -> Removed:
        """Remove a page with its attachments. Raises `PageNotFound`, `Conflict`."""
        name = parse_page_name(name)
        plan = partial(moving.plan_page_removal, name=name, base=base, message=message)
        return self._change(author, plan, dry_run)

    def rename_page(
        self,
        old: str,
        new: str,
        *,
        base: str | None = None,
        redirect: bool = True,
        author: Author,
        message: str | None = None,
        dry_run: bool = False,
    ) -> Renamed:
        """Move a page with its attachments; links to it follow. Raises `PageNotFound`, `PageExists`, `Conflict`."""
        old, new = parse_page_name(old), parse_page_name(new)
        plan = partial(moving.plan_rename, old=old, new=new, base=base, redirect=redirect, message=message)
        return self._change(author, plan, dry_run)

    def undo_change(
        self, revision: str, *, author: Author, message: str | None = None, dry_run: bool = False
    ) -> Undone:
        """Take back what one commit (7 to 40 hex digits) did, whoever made it, by whatever door.

        What came after it stays: texts are merged, pages are found under newer names, a rename goes back with its
        files and links. Raises `RevisionNotFound`, and `UndoRefused` where later changes are in the way, for a merge
        and the wiki's first commit, and when nothing is left to undo.
        """
        check_revision(revision)
        plan = partial(undoing.plan_undo, revision=revision, message=message)
        return self._change(author, plan, dry_run)

    def undo_changes(
        self,
        revisions: Sequence[str],
        *,
        author: Author,
        message: str | None = None,
        reviewed: str | None = None,
        dry_run: bool = False,
    ) -> Undone:
        """Take back what several commits did, at most `MAX_UNDONE`, in one.

        A page that went on in the same places since is left alone, whole, and told. With `reviewed`, the `digest` of a
        dry run, nothing else is done than what that said. Raises `RevisionNotFound`, `UndoRefused`.
        """
        for revision in revisions:
            check_revision(revision)
        plan = partial(undoing.plan_undo_of_many, revisions=revisions, message=message, reviewed=reviewed)
        return self._change(author, plan, dry_run)

    def find_commit(self, revision: str) -> LoggedCommit:
        """A commit of the wiki, by 7 to 40 hex digits, with the pages that it touched. Raises `RevisionNotFound`."""
        return self._look(timeline.find_commit, revision)

    def changes_by(self, credential: str, since: datetime, limit: int) -> list[LoggedCommit]:
        """The commits that were made, or brought, with a credential at or after a moment, newest first."""
        return self._ask(lambda connection: timeline.changes_by(connection, credential, since, limit))

    def list_attachments(self, name: str) -> list[Attachment]:
        """The files of a page, by name. Raises `PageNotFound`."""
        return self._look(attachments.list_attachments, parse_page_name(name))

    def find_attachment(self, name: str, filename: str) -> Attachment:
        """A file of a page; `read_blob` has its bytes. Raises `PageNotFound`, `AttachmentNotFound`."""
        return self._look(attachments.find_attachment, parse_page_name(name), filename)

    def write_attachment(
        self,
        name: str,
        filename: str,
        data: bytes,
        *,
        base: str | None = None,
        author: Author,
        message: str | None = None,
        dry_run: bool = False,
    ) -> Attached:
        """Add a file to a page, or replace it. Raises `PageNotFound`, `InvalidAttachment`, `Conflict`."""
        name = parse_page_name(name)
        plan = partial(attachments.plan_upload, name=name, filename=filename, data=data, base=base, message=message)
        return self._change(author, plan, dry_run)

    def delete_attachment(
        self,
        name: str,
        filename: str,
        *,
        base: str | None = None,
        author: Author,
        message: str | None = None,
        dry_run: bool = False,
    ) -> Removed:
        """Remove a file of a page. Raises `PageNotFound`, `AttachmentNotFound`, `Conflict`."""
        name = parse_page_name(name)
        plan = partial(attachments.plan_removal, name=name, filename=filename, base=base, message=message)
        return self._change(author, plan, dry_run)

    def check_room(self, snapshot: Snapshot, grown: Usage) -> None:
        """Raise `QuotaExceeded` when the wiki, as the snapshot has it, cannot grow by that much."""
        held = self._ledger.usage(snapshot.repository, snapshot.head)
        check_fit(held, held + grown, read_quota(self._home.quota))

    def take_in(self, source: Path, *, onto: str, new: str, pushed_by: Author | None = None) -> None:
        """Take a push in that was checked: its objects from `source`, and the branch from `onto` to `new`.

        Its commits keep their authors; `pushed_by` is who brought them, which is told with them from then on.

        Raises `HeadMoved` when the wiki is not at `onto` any more, and `QuotaExceeded`.
        """
        with self.writer.locked() as held:
            held.take_in(source, onto=onto, new=new, pushed_by=pushed_by)
        self._follow_quietly()

    def replays(self) -> Replays:
        """The kept answers of the wiki."""
        return Replays(self.catalog)

    def close(self) -> None:
        """Release files and connections; nothing may be called afterwards."""
        self.catalog.close()
        self.writer.close()
        self._repositories.close()

    def _change(self, author: Author, decide: Callable[[Snapshot], Plan[T]], dry_run: bool) -> T:
        result, done = carry_out(self.writer, self.catalog, author, decide, dry_run=dry_run)
        if done.changed:
            self._follow_quietly()
        return result

    def _look(self, work: Callable[Concatenate[Snapshot, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` on the wiki as it is at the head."""
        with self._synced() as repository:
            return work(Snapshot(repository, self.catalog, repository.head()), *args, **kwargs)

    def _follow_quietly(self) -> None:
        """Bring the catalog along after a commit: the write is acknowledged, whatever becomes of this."""
        try:
            self.sync()
        except (StorageFailed, StorageFull) as error:
            _log.warning("the catalog of %s stays behind: %s", self._home.root, error)

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

    def _usage(self, repository: Repository, head: str) -> Usage:
        return self._ledger.usage(repository, head)

    def _repository_bytes(self, head: str) -> int:
        return self._disk_use.at(head)
