"""The one writer of a wiki, whatever the door.

One flock on `write.lock` per commit. Objects are durable before the branch moves, the branch moves by compare-and-swap
(a plain `git` may move it too), and from then on the write is acknowledged: the work tree and the index follow, and
when they cannot, the next holder of the lock brings them along.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import pygit2

from wikihost import objects, pushes, trees
from wikihost.commits import commit_object
from wikihost.errors import ContentError, StorageFailed, StorageFull, WikiFrozen
from wikihost.layout import WikiHome
from wikihost.quota import Usage, check_fit, read_quota
from wikihost.repo import Repository, RepositoryPool, borrowing
from wikihost.usage import Ledger, SizeOf, difference, sizes_in
from wikihost.values import Author
from wikihost.worktree import WorkTree

_log = logging.getLogger(__name__)

LOCK_WAIT_S = 20.0
_LOCK_POLL_S = 0.002
_TURN_POLL_S = 0.1
_MOVED_ATTEMPTS = 5
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


FileChanges = Mapping[str, bytes | trees.Entry | None]


class HeadMoved(Exception):
    """A plain git moved the branch while the lock was held; decide again on the new head."""


class Moved(ContentError):
    """A file is not what the caller expected; nothing was written."""

    code = "moved"


@dataclass(frozen=True, slots=True)
class Committed:
    """The branch head after a commit; `changed` is False when the files were as wanted already."""

    head: str
    changed: bool


class Held:
    """The write lock, held. Not for use after the `with` block, nor in another thread."""

    def __init__(self, home: WikiHome, repository: Repository, lock_file: int) -> None:
        self.repository = repository
        self._home = home
        self._lock_file = lock_file
        self._ledger = Ledger(home.usage)
        self._work_tree = WorkTree(repository)
        self._work_tree.catch_up()

    def fileno(self) -> int:
        """The lock's descriptor: hand it to a child (`pass_fds`) that must keep the lock if this process dies."""
        return self._lock_file

    def head(self) -> str:
        return self.repository.head()

    def blob_of(self, path: str) -> str | None:
        """The object id of a file at the head, or None."""
        return self.repository.blob_of(self.head(), path)

    def commit(self, changes: FileChanges, *, author: Author, message: str, onto: str | None = None) -> Committed:
        """Commit files (None deletes, an entry puts what is stored already) on top of `onto`, the head by default.

        Raises `WikiFrozen`, `QuotaExceeded`, `PageExists`, `HeadMoved` when the branch is no longer there, and
        `StorageFull` or `StorageFailed` when the disk refused; nothing is written then, unless the message says so.
        """
        head = onto or self.head()
        with storage_errors():
            draft = _draft(self.repository, head, changes)
            if draft is None:
                return Committed(head, changed=False)
            usage = self._check_fit(head, draft)
            new = _store_commit(self.repository, head, draft, author, message)
        self._move_branch(onto=head, new=new, usage=usage)
        return Committed(new, changed=True)

    def check(self, changes: FileChanges, *, onto: str) -> None:
        """Raise what `commit` raises before it writes anything: `WikiFrozen`, `QuotaExceeded`, `PageExists` …"""
        with storage_errors():
            draft = _draft(self.repository, onto, changes)
            if draft is not None:
                self._check_fit(onto, draft)

    def take_in(self, source: Path, *, onto: str, new: str, pushed_by: Author | None = None) -> None:
        """Take objects that were checked from the object directory `source`, and move the branch from `onto` to `new`.

        `pushed_by` is who brings commits of others, which is noted beside them. Raises `WikiFrozen`, `QuotaExceeded`,
        `HeadMoved` when the branch is not at `onto`, `StorageFull` or `StorageFailed` when the disk refused; the branch
        is where it was then, unless the message says otherwise.
        """
        if self.head() != onto:
            raise HeadMoved(onto)
        git_dir = self.repository.git_dir
        with storage_errors():
            with borrowing(git_dir, source) as both:
                usage = self._fit(onto, both.read_tree, sizes_in(both), both.tree_of(new))
            objects.adopt_objects(source, git_dir)
            if pushed_by is not None and new != onto:
                pushes.note_push(self.repository, pushed_by, onto=onto, new=new)
        self._move_branch(onto=onto, new=new, usage=usage)

    def _move_branch(self, *, onto: str, new: str, usage: Usage) -> None:
        """From `onto` to `new`, both stored; the work tree follows. `usage` is what the wiki holds then."""
        git, git_dir = self.repository.git, self.repository.git_dir
        with storage_errors():
            try:
                objects.move_ref(git, git_dir, self.repository.branch(), expected=onto, new=new)
            except objects.RefMoved as error:
                raise HeadMoved(onto) from error
            except objects.NotSynced as error:
                self._work_tree.catch_up()
                raise StorageFailed(
                    "The disk failed just after the change was made, and may not keep it: look before you repeat it."
                ) from error
        self._ledger.note(new, usage)
        self._work_tree.catch_up()

    def _check_fit(self, head: str, draft: _Draft) -> Usage:
        """What the wiki holds with the draft. Raises `WikiFrozen`, `QuotaExceeded`."""

        def read(oid: bytes) -> trees.Tree:
            made = draft.objects.get(oid)
            return self.repository.read_tree(oid) if made is None else trees.parse_tree(made.body)

        def size_of(oid: bytes) -> int:
            made = draft.objects.get(oid)
            return self.repository.size_of(oid.hex()) if made is None else len(made.body)

        return self._fit(head, read, size_of, draft.tree)

    def _fit(self, head: str, read: trees.ReadTree, size_of: SizeOf, new_tree: bytes) -> Usage:
        if self._home.frozen.exists():
            raise WikiFrozen
        before = self._ledger.usage(self.repository, head)
        after = before + difference(read, size_of, self.repository.tree_of(head), new_tree)
        check_fit(before, after, read_quota(self._home.quota))
        return after

    @contextmanager
    def using_work_tree(self) -> Iterator[None]:
        """For stock git, which changes the work tree and the index itself and leaves both at the head.

        When the block raises, or the process dies in it, the whole work tree is brought back to the head.
        """
        with storage_errors():
            self._work_tree.begin_use()
        try:
            yield
        except BaseException:
            self._work_tree.catch_up()
            raise
        with storage_errors():
            self._work_tree.end_use()


class Writer:
    """Writes to one wiki. Thread-safe; other processes may have writers of their own."""

    def __init__(self, home: WikiHome, *, wait_s: float = LOCK_WAIT_S) -> None:
        self._home = home
        self._wait_s = wait_s
        self._threads = Lock()
        self._stopping = False
        self._repositories = RepositoryPool(home.repo)

    @contextmanager
    def locked(self) -> Iterator[Held]:
        """Hold the wiki's write lock; the work tree is at the head when it is had.

        Not reentrant. Raises `StorageFailed` when other writers keep it for too long.
        """
        deadline = time.monotonic() + self._wait_s
        self._take_turn(deadline)
        try:
            lock_file = self._take_lock(deadline)
            try:
                with self._repositories.lend() as repository:
                    yield Held(self._home, repository, lock_file)
            finally:
                os.close(lock_file)
        finally:
            self._threads.release()

    def catch_up(self) -> None:
        """Bring the work tree to the head if a crash left it behind, as before a program reads files from it.

        Best effort: a failure is logged, and whoever writes next tries again.
        """
        with self._repositories.lend() as repository:
            behind = not WorkTree(repository).is_at_head()
        if not behind:
            return
        try:
            with self.locked():
                pass
        except StorageFailed as error:
            _log.warning("the work tree of %s stays behind: %s", self._home.repo, error)

    def commit(
        self,
        changes: FileChanges,
        *,
        author: Author,
        message: str,
        expect: Mapping[str, str | None] | None = None,
    ) -> Committed:
        """Commit files (None deletes) in one step.

        `expect` names the object ids that files must have for that (None: must not exist); otherwise `Moved`.
        """
        with self.locked() as held:
            for _ in range(_MOVED_ATTEMPTS):
                head = held.head()
                for path, blob in (expect or {}).items():
                    if held.repository.blob_of(head, path) != blob:
                        raise Moved(f"{path} was changed meanwhile.")
                try:
                    return held.commit(changes, author=author, message=message, onto=head)
                except HeadMoved:
                    continue
        raise _too_busy()

    def stop_waiting(self) -> None:
        """Let go whoever waits for the lock, now and from now on: the process is about to end."""
        self._stopping = True

    def close(self) -> None:
        self._repositories.close()

    def _take_turn(self, deadline: float) -> None:
        """Wait until no other thread of this process writes."""
        while not self._threads.acquire(timeout=_TURN_POLL_S):
            self._check_patience(deadline)

    def _check_patience(self, deadline: float) -> None:
        if self._stopping or time.monotonic() > deadline:
            raise _too_busy() from None

    def _take_lock(self, deadline: float) -> int:
        return _take_lock(self._home, fcntl.LOCK_EX, lambda: self._check_patience(deadline))


@contextmanager
def nobody_writes(home: WikiHome, *, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Keep all writers of a wiki waiting, without becoming one: for who reads several things as of one moment.

    Raises `StorageFailed` when writers keep the lock for too long.
    """
    deadline = time.monotonic() + wait_s

    def check_patience() -> None:
        if time.monotonic() > deadline:
            raise _too_busy() from None

    lock_file = _take_lock(home, fcntl.LOCK_SH, check_patience)
    try:
        yield
    finally:
        os.close(lock_file)


def _take_lock(home: WikiHome, how: int, check_patience: Callable[[], None]) -> int:
    with storage_errors():
        # Each holder opens the file anew, so flock excludes threads of this process as well.
        lock_file = os.open(home.write_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(lock_file, how | fcntl.LOCK_NB)
            except BlockingIOError:
                check_patience()
                time.sleep(_LOCK_POLL_S)
            else:
                return lock_file
    except BaseException:
        os.close(lock_file)
        raise


@contextmanager
def storage_errors() -> Iterator[None]:
    """Failures of the disk, git and SQLite as `StorageFull` or `StorageFailed`."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise StorageFull("The disk is full; nothing was saved.") from error
        raise StorageFailed(f"The disk refused: {error.strerror or error}; nothing was saved.") from error
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:  # Python's own have none
            raise StorageFull("The disk is full.") from error
        raise StorageFailed(f"The wiki's catalog cannot be used: {error}.") from error
    except pygit2.GitError as error:
        raise StorageFailed("git refused; nothing was saved.") from error


@dataclass(frozen=True, slots=True)
class _Draft:
    """A tree that is not stored yet, and the objects that it needs, by binary id."""

    tree: bytes
    objects: Mapping[bytes, trees.NewObject]


def _draft(repository: Repository, head: str, changes: FileChanges) -> _Draft | None:
    """The tree with these changes on the head; None when it would be the same."""
    old_tree = repository.tree_of(head)
    new_objects: dict[bytes, trees.NewObject] = {}
    entries: dict[str, trees.Entry | None] = {}
    for path, data in changes.items():
        if not isinstance(data, bytes):
            entries[path] = data
            continue
        blob = trees.NewObject(b"blob", data)
        digest = blob.digest()
        new_objects[digest] = blob
        entries[path] = (trees.FILE, digest)
    new_tree, made = trees.replace_files(repository.read_tree, old_tree, entries)
    new_objects |= {tree.digest(): tree for tree in made}
    return None if new_tree == old_tree else _Draft(new_tree, new_objects)


def _store_commit(repository: Repository, head: str, draft: _Draft, author: Author, message: str) -> str:
    """Store blobs, trees and the commit; its id."""
    commit = commit_object(draft.tree, (head,), author, message, when=int(time.time()))
    objects.store_objects(repository.git, repository.git_dir, [*draft.objects.values(), commit])
    return commit.digest().hex()


def _too_busy() -> StorageFailed:
    return StorageFailed("The wiki is busy with other writes; try again in a moment.")
