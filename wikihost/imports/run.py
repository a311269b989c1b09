"""An import from beginning to end: planned on the wiki as it is, built apart from it, checked, and taken in at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wikihost import trees
from wikihost.content import Content
from wikihost.errors import StorageFailed
from wikihost.imports.building import build_commit
from wikihost.imports.planning import ImportPlan
from wikihost.imports.sources import Source
from wikihost.imports.values import Choices, ImportRefused, Progress, Report, SourceLimits
from wikihost.layout import WikiHome
from wikihost.plans import Snapshot
from wikihost.pushed import PushRefused, check_push
from wikihost.repo import Repository
from wikihost.transfer import make_empty, show_wiki
from wikihost.values import Author
from wikihost.writer import HeadMoved

_ATTEMPTS = 5

TakeIn = Callable[[Callable[[Content], None]], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. `label` names the source in the commit message; `history` is a commit to keep, if wanted."""

    label: str
    choices: Choices
    limits: SourceLimits
    author: Author
    history: str | None = None


def plan_import(content: Content, source: Source, order: Order, progress: Progress) -> Report:
    """What the import would do. Raises `ImportRefused`, `StorageFailed`, and what `progress` raises."""
    with content.snapshot() as snapshot:
        plan = ImportPlan(source, _Wiki(snapshot), order.choices, progress)
        for _ in plan.changes():
            pass
        return plan.report()


def run_import(
    content: Content,
    home: WikiHome,
    root: Path,
    source: Source,
    order: Order,
    progress: Progress,
    *,
    take_in: TakeIn | None = None,
) -> Report:
    """Import, in one commit, by way of the directory `root`. Planned anew when somebody else wrote meanwhile.

    `take_in` runs the last step, for callers that are told of changes. Raises what `plan_import` does, `StorageFull`,
    and the `ContentError`s with which the wiki refuses the commit; nothing was written then.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _attempt(content, home, root, source, order, progress, take_in or (lambda work: work(content)))
        except HeadMoved:
            continue
    raise StorageFailed("Others keep writing to this wiki; try again in a moment.")


def _attempt(
    content: Content,
    home: WikiHome,
    root: Path,
    source: Source,
    order: Order,
    progress: Progress,
    take_in: TakeIn,
) -> Report:
    with content.snapshot() as snapshot, _workshop(root):
        transfer = show_wiki(home, root)
        if transfer.head != snapshot.head:
            raise HeadMoved(snapshot.head)
        plan = ImportPlan(source, _Wiki(snapshot), order.choices, progress)
        new = build_commit(transfer, plan.changes(), author=order.author, message=_message(order))
        if not plan.report().changes_something:
            return plan.report(revision=snapshot.head)
        _check(root, snapshot.head, new, order.limits)
        take_in(lambda there: there.take_in(transfer.objects, onto=snapshot.head, new=new))
        return plan.report(revision=new)


def _check(root: Path, head: str, new: str, limits: SourceLimits) -> None:
    """Hold the commit against the rules of a push, whatever the planning thought."""
    repository = Repository(root)
    try:
        check_push(repository, head, new, max_file_bytes=limits.file_bytes)
    except PushRefused as error:
        raise ImportRefused(str(error)) from error
    finally:
        repository.git.free()


@contextmanager
def _workshop(root: Path) -> Iterator[None]:
    make_empty(root)
    try:
        yield
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _message(order: Order) -> str:
    return f"Import from {order.label}"


class _Wiki:
    """The wiki as an import's target."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.is_new = not snapshot.repository.commit(snapshot.head).parents

    def find_page(self, name: str) -> str | None:
        row = self._snapshot.find_page(name)
        return None if row is None else row.path

    def entry(self, path: str) -> trees.Entry | None:
        return self._snapshot.entry(path)
