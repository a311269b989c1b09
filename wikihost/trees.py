"""Git tree objects as plain values: parse, encode, compare, and change at some paths. Pure.

Format: gitformat-tree; `mode SP name NUL oid` entries, sorted as if the names of directories ended in a slash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from wikihost.errors import InvalidPageName, PageExists
from wikihost.names import MAX_PARTS, is_safe_path

DIRECTORY = b"40000"
FILE = b"100644"
EXECUTABLE = b"100755"

_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)

Entry = tuple[bytes, bytes]  # mode, binary object id
Tree = Mapping[bytes, Entry]  # by file name
ReadTree = Callable[[bytes], Tree]


@dataclass(frozen=True, slots=True)
class NewObject:
    """An object to store; `kind` is blob, tree or commit."""

    kind: bytes
    body: bytes

    @property
    def framed(self) -> bytes:
        return b"%s %d\0%s" % (self.kind, len(self.body), self.body)

    def digest(self) -> bytes:
        return hashlib.sha1(self.framed, usedforsecurity=False).digest()


EMPTY_TREE = NewObject(b"tree", b"").digest()


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that differs between two trees; None on the side where it does not exist."""

    path: str
    old: Entry | None
    new: Entry | None


def parse_tree(body: bytes) -> dict[bytes, Entry]:
    return {name: (mode, oid) for mode, name, oid in _ENTRY.findall(body)}


def encode_tree(tree: Tree) -> bytes:
    def order(item: tuple[bytes, Entry]) -> bytes:
        name, (mode, _) = item
        return name + b"/" if mode == DIRECTORY else name

    return b"".join(b"%s %s\0%s" % (mode, name, oid) for name, (mode, oid) in sorted(tree.items(), key=order))


def changed_files(read: ReadTree, old: bytes | None, new: bytes | None, folder: bytes = b"") -> Iterator[FileChange]:
    """All files that differ between two trees, given by object id (None is the empty tree).

    What lies deeper than any file of ours can (`MAX_PARTS`) is not there, here and in `all_files`.
    """
    if old == new or _is_too_deep(folder):
        return
    before = read(old) if old else {}
    after = read(new) if new else {}
    for name in sorted({name for name, _ in before.items() ^ after.items()}):
        yield from _changed_entry(read, folder + name, before.get(name), after.get(name))


def _changed_entry(read: ReadTree, path: bytes, ours: Entry | None, theirs: Entry | None) -> Iterator[FileChange]:
    old_folder = ours[1] if ours and ours[0] == DIRECTORY else None
    new_folder = theirs[1] if theirs and theirs[0] == DIRECTORY else None
    if old_folder or new_folder:
        yield from changed_files(read, old_folder, new_folder, path + b"/")
    old_file = ours if ours and ours[0] != DIRECTORY else None
    new_file = theirs if theirs and theirs[0] != DIRECTORY else None
    if old_file or new_file:
        yield FileChange(path.decode("utf-8", "surrogateescape"), old_file, new_file)


def find(read: ReadTree, root: bytes, path: str) -> Entry | None:
    """The entry at a path, or None."""
    *folders, name = path.encode("utf-8", "surrogateescape").split(b"/")
    for folder in folders:
        mode, oid = read(root).get(folder, (b"", b""))
        if mode != DIRECTORY:
            return None
        root = oid
    return read(root).get(name)


def all_files(
    read: ReadTree, root: bytes, folder: bytes = b"", *, enters: Callable[[str], bool] = lambda _: True
) -> Iterator[tuple[str, Entry]]:
    """Every file below a tree, but for folders that `enters` says no to; it is given a path with a slash at its end."""
    if _is_too_deep(folder):
        return
    for name, (mode, oid) in read(root).items():
        path = (folder + name).decode("utf-8", "surrogateescape")
        if mode != DIRECTORY:
            yield path, (mode, oid)
        elif enters(f"{path}/"):
            yield from all_files(read, oid, folder + name + b"/", enters=enters)


def _is_too_deep(folder: bytes) -> bool:
    return folder.count(b"/") >= MAX_PARTS


def replace_files(
    read: ReadTree, root: bytes | None, changes: Mapping[str, Entry | None]
) -> tuple[bytes, list[NewObject]]:
    """Set or remove (None) files; the new root's id, and the tree objects to store for it, deepest first.

    Only the trees on the way to a changed file are read and made. A folder that becomes empty goes. Raises
    `InvalidPageName` for a path that leaves the work tree or is too deep, and `PageExists` where a file stands in a
    folder's place or a folder in a file's.
    """
    for path in changes:
        if not is_safe_path(path):
            raise InvalidPageName(f"{path!r} cannot be the path of a file.")
    encoded = {path.encode("utf-8", "surrogateescape"): entry for path, entry in changes.items()}
    new, made = _replace(read, root, encoded)
    if new is None:
        empty = NewObject(b"tree", b"")
        return empty.digest(), [empty]
    return new, made


def _replace(
    read: ReadTree, oid: bytes | None, changes: Mapping[bytes, Entry | None]
) -> tuple[bytes | None, list[NewObject]]:
    tree = dict(read(oid)) if oid else {}
    made: list[NewObject] = []
    below: dict[bytes, dict[bytes, Entry | None]] = {}
    for path, entry in changes.items():
        name, slash, rest = path.partition(b"/")
        if slash:
            below.setdefault(name, {})[rest] = entry
        elif entry is None:
            tree.pop(name, None)
        elif tree.get(name, entry)[0] == DIRECTORY:
            raise PageExists(f"A folder stands in the place of {_shown(name)}.")
        else:
            tree[name] = entry
    for name, inner in below.items():
        mode, child = tree.get(name, (DIRECTORY, None))
        if mode != DIRECTORY:
            if all(entry is None for entry in inner.values()):
                continue
            raise PageExists(f"A file stands in the place of the folder {_shown(name)}.")
        new_child, made_below = _replace(read, child, inner)
        made += made_below
        if new_child is None:
            tree.pop(name, None)
        else:
            tree[name] = (DIRECTORY, new_child)
    if not tree:
        return None, made
    made.append(NewObject(b"tree", encode_tree(tree)))
    return made[-1].digest(), made


def _shown(name: bytes) -> str:
    return repr(name.decode("utf-8", "replace"))
