"""What takes back one commit, whatever came after it."""

from __future__ import annotations

import pygit2
from otterwiki.gitstorage import StorageError

from wikihost.repo import Repository


def undone(repository: Repository, revision: str) -> dict[str, bytes | None]:
    """The files that undo one commit on the head (None deletes); StorageError when later changes are in its way."""
    head = repository.head()
    try:
        commit = repository.git.revparse_single(revision).peel(pygit2.Commit)
        index = repository.git.revert_commit(commit, repository.git[head].peel(pygit2.Commit))
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise StorageError(f"Revert failed: {error}") from error
    if index.conflicts is not None:
        raise StorageError("Revert failed: later changes are in its way.")
    before = dict(repository.files(head))
    after = {entry.path: entry.id for entry in index}
    changes: dict[str, bytes | None] = {path: None for path in before.keys() - after.keys()}
    for path, oid in after.items():
        if path not in before or before[path][1] != oid.raw:
            changes[path] = repository.read_blob(str(oid))
    return changes
