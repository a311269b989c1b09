"""The checked-out files and git's index, brought along behind the branch head.

Git objects and the ref are the truth; this is a copy for programs that read files. `.git/robot-worktree` remembers
which commit the copy is at, so whoever next holds the write lock finishes what a crash, or a full disk, left undone.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
from functools import cache
from pathlib import Path
from stat import S_ISDIR, S_ISLNK

import pygit2

from wikihost import objects, trees
from wikihost.errors import ContentError
from wikihost.names import is_safe_path
from wikihost.repo import Repository

_log = logging.getLogger(__name__)

_MARK = "robot-worktree"
_TEMPORARY = "robot-file"
_INDEX = "robot-index"
_IN_USE = "in-use"
_INDEX_WAIT_S = 2.0
_COMMIT = re.compile("[0-9a-f]{40}")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class WorkTree:
    """The work tree of one repository; all but `is_at_head` need the wiki's write lock."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._git_dir = repository.git_dir
        self._root = repository.git_dir.parent

    def is_at_head(self) -> bool:
        """Whether the work tree was last left at the head."""
        return self._marked_commit() == self._repository.head()

    def catch_up(self) -> None:
        """Bring the work tree to the head; on failure log it and leave it to the next holder of the lock."""
        try:
            self.bring_to_head()
        except (OSError, pygit2.GitError, ContentError) as error:
            _log.warning("the work tree of %s stays behind: %s", self._root, error)

    def bring_to_head(self) -> None:
        """As `catch_up`, for who does not go on without. Raises OSError, `pygit2.GitError`, `ContentError`."""
        head = self._repository.head()
        at = self._marked_commit()
        if at == head:
            return
        if at is not None and self._repository.has_commit(at):
            self._apply(self._repository.changes(at, head), head)
        else:
            self._check_out(head)
        self._mark(head)

    def begin_use(self) -> None:
        """Note that a program is about to change the work tree itself: if it dies, all files are looked at again."""
        self._set_mark(_IN_USE)

    def end_use(self) -> None:
        """Note that the program left the work tree at the head, as git does."""
        self._mark(self._repository.head())

    def _apply(self, changes: list[trees.FileChange], head: str) -> None:
        # git's own checks refuse a push of such a tree; should one get in all the same, its files get no further.
        changes = [change for change in changes if is_safe_path(change.path)]
        for change in changes:
            if change.new is None:
                self._remove(change.path)
        for change in changes:
            if change.new is not None:
                self._write(change.path, change.new)
        self._update_index(changes, head)

    def _check_out(self, head: str) -> None:
        """Make the work tree equal to the head by looking at every file."""
        wanted = {path: entry for path, entry in self._repository.files(head) if is_safe_path(path)}
        for path in list(self._files()):
            if path not in wanted:
                self._remove(path)
        for path, entry in wanted.items():
            if not self._holds(path, entry):
                self._write(path, entry)
        self._update_index(None, head)

    def _files(self) -> list[str]:
        found = []
        for folder, folders, names in os.walk(self._root):
            if Path(folder) == self._root:
                folders.remove(".git")
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            found += [os.path.relpath(os.path.join(folder, name), self._root) for name in [*names, *links]]
        return found

    def _holds(self, path: str, entry: trees.Entry) -> bool:
        place = self._root / path
        if place.is_symlink() or not place.is_file():
            return False
        return trees.NewObject(b"blob", place.read_bytes()).digest() == entry[1]

    def _write(self, path: str, entry: trees.Entry) -> None:
        mode, oid = entry
        if mode == b"160000":
            return  # a submodule has no file of its own
        place = self._root / path
        folder = self._root
        for part in Path(path).parts[:-1]:
            folder = folder / part
            _make_folder(folder)
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        # A symbolic link is written as the text that it holds (core.symlinks=false): nothing here follows one.
        _replace_file(
            place,
            self._repository.read_blob(oid.hex()),
            self._git_dir / _TEMPORARY,
            mode=0o755 if mode == trees.EXECUTABLE else 0o644,
        )

    def _remove(self, path: str) -> None:
        place = self._root / path
        if not _real_folder(place.parent, self._root):
            return
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            place.unlink()
        for folder in place.relative_to(self._root).parents:
            if folder == Path():
                return
            try:
                (self._root / folder).rmdir()
            except OSError:
                return  # not empty

    def _update_index(self, changes: list[trees.FileChange] | None, head: str) -> None:
        """Replace `.git/index` atomically, with git's own lock; None rebuilds it from the head."""
        index_file = self._git_dir / "index"
        lock = self._git_dir / "index.lock"
        draft = self._git_dir / _INDEX
        if draft.exists() and lock.exists() and os.path.samefile(draft, lock):
            lock.unlink()  # a writer of ours died here; we hold the write lock, so it is gone
        for left in (draft, draft.with_name(_INDEX + ".lock")):
            left.unlink(missing_ok=True)
        index = _load_index(index_file, draft) if changes is not None else None
        if index is None or changes is None:
            index = pygit2.Index(str(draft))
            index.read_tree(self._repository.git[head].peel(pygit2.Tree))
        else:
            _apply_to_index(index, changes)
        index.write()
        objects.link_lock(draft, lock, wait_s=_INDEX_WAIT_S)
        os.rename(lock, index_file)
        draft.unlink(missing_ok=True)

    def _marked_commit(self) -> str | None:
        """The commit that the work tree was brought to since the machine started; None when that is unknown."""
        try:
            commit, _, boot = (self._git_dir / _MARK).read_text("utf-8").strip().partition(" ")
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        # The files are not synced: after a power loss some may be empty although the mark says they are there.
        return commit if boot == _boot_id() and _COMMIT.fullmatch(commit) else None

    def _mark(self, commit: str) -> None:
        self._set_mark(f"{commit} {_boot_id()}")

    def _set_mark(self, text: str) -> None:
        # In place: ext4 flushes a file that is renamed over another. A torn mark is no commit, and all is looked at.
        data = f"{text}\n".encode()
        descriptor = os.open(self._git_dir / _MARK, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(descriptor, data, 0)
            os.ftruncate(descriptor, len(data))
        finally:
            os.close(descriptor)


def _load_index(index_file: Path, draft: Path) -> pygit2.Index | None:
    try:
        shutil.copyfile(index_file, draft)
        return pygit2.Index(str(draft))
    except (FileNotFoundError, pygit2.GitError):
        draft.unlink(missing_ok=True)
        return None


def _apply_to_index(index: pygit2.Index, changes: list[trees.FileChange]) -> None:
    for change in changes:
        if change.new is None and change.path in index:
            index.remove(change.path)
    for change in changes:
        if change.new is not None:
            mode, oid = change.new
            index.add(pygit2.IndexEntry(change.path, pygit2.Oid(raw=oid), pygit2.enums.FileMode(int(mode, 8))))


def _replace_file(place: Path, data: bytes, temporary: Path, *, mode: int) -> None:
    """Write a file so that readers see all of it or the old one."""
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
    os.rename(temporary, place)


def _make_folder(folder: Path) -> None:
    try:
        status = folder.lstat()
    except FileNotFoundError:
        folder.mkdir()
        return
    if not S_ISDIR(status.st_mode) or S_ISLNK(status.st_mode):
        folder.unlink()
        folder.mkdir()


def _real_folder(folder: Path, root: Path) -> bool:
    """Whether the folder is there, without a symbolic link on the way."""
    while folder != root:
        if folder.is_symlink() or not folder.is_dir():
            return False
        folder = folder.parent
    return True


@cache
def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return "unknown"
