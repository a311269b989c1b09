"""A wiki's content as somebody sees it whose credential reaches one folder.

What is outside looks as if it was not there, and nothing outside can be changed. Three things see to that, each by
itself: the catalog shows nothing else (`confined.sql`), a name that somebody gives is looked at before anything is done
with it, and no plan is carried out that touches another file. The whole is closed: what `Content` can do and is not
declared here is refused.

Readers of the folder see what its own pages say, names of outside pages in links and redirects included, as they are
written there; whether such a page exists they are not told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, NoReturn, TypeVar

from wikihost import query, timeline, undoing
from wikihost.catalog import ConfinedCatalog
from wikihost.content import Content
from wikihost.errors import OutsideReach, QuotaExceeded, RevisionNotFound, UndoRefused
from wikihost.names import parse_page_name
from wikihost.plans import Plan, Snapshot, page_not_found
from wikihost.quota import Usage
from wikihost.reach import Reach
from wikihost.replays import Replays
from wikihost.repo import Repository, check_revision
from wikihost.usage import usage_within
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

T = TypeVar("T")

_MAX_NAMED = 10


def public_methods(of: type) -> set[str]:
    """The names of what a class lets its callers call."""
    return {name for name, member in vars(of).items() if callable(member) and not name.startswith("_")}


class ConfinedContent(Content):
    """One folder of a wiki. Cheap to make; for one call.

    Raises what `Content` does, `PageNotFound` for a page outside that is to be read, as if it was missing, and
    `OutsideReach` for what would be changed there, or needs the whole wiki.
    """

    def __init__(self, whole: Content, reach: Reach) -> None:
        # The base is not set up, and the writer is not lent: what is not handed on here does not work.
        self._whole = whole
        self._reach = reach
        self._home = whole._home
        self._repositories = whole._repositories
        self.catalog = ConfinedCatalog(whole.catalog, reach)

    def head(self) -> str:
        return super().head()

    def sync(self) -> str:
        return super().sync()

    def read_blob(self, oid: str) -> bytes:
        """As of the whole wiki: whoever knows the id of a blob was told it here, or has the bytes."""
        return super().read_blob(oid)

    def copy_blob(self, oid: str, write: Callable[[bytes], object]) -> None:
        super().copy_blob(oid, write)

    def replays(self) -> Replays:
        """The wiki's; whoever claims an answer says how far the credential reaches."""
        return self._whole.replays()

    def read_page(self, name: str, revision: str | None = None, *, follow_redirect: bool = True) -> Page:
        name = parse_page_name(name)
        if revision is not None and not self._reach.covers(name):
            with self._synced() as repository:
                raise page_not_found(name, repository.resolve(revision))
        return super().read_page(self._shown(name), revision, follow_redirect=follow_redirect)

    def list_pages(self, wanted: PageFilter | None = None) -> list[PageSummary]:
        return super().list_pages(wanted)

    def pages_after(self, name: str, limit: int) -> list[tuple[PageSummary, int]]:
        return super().pages_after(name, limit)

    def page_names(self) -> list[str]:
        return super().page_names()

    def search(self, text: str, limit: int, offset: int = 0, filters: SearchFilters = NO_FILTERS) -> SearchHits:
        return super().search(text, limit, offset, filters)

    def history(self, name: str, limit: int) -> list[Commit]:
        return super().history(self._shown(name), limit)

    def changelog(
        self, limit: int, after: str | None = None, email: str | None = None
    ) -> tuple[list[LoggedCommit], int]:
        return super().changelog(limit, after, email)

    def changes_since(self, revision: str, limit: int) -> Changes:
        return self._look(timeline.changes_within, revision, limit, self._reach)

    def find_commit(self, revision: str) -> LoggedCommit:
        return super().find_commit(revision)

    def changes_by(self, credential: str, since: datetime, limit: int) -> list[LoggedCommit]:
        return super().changes_by(credential, since, limit)

    def links(self) -> LinkGraph:
        return super().links()

    def broken_links(self) -> dict[str, list[str]]:
        """Those inside: whether a page outside exists is not told."""
        return {target: sources for target, sources in super().broken_links().items() if self._reach.covers(target)}

    def links_around(self, name: str) -> tuple[str, list[str], list[str]]:
        """As of a page that need not exist: an outside one has the links that stand in pages inside."""
        return super().links_around(name)

    def stats(self) -> WikiStats:
        """The folder in figures; its quota is the whole wiki's, and `repository_bytes` is not told."""
        return super().stats()

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
        return super().write_page(
            self._changeable(name),
            text,
            base=base,
            author=author,
            message=message,
            dry_run=dry_run,
            follow_redirect=follow_redirect,
        )

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
        return super().edit_page(
            self._changeable(name),
            base=base,
            old=old,
            new=new,
            author=author,
            message=message,
            dry_run=dry_run,
            follow_redirect=follow_redirect,
        )

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
        return super().rewrite_page(
            self._changeable(name), rewrite, base=base, author=author, message=message, dry_run=dry_run
        )

    def delete_page(
        self, name: str, *, base: str | None = None, author: Author, message: str | None = None, dry_run: bool = False
    ) -> Removed:
        return super().delete_page(self._changeable(name), base=base, author=author, message=message, dry_run=dry_run)

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
        """Both names are inside; links in pages outside stay as they are, and `links_left` counts those pages."""
        old, new = self._changeable(old), self._changeable(new)
        done = super().rename_page(
            old, new, base=base, redirect=redirect, author=author, message=message, dry_run=dry_run
        )
        linking = self._whole.catalog.read(lambda connection: query.links_to(connection, done.old_path))
        return replace(done, links_left=sum(not self._reach.covers(path) for path in linking))

    def undo_change(
        self, revision: str, *, author: Author, message: str | None = None, dry_run: bool = False
    ) -> Undone:
        """Of a commit that changed nothing but files inside. What is in the way is told without what lies outside."""
        check_revision(revision)

        def decide(snapshot: Snapshot) -> Plan[Undone]:
            record = undoing.find_change(snapshot, revision)
            inside = [self._reach.covers_file(change.path) for change in snapshot.repository.touched(record)]
            if not any(inside):
                raise RevisionNotFound(f"This wiki has no revision {revision}.")
            if not all(inside):
                raise OutsideReach(f"{self._reach.sentence}, and revision {record.oid[:8]} changed others too.")
            try:
                return undoing.plan_undo(snapshot, revision, message=message)
            except UndoRefused as error:
                raise self._without_others(record.oid, error) from None

        return self._change(author, decide, dry_run)

    def list_attachments(self, name: str) -> list[Attachment]:
        return super().list_attachments(self._shown(name))

    def find_attachment(self, name: str, filename: str) -> Attachment:
        return super().find_attachment(self._shown(name), filename)

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
        return super().write_attachment(
            self._changeable(name), filename, data, base=base, author=author, message=message, dry_run=dry_run
        )

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
        return super().delete_attachment(
            self._changeable(name), filename, base=base, author=author, message=message, dry_run=dry_run
        )

    def _usage(self, repository: Repository, head: str) -> Usage:
        return usage_within(repository, head, self._reach)

    def _repository_bytes(self, head: str) -> int:
        return 0

    def _shown(self, name: str) -> str:
        """The canonical name of a page to read. Raises `PageNotFound` for one outside."""
        name = parse_page_name(name)
        if not self._reach.covers(name):
            raise page_not_found(name)
        return name

    def _changeable(self, name: str) -> str:
        """The canonical name of a page to change. Raises `OutsideReach`, whether or not there is such a page."""
        name = parse_page_name(name)
        if not self._reach.covers(name):
            raise self._too_far()
        return name

    def _change(self, author: Author, decide: Callable[[Snapshot], Plan[T]], dry_run: bool) -> T:
        def decide_inside(snapshot: Snapshot) -> Plan[T]:
            plan = decide(replace(snapshot, catalog=self.catalog))
            if not all(map(self._reach.covers_file, plan.files)):
                raise self._too_far()
            return plan

        try:
            return self._whole._change(author, decide_inside, dry_run)
        except QuotaExceeded as error:
            raise error.without_figures() from None

    def _without_others(self, revision: str, error: UndoRefused) -> UndoRefused:
        """The reasons may name pages outside, such as one that a page became."""
        if not error.pages:
            return error
        pages = [page for page in error.pages if self._reach.covers(page)]
        told = f", of {', '.join(pages[:_MAX_NAMED])}" if pages else ""
        return UndoRefused(
            f"Revision {revision[:8]} cannot be undone, since later changes are in the way{told}.", pages=pages
        )

    def _too_far(self) -> OutsideReach:
        return OutsideReach(f"{self._reach.sentence}.")

    def _refuse(self, *_args: Any, **_more: Any) -> NoReturn:
        raise OutsideReach(f"{self._reach.sentence}, and this needs the whole wiki.")


def refuse_undeclared(view: type[ConfinedContent], whole: type[Content]) -> None:
    """Let a view refuse what the whole can do and the view does not declare."""
    for name in public_methods(whole) - public_methods(view):
        setattr(view, name, view._refuse)


DECLARED = public_methods(ConfinedContent)
"""What of `Content` is thought through for one folder."""

NEEDS_WHOLE = frozenset({"check_room", "close", "last_changes", "snapshot", "take_in", "undo_changes"})
"""What of `Content` has no meaning for one folder; anything else that is not declared has been forgotten."""

refuse_undeclared(ConfinedContent, Content)
