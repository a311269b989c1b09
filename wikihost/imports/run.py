"""An import from beginning to end: planned on the wiki as it is, built apart from it, checked, and taken in at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wikihost import trees
from wikihost.content import Content
from wikihost.errors import QuotaExceeded, StorageFailed
from wikihost.imports.building import build_commit
from wikihost.imports.planning import ImportPlan
from wikihost.imports.sources import Source
from wikihost.imports.values import Choices, ImportRefused, Progress, Report, SourceLimits
from wikihost.layout import WikiHome
from wikihost.plans import Snapshot
from wikihost.pushed import PushRefused, check_commits, check_push
from wikihost.quota import Usage
from wikihost.repo import Repository
from wikihost.transfer import Transfer, make_empty, show_wiki
from wikihost.usage import growth, sizes_in
from wikihost.values import Author
from wikihost.writer import HeadMoved, storage_errors

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class History:
    """A repository with a commit whose history may come along."""

    root: Path
    commit: str


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. `label` names the source in the commit message."""

    label: str
    choices: Choices
    limits: SourceLimits
    author: Author
    history: History | None = None


def plan_import(content: Content, source: Source, order: Order, progress: Progress) -> Report:
    """What the import would do. Raises `ImportRefused`, `StorageFailed`, and what `progress` raises."""
    with content.snapshot() as snapshot:
        wiki = _Wiki(snapshot)
        plan = ImportPlan(source, wiki, order.choices, progress)
        grown, size_of = Usage(0, 0), sizes_in(snapshot.repository)
        for path, data in plan.changes():
            grown += growth(size_of, path, wiki.entry(path), len(data))
        try:
            content.check_room(snapshot, grown)
        except QuotaExceeded as error:
            no_room = str(error)
        else:
            no_room = ""
        return plan.report(history=_judge_history(order, wiki, plan), no_room=no_room)


def run_import(
    content: Content,
    home: WikiHome,
    root: Path,
    source: Source,
    order: Order,
    progress: Progress,
    *,
    last_look: Callable[[], None] = lambda: None,
) -> Report:
    """Import, in one commit, by way of the directory `root`. Planned anew when somebody else wrote meanwhile.

    `last_look` is called when all is made and nothing is written yet; what it raises ends the import.

    Raises what `plan_import` does, `StorageFull`, `QuotaExceeded`, and the other `ContentError`s with which the wiki
    refuses the commit; nothing was written then.
    """
    for _ in range(_ATTEMPTS):
        try:
            with content.snapshot() as snapshot, _workshop(home, root) as transfer:
                if transfer.head != snapshot.head:
                    continue
                wiki = _Wiki(snapshot)
                plan = ImportPlan(source, wiki, order.choices, progress)
                commits = _judge_history(order, wiki, plan)
                new = _build(transfer, plan, order, with_history=bool(commits))
                if not plan.report(history=commits).changes_something:
                    return plan.report(revision=transfer.head)
                _check(transfer, new, order.limits)
                last_look()
                content.take_in(transfer.objects, onto=transfer.head, new=new)
                return plan.report(revision=new, history=commits)
        except HeadMoved:
            continue
    raise StorageFailed("Others keep writing to this wiki; try again in a moment.")


def _judge_history(order: Order, wiki: _Wiki, plan: ImportPlan) -> int:
    """How many commits come along; when none do although there are some, the plan's notes say why."""
    if order.history is None:
        return 0
    if not wiki.is_new:
        plan.note("The history stays behind: only a wiki to which nobody has written yet takes one in.")
        return 0
    repository = Repository(order.history.root)
    try:
        return check_commits(repository, None, order.history.commit, max_file_bytes=order.limits.file_bytes)
    except PushRefused as error:
        plan.note(f"The history stays behind, because no wiki could have it: {error}")
        return 0
    finally:
        repository.git.free()


def _build(transfer: Transfer, plan: ImportPlan, order: Order, *, with_history: bool) -> str:
    also_after = None
    if with_history and order.history is not None:
        also_after = order.history.commit
        _share_packs(order.history.root, transfer)
    message = f"Import from {order.label}"
    return build_commit(transfer, plan.changes(), author=order.author, message=message, also_after=also_after)


def _share_packs(root: Path, transfer: Transfer) -> None:
    """Give the transfer the packs of another repository, which keeps them: the transfer's go into the wiki."""
    with storage_errors():
        for pack in (root / ".git" / "objects" / "pack").glob("pack-*"):
            os.link(pack, transfer.objects / "pack" / pack.name)


def _check(transfer: Transfer, new: str, limits: SourceLimits) -> None:
    """Hold the commit against the rules of a push, whatever the planning thought."""
    repository = Repository(transfer.root)
    try:
        check_push(repository, transfer.head, new, max_file_bytes=limits.file_bytes)
    except PushRefused as error:
        raise ImportRefused(str(error)) from error
    finally:
        repository.git.free()


@contextmanager
def _workshop(home: WikiHome, root: Path) -> Iterator[Transfer]:
    try:
        make_empty(root)
        yield show_wiki(home, root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


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
