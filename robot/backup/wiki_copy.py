"""The copy of one wiki: its commits as git bundles, each with what the one before had not, and its preferences.

Heads are read while nobody writes. All else comes after: what a commit is made of never changes and is never removed
while a reference leads to it, so writers need not wait for it.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from robot.backup.live_database import copy_live
from robot.backup.manifest import WikiCopy
from robot.backup.shipment import Shipment
from robot.git.process import GitFailed, git_process, reason_of, said
from wikihost.errors import StorageFailed, StorageFull
from wikihost.layout import WikiHome
from wikihost.references import References, builds_on, has_more, opened, read_references
from wikihost.transfer import make_empty, show_references
from wikihost.writer import storage_errors

LONGEST_CHAIN: Final = 30
"""After so many bundles comes one that has everything: each is a file that must be there and whole."""

# A long import holds the write lock for as long as this.
_LOCK_WAIT_S = 120.0
_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class WikiSource:
    """A wiki that is to be copied."""

    id: str
    slug: str | None
    home: WikiHome


@dataclass(frozen=True, slots=True)
class _Plan:
    """The bundles that go on being used, and whether one more is needed, with all that `known` has not."""

    references: References
    kept: tuple[str, ...]
    needs_bundle: bool
    known: tuple[str, ...]
    commits: int
    files: int


async def copy_wiki(source: WikiSource, scratch: Path, shipment: Shipment, before: WikiCopy | None = None) -> WikiCopy:
    """Copy a wiki as it is now; `scratch` is an empty directory to work in, on any disk, that others cannot read.

    `before` is its copy in the backup that this one builds on. Raises `StorageFailed`, `StorageFull`, `GitFailed`,
    `StoreError`.
    """
    plan = await trio.to_thread.run_sync(_plan, source.home, shipment, before)
    folder = f"wikis/{source.id}"
    shipment.keep(plan.kept)
    bundles = plan.kept
    if plan.needs_bundle:
        bundles += (await _bring_bundle(source.home, scratch, plan, shipment, f"{folder}/commits.bundle"),)
    wiki_db = await trio.to_thread.run_sync(
        _bring_preferences, source.home, scratch, shipment, f"{folder}/wiki.db.gz", before
    )
    return WikiCopy(
        id=source.id,
        slug=source.slug,
        branch=plan.references.branch,
        refs=plan.references.ids,
        bundles=bundles,
        commits=plan.commits,
        files=plan.files,
        wiki_db=wiki_db,
    )


def _plan(home: WikiHome, shipment: Shipment, before: WikiCopy | None) -> _Plan:
    references = read_references(home, wait_s=_LOCK_WAIT_S)
    if before is not None and not shipment.has(before.bundles):
        before = None  # the destination lost something of it
    if before is not None and before.refs == references.ids and before.branch == references.branch:
        return _Plan(references, before.bundles, False, (), before.commits, before.files)
    with opened(home) as repository, storage_errors():
        head = references.head
        commits = 0 if head is None else repository.count_commits(None, head)
        files = 0 if head is None else sum(1 for _ in repository.files(head))
        if (
            before is not None
            and not _is_long(before.bundles, shipment)
            and builds_on(repository, before.refs, references.ids)
            and has_more(repository, before.refs, references.ids)
        ):
            known = tuple(sorted(set(before.refs.values())))
            return _Plan(references, before.bundles, True, known, commits, files)
    return _Plan(references, (), bool(references.ids), (), commits, files)


def _is_long(bundles: Sequence[str], shipment: Shipment) -> bool:
    """Whether a chain has so many links, or such large ones, that one bundle of everything is better."""
    if not bundles:
        return True
    first, *others = map(shipment.bytes_of, bundles)
    return len(bundles) >= LONGEST_CHAIN or sum(others) > first


async def _bring_bundle(home: WikiHome, scratch: Path, plan: _Plan, shipment: Shipment, name: str) -> str:
    """Send a bundle to the destination while git makes it."""
    root = scratch / f"view-{secrets.token_hex(4)}"
    git_dir = await trio.to_thread.run_sync(_view, home, root, plan.references)
    try:
        async with git_process(
            ["bundle", "create", "--quiet", "-", "--all", "--not", *plan.known],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            environment={"GIT_DIR": str(git_dir)},
        ) as process:
            return await trio.to_thread.run_sync(shipment.bring, name, _pieces(process))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _view(home: WikiHome, root: Path, references: References) -> Path:
    git_dir = make_empty(root)
    show_references(home, git_dir, references.branch, references.ids)
    return git_dir


def _pieces(process: trio.Process) -> Iterator[bytes]:
    """In a thread: what git writes. It ends only when git did so well, for half a bundle must not be taken for one."""
    assert process.stdout is not None  # noqa: S101  (made as a pipe)
    while piece := trio.from_thread.run(process.stdout.receive_some, _PIECE_BYTES):
        yield bytes(piece)
    words = trio.from_thread.run(said, process)
    if trio.from_thread.run(process.wait) != 0:
        raise GitFailed(reason_of(words))


def _bring_preferences(
    home: WikiHome, scratch: Path, shipment: Shipment, name: str, before: WikiCopy | None
) -> str | None:
    if not home.wiki_db.exists():
        return None
    copied = scratch / "wiki.db"
    with _database_errors():
        copy_live(home.wiki_db, copied)
    try:
        return shipment.bring_compressed(name, copied, None if before is None else before.wiki_db)
    finally:
        copied.unlink()


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            raise StorageFull("The disk that the data is on is full, and a backup needs some room there.") from error
        raise StorageFailed(f"Its preferences (wiki.db) cannot be read: {error}.") from error


def kept_as_it_was(before: WikiCopy, shipment: Shipment) -> WikiCopy | None:
    """The copy of the backup before once more, for a wiki that cannot be read now; None if that has gone, too."""
    if not shipment.has(before.names):
        return None
    shipment.keep(before.names)
    return before


def by_id(copies: Sequence[WikiCopy]) -> Mapping[str, WikiCopy]:
    return {copy.id: copy for copy in copies}
