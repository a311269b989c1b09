"""Durable git objects and refs, written as git writes them, but without holding the interpreter while the disk works.

libgit2 through pygit2 keeps the GIL for each fsync, so one slow disk would stop the event loop of the whole host, and
it hides errno. Loose objects and refs are small formats (gitrepository-layout(5)); so here they are.
"""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache, partial
from pathlib import Path

import pygit2

from wikihost.trees import NewObject

_COMPRESSION = 1  # pages are small; git repacks them anyway
_TEMPORARY_REF = "robot-ref"
_REF_WAIT_S = 2.0
_REF_POLL_S = 0.005
# git holds a ref's lock for milliseconds. One this old was left by a git that was killed.
_STALE_LOCK_S = 60.0
_SYNCED_TOGETHER = 8  # as many as a small commit has objects, about


class RefMoved(Exception):
    """The ref was not at the expected commit; nothing was changed."""


class NotSynced(OSError):
    """The ref was moved, but the disk did not confirm that it keeps it so."""


def store_objects(repository: pygit2.Repository, git_dir: Path, objects: Iterable[NewObject]) -> None:
    """Store objects as loose files; durable when this returns. OSError when the disk refuses.

    A failure leaves at most `tmp_obj_*` files, which `git gc` sweeps, and unreachable objects.
    """
    folders: set[Path] = set()
    pending: list[tuple[NewObject, Path, Path]] = []
    try:
        # Equal files are one object.
        for digest, new in {new.digest(): new for new in objects}.items():
            name = digest.hex()
            folder = git_dir / "objects" / name[:2]
            # libgit2 says that it has the empty tree even where git would miss it.
            if new.body and pygit2.Oid(raw=digest) in repository:
                if (folder / name[2:]).exists():  # perhaps from a writer that was killed before it synced
                    folders |= {folder, folder.parent}
                continue
            temporary = git_dir / "objects" / f"tmp_obj_{name}"
            pending.append((new, temporary, folder / name[2:]))
            folders.add(folder)
        _together([partial(_write_object, new, temporary) for new, temporary, _ in pending])
        for _, temporary, final in pending:
            if not final.parent.is_dir():
                final.parent.mkdir(exist_ok=True)
                folders.add(final.parent.parent)
            os.rename(temporary, final)
    except OSError:
        for _, temporary, _ in pending:
            temporary.unlink(missing_ok=True)
        raise
    _together([partial(sync, folder) for folder in folders])


def adopt_objects(source: Path, git_dir: Path) -> None:
    """Move all objects, loose and packed, from another object directory here; durable when this returns.

    `source` is on the same file system, synced, and used by nobody any more. Packs come before their indexes, so a
    reader sees each whole or not at all; a crash leaves unreachable objects at most.
    """
    target = git_dir / "objects"
    folders = {target}
    for file in sorted((source / "pack").glob("pack-*"), key=lambda path: (path.suffix == ".idx", path.name)):
        os.rename(file, target / "pack" / file.name)
        folders.add(target / "pack")
    for folder in source.glob("[0-9a-f][0-9a-f]"):
        into = target / folder.name
        into.mkdir(exist_ok=True)
        for file in folder.iterdir():
            os.rename(file, into / file.name)
        folders.add(into)
    _together([partial(sync, folder) for folder in folders])


def move_ref(repository: pygit2.Repository, git_dir: Path, name: str, *, expected: str | None, new: str) -> None:
    """Compare and swap a ref, durably, with git's own lock file. None expects that there is no such ref.

    Raises RefMoved, TimeoutError when another git holds the ref's lock, OSError when the disk refuses; the ref is
    where it was then. Raises NotSynced when it is not any more. The caller holds the wiki's write lock.
    """
    ref = git_dir / name
    lock = ref.with_name(ref.name + ".lock")
    temporary = git_dir / _TEMPORARY_REF
    if _same_file(temporary, lock):
        # A writer of ours died between taking the lock and the swap; we hold the write lock, so it is gone.
        lock.unlink()
    temporary.unlink(missing_ok=True)
    _write_durably(temporary, new.encode() + b"\n", mode=0o644)
    ref.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(ref.parent, os.O_RDONLY | os.O_DIRECTORY)  # now: no descriptor may be left once the ref is moved
    try:
        link_lock(temporary, lock, wait_s=_REF_WAIT_S)
        try:
            if read_ref(repository, name) != expected:
                raise RefMoved(name)
            os.rename(lock, ref)
        finally:
            if _same_file(temporary, lock):
                lock.unlink()
        _confirm(folder)
    finally:
        os.close(folder)
    with contextlib.suppress(OSError):  # the next writer removes it
        temporary.unlink(missing_ok=True)


def read_ref(repository: pygit2.Repository, name: str) -> str | None:
    """The commit a branch is at, or None when there is no such branch."""
    reference = repository.references.get(name)
    return None if reference is None else str(reference.target)


def link_lock(source: Path, lock: Path, *, wait_s: float) -> None:
    """Take git's lock file `lock` by linking `source` there; TimeoutError when it stays taken."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            os.link(source, lock)
        except FileExistsError:
            if _is_stale(lock):
                lock.unlink(missing_ok=True)
            elif time.monotonic() > deadline:
                raise TimeoutError(f"another git program holds {lock.name}") from None
            else:
                time.sleep(_REF_POLL_S)
        else:
            return


def sync(place: Path) -> None:
    """Make the bytes of a file, or the names in a folder, durable. OSError when the disk refuses."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _confirm(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        raise NotSynced(error.errno, error.strerror) from error


def _write_object(new: NewObject, path: Path) -> None:
    _write_durably(path, zlib.compress(new.framed, _COMPRESSION), mode=0o444)


def _write_durably(path: Path, data: bytes, *, mode: int) -> None:
    path.unlink(missing_ok=True)  # left by a writer that was killed; it may be read-only
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)  # the descriptor that wrote is the one that surely hears of a failure (fsync(2))
    finally:
        os.close(descriptor)


def _together(steps: Sequence[Callable[[], None]]) -> None:
    """Do all, several at a time: a file system brings what waits together to the disk in one go. The first failure."""
    if len(steps) == 1:
        steps[0]()
        return
    running = [_syncers(os.getpid()).submit(step) for step in steps]
    wait(running)
    for each in running:
        each.result()


@cache
def _syncers(_pid: int) -> ThreadPoolExecutor:
    """Threads of this process: a fork has none of its parent's."""
    return ThreadPoolExecutor(_SYNCED_TOGETHER, "sync")


def _same_file(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except FileNotFoundError:
        return False


def _is_stale(lock: Path) -> bool:
    try:
        return time.time() - lock.stat().st_mtime > _STALE_LOCK_S
    except FileNotFoundError:
        return False
