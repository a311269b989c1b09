"""Whether the commits of a push may become the wiki: every new file of every new commit, before the branch moves.

git's own fsck has read each object by then. What is decided here is what a wiki wants: the names that every other door
takes, regular files of bounded size, nothing that a checkout follows or runs, and a history that builds on the head.
"""

from __future__ import annotations

import re

from wikihost import trees
from wikihost.errors import ContentError, InvalidPageName
from wikihost.names import MAX_PARTS, SUFFIX, is_safe_path, name_of_file, page_key, parse_page_name
from wikihost.repo import Repository
from wikihost.texts import MAX_PAGE_CHARACTERS

MAX_COMMITS = 20_000
MAX_ENTRIES = 200_000  # files and folders of one commit; a tree that names one subtree often says a lot in few bytes
MAX_CHANGES = 500_000  # over all commits of a push
_MAX_ATTRIBUTES_BYTES = 100_000
# Attributes that make a checkout run a program or turn bytes into others; see gitattributes(5).
_ACTIVE_ATTRIBUTE = re.compile(rb"[ \t](filter|working-tree-encoding|merge|diff)=")


class PushRefused(ContentError):
    """The push may not become the wiki; the message says why, and nothing was changed."""

    code = "push_refused"


def check_push(repository: Repository, head: str, new: str, *, max_file_bytes: int) -> None:
    """Raise `PushRefused` unless the branch may move from `head` to `new`, both full ids.

    `repository` has the objects of both. Costs as much as there are new commits and changed files.
    """
    if not repository.has_commit(new):
        raise PushRefused("The branch can only be moved to a commit.")
    if not repository.is_ancestor(head, new):
        raise PushRefused("Not a fast-forward: fetch first, merge or rebase onto what the wiki has, then push again.")
    check_commits(repository, head, new, max_file_bytes=max_file_bytes)
    _check_twins(repository, head, new)


def check_commits(repository: Repository, head: str | None, new: str, *, max_file_bytes: int) -> int:
    """Raise `PushRefused` unless a wiki may have each commit that `new` has and `head` has not; how many they are."""
    weights = Weights(repository)
    changes = number = 0
    for number, commit in enumerate(repository.commits(head, new), start=1):
        if number > MAX_COMMITS:
            raise PushRefused(f"A push can have at most {MAX_COMMITS:,} commits; push them in parts.")
        tree = repository.tree_of(commit.oid)
        weights.check(tree)
        before = repository.tree_of(commit.parents[0]) if commit.parents else None
        for change in trees.changed_files(repository.read_tree, before, tree):
            changes += 1
            if changes > MAX_CHANGES:
                raise PushRefused(f"A push can change at most {MAX_CHANGES:,} files; push it in parts.")
            _check_change(repository, change, max_file_bytes)
    return number


class Weights:
    """Refuses trees that are too deep or too large, by looking at each different tree once."""

    def __init__(self, repository: Repository) -> None:
        self._read = repository.read_tree
        self._known: dict[bytes, tuple[int, int]] = {}

    def check(self, root: bytes) -> None:
        """Raise `PushRefused` for a tree that nobody should walk."""
        height, entries = self._weigh(root, 0)
        if height > MAX_PARTS:
            raise PushRefused(f"The path of a file can have at most {MAX_PARTS} parts.")
        if entries > MAX_ENTRIES:
            raise PushRefused(f"A wiki can have at most {MAX_ENTRIES:,} files.")

    def _weigh(self, oid: bytes, depth: int) -> tuple[int, int]:
        """How many levels there are below a tree, itself included, and how many entries."""
        if oid in self._known:
            return self._known[oid]
        if depth > MAX_PARTS:
            return depth, 1
        height, entries = 1, 0
        for mode, child in self._read(oid).values():
            entries += 1
            if mode == trees.DIRECTORY:
                below, inside = self._weigh(child, depth + 1)
                height, entries = max(height, below + 1), entries + inside
        self._known[oid] = height, entries
        return height, entries


def _check_change(repository: Repository, change: trees.FileChange, max_file_bytes: int) -> None:
    if change.new is None:
        return
    mode, oid = change.new
    shown = repr(change.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))[:200]
    if mode == b"120000":
        raise PushRefused(f"{shown} is a symbolic link; a wiki has regular files only.")
    if mode == b"160000":
        raise PushRefused(f"{shown} is a submodule; a wiki has regular files only.")
    if mode not in (trees.FILE, trees.EXECUTABLE):
        raise PushRefused(f"{shown} is no regular file.")
    if change.old is None:
        _check_new_path(change.path, shown)
    _, size = repository.git.odb.read_header(oid.hex())
    if size > max_file_bytes:
        raise PushRefused(f"{shown} has {size:,} bytes; a file can have at most {max_file_bytes:,}.")
    if change.path.endswith(SUFFIX) and size > MAX_PAGE_CHARACTERS:
        _check_page_length(repository, oid, size, shown)
    if change.path.rpartition("/")[2].casefold() == ".gitattributes":
        _check_attributes(repository, oid, size, shown)


def _check_new_path(path: str, shown: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise PushRefused(f"The name of {shown} is not UTF-8.") from None
    name = path.removesuffix(SUFFIX)
    try:
        canonical = parse_page_name(name)
    except InvalidPageName as error:
        raise PushRefused(f"{shown} cannot be a file of the wiki. {error}") from None
    if canonical != name or not is_safe_path(path):
        raise PushRefused(f"{shown} cannot be a file of the wiki: spelled as usual it is {canonical!r}.")


def _check_page_length(repository: Repository, oid: bytes, size: int, shown: str) -> None:
    # No character has more than four bytes; only texts in between have to be read.
    if size > 4 * MAX_PAGE_CHARACTERS or len(repository.read_blob(oid.hex()).decode("utf-8", "replace")) > (
        MAX_PAGE_CHARACTERS
    ):
        raise PushRefused(f"{shown} is too long: a page can have at most {MAX_PAGE_CHARACTERS:,} characters.")


def _check_attributes(repository: Repository, oid: bytes, size: int, shown: str) -> None:
    if size > _MAX_ATTRIBUTES_BYTES or _ACTIVE_ATTRIBUTE.search(repository.read_blob(oid.hex())):
        raise PushRefused(
            f"{shown} has attributes that run programs or change files on checkout (filter, diff, merge)."
        )


def _check_twins(repository: Repository, head: str, new: str) -> None:
    """Refuse a page beside another of the same name ("On Call", "On_Call")."""
    changes = repository.changes(head, new)
    added = {name_of_file(change.path) for change in changes if change.old is None} - {None}
    if not added:
        return
    names: dict[str, str] = {}
    for path, _ in repository.files(new):
        name = name_of_file(path)
        if name is None:
            continue
        other = names.setdefault(page_key(name), name)
        if other != name and (name in added or other in added):
            raise PushRefused(f"{other!r} and {name!r} are the same page's name; keep one of them.")
