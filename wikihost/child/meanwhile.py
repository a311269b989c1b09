"""What became of a page since a commit: who changed it last, whether it was deleted, or where it was moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pygit2.enums import SortMode

from wikihost.markdown import split_frontmatter
from wikihost.names import file_of, name_of_file
from wikihost.redirects import redirect_text, target_of
from wikihost.repo import CommitRecord, Repository
from wikihost.trees import FileChange

# Some tenths of a millisecond each; who changed a page before that many commits is not told.
_COMMITS_LOOKED_AT = 500
_MOVES_FOLLOWED = 5


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """A page now: its file, its object (None: it was deleted) and who did that, if it is known."""

    path: str
    blob: str | None
    by: str | None


def find_page(repository: Repository, head: str, path: str, *, since: str | None) -> Meanwhile:
    """The page that was the file `path` at the commit `since`, as it is at `head`; a move is followed.

    Without `since` only the file itself is looked for.
    """
    by: str | None = None
    for _ in range(_MOVES_FOLLOWED):
        blob = repository.blob_of(head, path)
        found = None if since is None else _last_change(repository, head, since, path)
        by = found[0].author if found else by
        stands_for = None if since is None else _stands_for(repository, blob, repository.blob_of(since, path))
        if blob is not None and stands_for is None:
            return Meanwhile(path, blob, by)
        moved_to = stands_for or (_moved_to(repository, *found) if found else None)
        if moved_to is None:
            break
        path = moved_to
    return Meanwhile(path, None, by)


def _stands_for(repository: Repository, blob: str | None, before: str | None) -> str | None:
    """The file of the page that a page was renamed to, when that left a redirect where something else was before."""
    target = _redirect(repository, blob)
    return None if target is None or _redirect(repository, before) is not None else file_of(target)


def _redirect(repository: Repository, blob: str | None) -> str | None:
    """The name that a page leads to which is as a rename leaves it."""
    data = b"" if blob is None else repository.read_blob(blob)
    target = target_of(split_frontmatter(data.decode("utf-8", "replace"))[0])
    return target if target is not None and data == redirect_text(target).encode() else None


def _last_change(repository: Repository, head: str, since: str, path: str) -> tuple[CommitRecord, FileChange] | None:
    """The last commit that touched the file, and what it did to it."""
    for record in _newest(repository, head, since):
        for change in repository.touched(record):
            if change.path == path:
                return record, change
    return None


def _newest(repository: Repository, head: str, since: str) -> Iterator[CommitRecord]:
    walker = repository.git.walk(head, SortMode.TOPOLOGICAL)
    walker.hide(since)
    for commit in islice(walker, _COMMITS_LOOKED_AT):
        yield repository.commit(str(commit.id))


def _moved_to(repository: Repository, record: CommitRecord, gone: FileChange) -> str | None:
    """Where the commit that took a page away put it: a new page of the same text, else the only new page."""
    new = [
        change
        for change in repository.touched(record)
        if change.old is None and change.new is not None and name_of_file(change.path) is not None
    ]
    same = [change for change in new if gone.old is not None and change.new == gone.old]
    candidates = same or new
    return candidates[0].path if len(candidates) == 1 or same else None
