"""All references of a wiki's repository as of one moment, and what somebody who had others is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pygit2
from pygit2.enums import ObjectType, SortMode

from wikihost.layout import WikiHome
from wikihost.repo import Repository, own_repository
from wikihost.writer import nobody_writes, storage_errors


@dataclass(frozen=True, slots=True)
class References:
    """`branch` is the full name of the one that is the wiki; `ids` has the object that each reference is at."""

    branch: str
    ids: Mapping[str, str]

    @property
    def head(self) -> str | None:
        """The commit that the wiki is at; None before the first."""
        return self.ids.get(self.branch)


def read_references(home: WikiHome, *, wait_s: float) -> References:
    """What the references are at while nobody writes. Raises `StorageFailed`, also when writers let nobody in."""
    with nobody_writes(home, wait_s=wait_s), opened(home) as repository, storage_errors():
        names = [name for name in repository.git.references if name.startswith("refs/")]
        found = {name: repository.git.references[name] for name in names}
        ids = {name: str(reference.target) for name, reference in found.items() if _is_direct(reference)}
        return References(repository.branch(), ids)


def builds_on(repository: Repository, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Whether every reference that was there is there still, at the same place or at a commit that came after it."""
    return all(
        name in new and (oid == new[name] or _is_ancestor(repository, oid, new[name])) for name, oid in old.items()
    )


def has_more(repository: Repository, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Whether `new` has a commit that none of `old` has; those of `old` must be in the repository."""
    with storage_errors():
        walker = repository.git.walk(None, SortMode.NONE)
        for oid in new.values():
            walker.push(repository.git[oid].peel(pygit2.Commit).id)
        for oid in old.values():
            walker.hide(repository.git[oid].peel(pygit2.Commit).id)
        return next(iter(walker), None) is not None


@contextmanager
def opened(home: WikiHome) -> Iterator[Repository]:
    """The wiki's repository, for one thread and one moment. Raises `StorageFailed`, also when it leads elsewhere."""
    repository = own_repository(home.repo)
    try:
        yield repository
    finally:
        repository.git.free()


def _is_direct(reference: pygit2.Reference) -> bool:
    return not isinstance(reference.raw_target, bytes)


def _is_ancestor(repository: Repository, old: str, new: str) -> bool:
    return (
        repository.has_commit(old)
        and repository.has_commit(new)
        and repository.git[new].type == ObjectType.COMMIT
        and repository.is_ancestor(old, new)
    )
