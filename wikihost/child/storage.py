"""Otter Wiki's storage over the one writer.

Otter Wiki changes files in the work tree, stages them and commits. Here every change is first only decided, then
made by `wikihost.writer` in one step under the wiki's write lock, on top of whatever the head is by then. A save
that fails leaves nothing behind, and no commit of another process is lost.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from otterwiki.gitstorage import StorageError, StorageNotFound
from otterwiki.plugins import plugin_manager

from wikihost.attachments import parse_attachment_name
from wikihost.child.moves import gives_way, with_redirects
from wikihost.child.reading import Names, ReadingStorage
from wikihost.child.undecodable import is_text, shown
from wikihost.child.undo import undone
from wikihost.content import Content
from wikihost.names import SUFFIX, file_of, name_of_file, parse_page_name
from wikihost.plans import Snapshot
from wikihost.repo import Repository
from wikihost.values import Author
from wikihost.writer import HeadMoved, Held, Moved, Writer

Changes = dict[str, bytes | None]

_SYMLINK = b"120000"
# A plain `git` may move the branch while the lock is held; each time the change is decided anew.
_ATTEMPTS = 5


@dataclass(slots=True)
class _Staged:
    """Changes of one thread that are decided but not committed; the write lock is held as long as it exists."""

    held: Held
    release: ExitStack
    changes: Changes = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)  # new files by old ones


class RobotStorage(ReadingStorage):
    """What Otter Wiki takes for its storage. `__init__` may be called again, to become another wiki in place.

    `on_commit(head)` is called after each commit, in the thread that made it.
    """

    def __init__(self, path: str, initialize: bool = False, allow_external_symlinks: bool = False) -> None:
        if initialize:
            raise ValueError("repositories are made by wikihost.lifecycle")
        super().__init__(path, allow_external_symlinks)
        self.on_commit: Callable[[str], None] = _ignore
        self.content = Content(self.home())  # for what the catalog answers; opens nothing before that
        self._writer = Writer(self.home())
        self._writer.catch_up()  # pages are read from the work tree, which a crash may have left behind

    # Reading what is decided

    def load(self, filename: str, mode: str = "r", revision: str | None = None, size: int = -1) -> str | bytes:
        staged = self._staged
        if staged is None or revision is not None or filename not in staged.changes:
            return super().load(filename, mode, revision, size)
        data = staged.changes[filename]
        if data is None:
            raise StorageNotFound(f"{filename} not found.")
        return data if mode == "rb" else shown(data)

    def list(self, p: str | None = None, depth: int | None = None, exclude: Any = ()) -> tuple[Names, Names]:
        files, folders = super().list(p, depth, [*exclude])
        if self._staged is not None and p is None:
            changes = self._staged.changes
            kept = {name for name in files if changes.get(name, b"") is not None}
            files = sorted(kept | {name for name, data in changes.items() if data is not None})
        return files, folders

    def settled_head(self) -> str | None:
        """As what it overrides; None also when this thread decided on changes."""
        return super().settled_head() if self._staged is None else None

    # Changing

    def store(
        self, filename: str, content: str | bytes, message: str | None = "", author: Any = ("", ""), mode: str = "w"
    ) -> bool:
        """Save a file; False when it had this content already. In a `turn`, raises `Moved`."""
        path = self._path_to_store(filename)
        data = content.encode() if isinstance(content, str) else content
        turn = self._turn

        def decide(repository: Repository) -> Changes:
            if turn is not None and repository.head() != turn[1]:
                raise Moved("The wiki was changed meanwhile.")
            return {path: data}

        return self._commit(decide, message or f"Changed {path}", author)

    @contextmanager
    def turn(self) -> Iterator[str]:
        """Hold the write lock in the block, where `store` builds on this head or raises `Moved`."""
        with self._writer.locked() as held:
            self._of_thread.turn = (held, held.head())
            try:
                yield self._of_thread.turn[1]
            finally:
                self._of_thread.turn = None

    def stage_upload(self, target: str, data: bytes) -> None:
        """Keep an uploaded file for the `commit` that follows; `target` is where Otter Wiki would have put it.

        Raises `InvalidAttachment`: a file is no page, and its name obeys the rule of all doors.
        """
        parse_attachment_name(os.path.basename(target))
        self._uploads[self._path_in_repo(os.path.relpath(target, self.path))] = data

    def commit(self, filenames: Any, message: str = "", author: Any = ("", ""), no_add: bool = False) -> None:
        """Commit what `rename` and `update` decided (`no_add`), else the uploaded files."""
        staged = self._staged
        if no_add and staged is not None:
            try:
                self._acknowledge(self._commit_held(staged.held, lambda _: self._decided(staged), message, author))
            finally:
                self.release()
            return
        names = [filenames] if isinstance(filenames, str) else filenames
        uploads = {path: self._uploads.pop(path, None) for path in map(self._path_in_repo, names)}
        missing = [path for path, data in uploads.items() if data is None]
        if missing:
            raise StorageError(f"nothing was uploaded for {', '.join(missing)}")
        self._commit(lambda _: uploads, message, author)

    def delete(self, filename: Any, message: str | None = None, author: Any = ("", "")) -> None:
        """Delete files and folders; what does not exist is skipped."""
        names = [self._path_in_repo(name) for name in ([filename] if isinstance(filename, str) else filename)]

        def decide(repository: Repository) -> Changes:
            files = dict(repository.files(repository.head()))
            return {path: None for name in names for path in _below(name, files)}

        self._commit(decide, message or f"Deleted {', '.join(names)}.", author)

    def rename(
        self,
        old_filename: str,
        new_filename: str,
        message: str | None = None,
        author: Any = None,
        no_commit: bool = False,
        files_updated: Any = None,
        preserve_symlink_target: bool = False,
    ) -> None:
        """Move a file or a folder.

        With `no_commit` the move waits for `commit`, and nobody else can write until then.
        """
        self._abspath(old_filename)
        old, new = os.path.normpath(old_filename), self._path_to_store(new_filename)
        staged = self._stage()
        try:
            self._move(staged, old, new)
            if not no_commit:
                self.commit([], message or f"{old} renamed to {new}.", author or ("", ""), no_add=True)
        except BaseException:
            self.release()
            raise

    def make_way(self, old: str, new: str) -> None:
        """For a page that is to be renamed: decide that a page at `new` goes away that only stands for it."""
        staged = self._stage()
        if gives_way(self._snapshot(staged), new, old):
            staged.changes[new] = None
        else:
            self.release()

    def update(self, filename: str, content: str | bytes, mode: str = "w") -> bool:
        """Change a file along with a rename; True when that changes it. What is no text stays as it is."""
        if self._staged is None:
            raise StorageError("a file is only updated along with a rename")
        data = content.encode() if isinstance(content, str) else content
        stored = self.load(filename, "rb")
        if stored == data or not (isinstance(stored, bytes) and is_text(stored)):
            return False
        self._staged.changes[self._path_in_repo(filename)] = data
        return True

    def restore(self, paths: Any, revision: str = "HEAD") -> None:
        """Forget what was decided since the last commit; nothing of it has reached the disk."""
        self.release()

    def revert(self, revision: str, message: str = "", author: Any = ("", "")) -> None:
        """Undo one commit on top of the head; StorageError when later changes are in its way."""
        self._validate_revision(revision)
        self._commit(lambda repository: undone(repository, revision), message, author)

    def gc(self) -> Any:
        with self._writer.locked():
            return super().gc()

    def release(self) -> None:
        """Give up what this thread decided and did not commit, and the lock that came with it."""
        staged = self._staged
        self._of_thread.staged = None
        self._uploads.clear()
        if staged is not None:
            staged.release.close()

    # One commit

    @property
    def _staged(self) -> _Staged | None:
        return getattr(self._of_thread, "staged", None)

    @property
    def _turn(self) -> tuple[Held, str] | None:
        return getattr(self._of_thread, "turn", None)

    @property
    def _uploads(self) -> Changes:
        uploads: Changes | None = getattr(self._of_thread, "uploads", None)
        if uploads is None:
            uploads = self._of_thread.uploads = {}
        return uploads

    def _stage(self) -> _Staged:
        staged = self._staged
        if staged is None:
            release = ExitStack()
            held = release.enter_context(self._writer.locked())
            staged = self._of_thread.staged = _Staged(held, release)
        return staged

    def _move(self, staged: _Staged, old: str, new: str) -> None:
        files = dict(staged.held.repository.files(staged.held.head()))
        moved = _below(old, files)
        if not moved:
            raise StorageError(f"Renaming {old} to {new} failed: there is no {old}.")
        if old in files and not old.endswith(SUFFIX):
            parse_attachment_name(os.path.basename(new))
        there = _below(new, files)
        if there and not all(gives_way(self._snapshot(staged), path, old + path.removeprefix(new)) for path in there):
            raise StorageError(f'The filename "{new}" already exist. Please choose a new filename.')
        for path in moved:
            mode, oid = files[path]
            if mode == _SYMLINK:
                raise StorageError(f"{path} is a symbolic link; only git can move it.")
            target = staged.moved[path] = new + path.removeprefix(old)
            staged.changes[path] = None
            staged.changes[target] = staged.held.repository.read_blob(oid.hex())

    def _decided(self, staged: _Staged) -> Changes:
        """What is to be committed, with the redirects that moved pages leave."""
        if not any(name_of_file(path) for path in staged.moved):
            return staged.changes
        return with_redirects(self._snapshot(staged), staged.moved, staged.changes)

    def _snapshot(self, staged: _Staged) -> Snapshot:
        catalog, repository = self.content.catalog, staged.held.repository
        return Snapshot(repository, catalog, catalog.sync(repository))

    def _commit(self, decide: Callable[[Repository], Mapping[str, bytes | None]], message: str, author: Any) -> bool:
        if self._turn is not None:
            return self._acknowledge(self._commit_held(self._turn[0], decide, message, author))
        with self._writer.locked() as held:
            committed = self._commit_held(held, decide, message, author)
        return self._acknowledge(committed)

    def _commit_held(
        self, held: Held, decide: Callable[[Repository], Mapping[str, bytes | None]], message: str, author: Any
    ) -> tuple[str, Names] | None:
        """Commit what is decided on the head; the new head and its files, None when there was nothing to do."""
        name, email = author
        by = Author(name, email, {"Robot-Via": "web"})
        for _ in range(_ATTEMPTS):
            head = held.head()
            changes = decide(held.repository)
            if not changes:
                return None
            try:
                committed = held.commit(changes, author=by, message=message, onto=head)
            except HeadMoved:
                continue
            return (committed.head, [*changes]) if committed.changed else None
        raise Moved("The wiki is being changed by other programs; try again.")

    def _acknowledge(self, committed: tuple[str, Names] | None) -> bool:
        if committed is None:
            return False
        head, changed_files = committed
        plugin_manager.hook.repository_changed(changed_files=changed_files)
        self.on_commit(head)
        return True

    def _path_in_repo(self, filename: str) -> str:
        """The file that a name means, links resolved; StorageUnsafePath outside of the repository."""
        path: str = self.canonical_filename(filename)
        return path

    def _path_to_store(self, filename: str) -> str:
        """As `_path_in_repo`, for a new file; a page's name must obey the rule of all doors (InvalidPageName)."""
        path = self._path_in_repo(filename)
        if not path.endswith(".md") or name_of_file(path) is not None:
            return path
        return file_of(parse_page_name(path.removesuffix(".md")))


def _below(name: str, files: Mapping[str, Any]) -> list[str]:
    """The file of that name, or those in the folder of that name."""
    return [path for path in files if path == name or path.startswith(name + "/")]


def _ignore(_head: str) -> None:
    """Nobody listens."""
