"""A write in two steps: decide on a snapshot of the wiki, then commit what was decided, if nothing moved meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from sqlite3 import Connection
from typing import Generic, TypeVar

from wikihost import query, trees
from wikihost.catalog import Catalog
from wikihost.errors import Conflict, PageNotFound, StorageFailed
from wikihost.repo import Repository, check_revision
from wikihost.values import Author
from wikihost.writer import Committed, FileChanges, HeadMoved, Writer

T = TypeVar("T")

_MOVED_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A wiki at one commit: its files and its catalog, which agree while the write lock is held."""

    repository: Repository
    catalog: Catalog
    head: str

    def ask(self, work: Callable[[Connection], T]) -> T:
        return self.catalog.read(work)

    def find_page(self, name: str) -> query.PageRow | None:
        return self.ask(lambda connection: query.find_page(connection, name))

    def page(self, name: str) -> query.PageRow:
        """The page that a canonical name means. Raises `PageNotFound`."""
        row = self.find_page(name)
        if row is None:
            raise page_not_found(name)
        return row

    def attachments(self, path: str) -> dict[str, trees.Entry]:
        """The regular files beside a page's text, in the folder of its name, by file name; `.md` files are pages."""
        folder = trees.find(self.repository.read_tree, self.repository.tree_of(self.head), path)
        if folder is None or folder[0] != trees.DIRECTORY:
            return {}
        return {
            name.decode("utf-8", "surrogateescape"): entry
            for name, entry in self.repository.read_tree(folder[1]).items()
            if entry[0] in (trees.FILE, trees.EXECUTABLE) and not name.endswith(b".md")
        }

    def entry(self, path: str) -> trees.Entry | None:
        return trees.find(self.repository.read_tree, self.repository.tree_of(self.head), path)

    def text_of(self, row: query.PageRow) -> str:
        return self.repository.read_blob(row.blob).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Plan(Generic[T]):
    """What is to be committed, and what the caller is told once it is. `trailers` follow the author's own."""

    files: FileChanges
    message: str
    finish: Callable[[Committed], T]
    trailers: Mapping[str, str] = field(default_factory=dict)


def carry_out(
    writer: Writer, catalog: Catalog, author: Author, decide: Callable[[Snapshot], Plan[T]], *, dry_run: bool = False
) -> tuple[T, Committed]:
    """Commit what `decide` plans, deciding anew when a plain git was faster; a dry run commits nothing.

    Raises what `decide` raises, `QuotaExceeded`, `StorageFailed` and `StorageFull`.
    """
    with writer.locked() as held:
        for _ in range(_MOVED_ATTEMPTS):
            head = catalog.sync(held.repository)
            plan = decide(Snapshot(held.repository, catalog, head))
            if dry_run:
                held.check(plan.files, onto=head)
                done = Committed(head, changed=False)
                break
            try:
                by = replace(author, trailers={**author.trailers, **plan.trailers})
                done = held.commit(plan.files, author=by, message=plan.message, onto=head)
            except HeadMoved:
                continue
            break
        else:
            raise StorageFailed("Another git program keeps changing the wiki; try again in a moment.")
    return plan.finish(done), done


def check_base(row: query.PageRow, base: str | None, text: Callable[[], str]) -> None:
    """Raise `Conflict` unless `base`, if given, begins the page's revision; `RevisionNotFound` when it is malformed."""
    if base is not None and not row.revision.startswith(check_revision(base)):
        raise Conflict(
            f"{row.path} was changed since revision {base[:8]}; read it again and redo the change.",
            current_revision=row.revision,
            current_text=text(),
        )


def check_meant(snapshot: Snapshot, row: query.PageRow, base: str | None) -> None:
    """Raise `Conflict` where a page only stands for another, and `base` is that one's revision, or none is given.

    Whoever read the page at its old name, or knows nothing of it, would put a text there, and there would be two pages.
    """
    meant = snapshot.ask(lambda connection: query.page_meant(connection, row))
    if meant.id != row.id and (base is None or meant.revision.startswith(check_revision(base))):
        raise Conflict(
            f"{row.path} is only a redirect to {meant.path}: make the change there.",
            current_revision=meant.revision,
            current_text=snapshot.text_of(meant),
        )


def page_not_found(name: str, commit: str | None = None) -> PageNotFound:
    """That there is no such page, or was none at that commit."""
    return PageNotFound(
        f"Page not found: {name}" if commit is None else f"Page not found: {name} at revision {commit[:8]}."
    )
