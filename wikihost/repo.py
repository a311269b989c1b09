"""Reading a wiki's git repository: objects, the branch head, and what each commit changed."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import pygit2
from pygit2.enums import ConfigLevel, ObjectType, SortMode

from wikihost import trees
from wikihost.errors import RevisionNotFound, StorageFailed
from wikihost.known_trees import KnownTrees

MIN_REVISION_DIGITS = 7
_REVISION = re.compile(r"[0-9a-f]{7,40}")
# libgit2 keeps the interpreter while it compares; beyond this it may be for seconds, in which the whole host stands.
_COMPARED_BYTES = 128 * 1024
_PIECE_BYTES = 256 * 1024
# Where git looks for objects in other places, and for all but the head (gitrepository-layout(5)).
_LEADING_ELSEWHERE = ("objects/info/alternates", "commondir")
# Trailers of our commits.
AGENT = "Robot-Agent"
VIA = "Robot-Via"
CREDENTIAL = "Robot-Credential"
UNDOES = "Robot-Undoes"
NO_MESSAGE = "(no message)"
_TRAILER = re.compile(r"(Robot-[A-Za-z-]+): (.*)")


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """A commit's metadata. `time` is the author's in epoch seconds, `offset` its zone in minutes east of UTC.

    `message` is without the trailers that robot adds, which are in `trailers`.
    """

    oid: str
    parents: tuple[str, ...]
    time: int
    offset: int
    author: str
    email: str
    message: str
    trailers: Mapping[str, str]

    @property
    def agent(self) -> str | None:
        return self.trailers.get(AGENT)

    @property
    def via(self) -> str | None:
        """The door that it came through."""
        return self.trailers.get(VIA)

    @property
    def credential(self) -> str | None:
        return credential_of(self.trailers)

    @property
    def undoes(self) -> Sequence[str]:
        """The commits that this one takes back."""
        return self.trailers.get(UNDOES, "").split()


# libgit2 maps packs into memory, a gigabyte at a time as it comes; a large push or attachment would fill ours with it.
pygit2.settings.mwindow_size = 1024 * 1024
pygit2.settings.mwindow_mapped_limit = 8 * 1024 * 1024
# What it keeps of all repositories together, a quarter of a gigabyte as it comes: commits alone, trees are kept here.
pygit2.settings.cache_max_size(8 * 1024 * 1024)
pygit2.settings.cache_object_limit(ObjectType.TREE, 0)
# The machine's git configuration must not change what a wiki does, and a worker could not read it.
for _level in (ConfigLevel.PROGRAMDATA, ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL):
    pygit2.settings.search_path[_level] = ""


class Repository:
    """One opened repository; for one thread at a time (see `RepositoryPool`).

    `known` are the trees that were read in it before. Errors of libgit2 come out as `StorageFailed`.
    """

    def __init__(self, path: Path, known: KnownTrees | None = None) -> None:
        self.git_dir = path / ".git"
        with _translated():
            self.git = pygit2.Repository(str(path), pygit2.enums.RepositoryOpenFlag.NO_SEARCH)
            self._packs = _packs_changed(self.git_dir)
        self._known = known or KnownTrees()

    def is_outdated(self) -> bool:
        """Whether packs came or went since it was opened: libgit2 finds new ones, and keeps the files of old ones."""
        with _translated():
            return _packs_changed(self.git_dir) != self._packs

    def branch(self) -> str:
        """The full name of the branch that HEAD names."""
        with _translated():
            target = self.git.references["HEAD"].raw_target
        if not isinstance(target, bytes):
            raise StorageFailed("The wiki's repository has no current branch.")
        return target.decode("utf-8", "surrogateescape")

    def head(self) -> str:
        """The commit that the current branch is at."""
        with _translated():
            try:
                return str(self.git.head.target)
            except pygit2.GitError as error:
                raise StorageFailed("The wiki's repository has no commit.") from error

    def resolve(self, revision: str) -> str:
        """The full id of the commit that `revision` (7 to 40 hex digits) begins; `RevisionNotFound` if none or many."""
        wanted = check_revision(revision)
        try:
            found = self.git[wanted]
        except (KeyError, ValueError) as error:
            raise RevisionNotFound(f"This wiki has no revision {wanted}.") from error
        if found.type != ObjectType.COMMIT:
            raise RevisionNotFound(f"This wiki has no revision {wanted}.")
        return str(found.id)

    def has_commit(self, oid: str) -> bool:
        return oid in self.git and self.git[oid].type == ObjectType.COMMIT

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `new` builds on `old`."""
        return old == new or (self.has_commit(old) and self.git.descendant_of(new, old))

    def tree_of(self, commit: str) -> bytes:
        """The binary id of a commit's root tree."""
        with _translated():
            return self._commit(commit).tree_id.raw

    def read_tree(self, oid: bytes) -> trees.Tree:
        """A parsed tree; the last few are kept, as neighbouring commits share most of theirs."""
        if oid == trees.EMPTY_TREE:
            return {}  # git knows it without storing it
        known = self._known.find(oid)
        if known is None:
            with _translated():
                _, body = self.git.read(pygit2.Oid(raw=oid))
            known = trees.parse_tree(body)
            self._known.keep(oid, known)
        return known

    def blob_of(self, commit: str, path: str) -> str | None:
        """The object id of a regular file at a commit, or None."""
        entry = trees.find(self.read_tree, self.tree_of(commit), path)
        return entry[1].hex() if entry and entry[0] in (trees.FILE, trees.EXECUTABLE) else None

    def read_blob(self, oid: str) -> bytes:
        with _translated():
            _, body = self.git.read(oid)
            return body

    def copy_blob(self, oid: str, write: Callable[[bytes], object]) -> None:
        """Hand a blob on piece by piece; as a whole only where it is packed, which git does not read in pieces."""
        try:
            file = (self.git_dir / "objects" / oid[:2] / oid[2:]).open("rb")
        except FileNotFoundError:
            write(self.read_blob(oid))
            return
        try:
            with file:
                _inflate_body(file, write)
        except zlib.error as error:
            raise StorageFailed("The wiki's repository cannot be read.") from error

    def size_of(self, oid: str) -> int:
        """The bytes of an object, from its header alone."""
        with _translated():
            _, size = self.git.odb.read_header(oid)
            return int(size)

    def files(self, commit: str) -> Iterator[tuple[str, trees.Entry]]:
        """Every file of a commit."""
        return trees.all_files(self.read_tree, self.tree_of(commit))

    def changes(self, old: str | None, new: str) -> list[trees.FileChange]:
        """The files that differ between two commits (None: everything is new)."""
        return list(trees.changed_files(self.read_tree, self.tree_of(old) if old else None, self.tree_of(new)))

    def touched(self, record: CommitRecord) -> list[trees.FileChange]:
        """The files that a commit itself changed: those that differ from every parent."""
        first, *others = record.parents or (None,)
        changes = self.changes(first, record.oid)
        for parent in others:
            differing = {change.path for change in self.changes(parent, record.oid)}
            changes = [change for change in changes if change.path in differing]
        return changes

    def commits(self, hidden: str | None, tip: str) -> Iterator[CommitRecord]:
        """The commits that `tip` has and `hidden` has not, parents before children."""
        with _translated():
            for commit in self._walk(hidden, tip, SortMode.TOPOLOGICAL | SortMode.REVERSE):
                yield _record(commit)

    def count_commits(self, hidden: str | None, tip: str) -> int:
        """How many commits `tip` has that `hidden` has not."""
        with _translated():
            return sum(1 for _ in self._walk(hidden, tip, SortMode.NONE))

    def _walk(self, hidden: str | None, tip: str, order: SortMode) -> pygit2.Walker:
        walker = self.git.walk(tip, order)
        if hidden:
            walker.hide(hidden)
        return walker

    def commit(self, oid: str) -> CommitRecord:
        with _translated():
            return _record(self._commit(oid))

    def _commit(self, oid: str) -> pygit2.Commit:
        return self.git[oid].peel(pygit2.Commit)


@contextmanager
def borrowing(git_dir: Path, objects: Path) -> Iterator[Repository]:
    """A repository that also sees the objects in another object directory, to look at them before they are moved."""
    repository = Repository(git_dir.parent)
    try:
        with _translated():
            repository.git.odb.add_disk_alternate(str(objects))
        yield repository
    finally:
        repository.git.free()


def own_repository(path: Path, known: KnownTrees | None = None) -> Repository:
    """The repository of a wiki, with all that is in it its own.

    Raises `StorageFailed` for one that leads elsewhere: whoever took a worker over would have core read another wiki.
    """
    repository = Repository(path, known)
    git_dir = repository.git_dir
    if path.is_symlink() or git_dir.is_symlink() or any((git_dir / name).exists() for name in _LEADING_ELSEWHERE):
        repository.git.free()
        raise StorageFailed("The wiki's repository leads to files that are not its own.")
    return repository


class RepositoryPool:
    """Repositories of one wiki, lent to one thread at a time. They know the same trees."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = KnownTrees()
        self._idle: list[Repository] = []
        self._lock = Lock()

    @contextmanager
    def lend(self) -> Iterator[Repository]:
        with self._lock:
            repository = self._idle.pop() if self._idle else None
        if repository is not None and repository.is_outdated():
            repository.git.free()
            repository = None
        repository = repository or own_repository(self._path, self._known)
        try:
            yield repository
        finally:
            with self._lock:
                self._idle.append(repository)

    def close(self) -> None:
        with self._lock:
            for repository in self._idle:
                repository.git.free()
            self._idle.clear()


def _packs_changed(git_dir: Path) -> int:
    return (git_dir / "objects/pack").stat().st_mtime_ns


def _inflate_body(file: BinaryIO, write: Callable[[bytes], object]) -> None:
    """The content of a loose object without its head `blob <size>` and NUL (gitformat-loose(5))."""
    inflate = zlib.decompressobj()
    piece = inflate.decompress(file.read(_PIECE_BYTES), _PIECE_BYTES)
    write(piece.partition(b"\0")[2])
    while not inflate.eof:
        source = inflate.unconsumed_tail or file.read(_PIECE_BYTES)
        if not source:
            raise zlib.error("an object is cut off")
        write(inflate.decompress(source, _PIECE_BYTES))


def check_revision(revision: str) -> str:
    """The revision in lower case; `RevisionNotFound` when it cannot name a commit."""
    wanted = revision.strip().lower()
    if _REVISION.fullmatch(wanted) is None:
        raise RevisionNotFound(f"A revision is {MIN_REVISION_DIGITS} to 40 hexadecimal digits.")
    return wanted


def unified_diff(path: str, old: bytes | None, new: bytes | None) -> str:
    """The change of one file as git shows it; empty when nothing changed.

    Where very much changed, all from the first to the last difference is shown as replaced.
    """
    if old == new:
        return ""
    before, after = (BytesIO(data or b"").readlines() for data in (old, new))
    start = _length_alike(before, after)
    same = _length_alike(before[start:][::-1], after[start:][::-1])
    gone, come = before[start : len(before) - same], after[start : len(after) - same]
    if gone and come and sum(map(len, gone)) + sum(map(len, come)) > _COMPARED_BYTES:
        return _replacement(path, start, gone, come)
    patch = pygit2.Patch.create_from(old or b"", new or b"", path, path)
    lines = (patch.text or "").splitlines(keepends=True)
    first = next((index for index, line in enumerate(lines) if line.startswith("--- ")), 0)
    return "".join(lines[first:])


def _length_alike(one: list[bytes], other: list[bytes]) -> int:
    """How many lines both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (mine, theirs) in pairs if mine != theirs), min(len(one), len(other)))


def _replacement(path: str, start: int, gone: list[bytes], come: list[bytes]) -> str:
    """One hunk without context: `gone` from line `start` (from 0) on is replaced by `come`."""
    head = f"--- a/{path}\n+++ b/{path}\n@@ -{start + 1},{len(gone)} +{start + 1},{len(come)} @@\n"
    marked = [sign + line for sign, lines in ((b"-", gone), (b"+", come)) for line in lines]
    ended = [line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n" for line in marked]
    return head + b"".join(ended).decode("utf-8", "replace")


def _record(commit: pygit2.Commit) -> CommitRecord:
    author = commit.author
    message, trailers = split_trailers(commit.raw_message.decode("utf-8", "replace"))
    return CommitRecord(
        oid=str(commit.id),
        parents=tuple(str(parent) for parent in commit.parent_ids),
        time=author.time,
        offset=author.offset,
        author=author.raw_name.decode("utf-8", "replace"),
        email=author.raw_email.decode("utf-8", "replace"),
        message=message,
        trailers=trailers,
    )


def split_trailers(message: str) -> tuple[str, Mapping[str, str]]:
    """A commit message without robot's trailers, and these."""
    stripped = message.strip()
    rest, gap, last = stripped.rpartition("\n\n")
    matches = [_TRAILER.fullmatch(line) for line in last.splitlines()] if gap else []
    if not matches or not all(matches):
        return stripped, {}
    return rest.strip(), {match[1]: match[2] for match in matches if match}


def credential_of(trailers: Mapping[str, str]) -> str | None:
    """The id of the credential that trailers name: `Robot-Credential: t_… (laptop)`."""
    return trailers.get(CREDENTIAL, "").partition(" ")[0] or None


def join_trailers(message: str, trailers: Iterable[tuple[str, str]]) -> str:
    """A commit message with trailers as its last paragraph; line breaks in values become spaces."""
    lines = [f"{key}: {' '.join(value.split())}" for key, value in trailers]
    if not lines:
        return message.strip() + "\n"
    # A first paragraph is never read as trailers, so that there has to be one.
    return f"{message.strip() or NO_MESSAGE}\n\n" + "\n".join(lines) + "\n"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (pygit2.GitError, KeyError, OSError, ValueError) as error:
        raise StorageFailed("The wiki's repository cannot be read.") from error
