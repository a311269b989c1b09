"""A git transfer's own throw-away repository: it borrows the wiki's objects, and shows one branch at one commit.

git programs run on this and never on the wiki's own repository. So no configuration, hook, or other ref of a wiki
ever takes part, a reader sees one moment however long it reads, and what a push brings is apart until it was checked:
when it is refused or its process dies, the wiki's repository has not been touched.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wikihost.layout import DataDir, WikiHome
from wikihost.repo import own_repository
from wikihost.writer import storage_errors

# Known content only; see git-config(1). Large blobs are streamed instead of compared, and
# little of a pack is mapped at a time, so memory stays small whatever a wiki holds.
_CONFIG = """\
[core]
\trepositoryFormatVersion = 0
\tbare = false
\thooksPath = /dev/null
\tbigFileThreshold = 2m
\tpackedGitWindowSize = 1m
\tpackedGitLimit = 8m
\tdeltaBaseCacheLimit = 8m
\tfsync = objects,derived-metadata
[gc]
\tauto = 0
[pack]
\tthreads = 1
\twindowMemory = 32m
\tdeltaCacheSize = 16m
"""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer's directory. `head` is the commit that the wiki was at, `branch` the full name of its branch."""

    root: Path
    branch: str
    head: str

    @property
    def git_dir(self) -> Path:
        return self.root / ".git"

    @property
    def objects(self) -> Path:
        """What the transfer brought, beside what is borrowed."""
        return self.git_dir / "objects"

    @property
    def body(self) -> Path:
        """Where the request waits until all of it is here."""
        return self.root / "body"


def open_transfer(home: WikiHome, root: Path) -> Transfer:
    """Make the directory `root` into a view of the wiki as it is now. Raises `StorageFull`, `StorageFailed`."""
    make_empty(root)
    return show_wiki(home, root)


def make_empty(root: Path) -> Path:
    """Make the directory `root` with a repository in it that knows nothing, of no wiki either; its git directory.

    Raises `StorageFull`, `StorageFailed`.
    """
    git_dir = root / ".git"
    with storage_errors():
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in ("refs", "objects/info", "objects/pack"):
            (git_dir / folder).mkdir(parents=True)
        (git_dir / "config").write_text(_CONFIG, "utf-8")
        (git_dir / "HEAD").write_text("ref: refs/heads/none\n", "utf-8")
    return git_dir


def show_wiki(home: WikiHome, root: Path) -> Transfer:
    """Let the repository in `root` borrow the wiki's objects and show its branch as it is now, beside what it has.

    Raises `StorageFull`, `StorageFailed`.
    """
    with storage_errors():
        repository = own_repository(home.repo)
        try:
            transfer = Transfer(root, repository.branch(), repository.head())
        finally:
            repository.git.free()
    show_references(home, transfer.git_dir, transfer.branch, {transfer.branch: transfer.head})
    return transfer


def show_references(home: WikiHome, git_dir: Path, branch: str, references: Mapping[str, str]) -> None:
    """Let the repository `git_dir` borrow the wiki's objects and have these references (full name to object id).

    Raises `StorageFull`, `StorageFailed`.
    """
    lines = [f"{references[name]} {name}\n" for name in sorted(references, key=os.fsencode)]
    files = {
        "HEAD": f"ref: {branch}\n",
        "packed-refs": "".join(["# pack-refs with: sorted\n", *lines]),
        "objects/info/alternates": f"{home.git_dir.absolute() / 'objects'}\n",
    }
    with storage_errors():
        for name, text in files.items():
            (git_dir / name).write_bytes(os.fsencode(text))


def close_transfer(root: Path) -> None:
    """Remove a transfer's directory, whatever state it is in."""
    shutil.rmtree(root, ignore_errors=True)


@contextmanager
def held_directory(root: Path) -> Iterator[None]:
    """Make the directory `root`, which a host that starts meanwhile does not sweep; gone after the block.

    Raises OSError.
    """
    root.mkdir(mode=0o700, parents=True)
    try:
        with _opened(root) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield
    finally:
        shutil.rmtree(root, ignore_errors=True)


def sweep_transfers(data: DataDir) -> None:
    """Remove what transfers left that died with their process; for the start, while this process has none."""
    for root in data.transfers.glob("*"):
        if not _is_held(root):
            shutil.rmtree(root, ignore_errors=True)


def _is_held(root: Path) -> bool:
    """Whether a process that lives is in `held_directory` with this one."""
    try:
        with _opened(root) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
