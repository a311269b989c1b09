"""The reading half of Otter Wiki's storage: the catalog and git's objects tell what stock starts a process for.

What neither can tell for sure is left to stock, which asks git: a repository that is damaged or has no commit, a
history that only git's simplification can sort out, a catalog that is missing or far behind.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import git
import pygit2

from wikihost.child.authors import shown_author
from wikihost.child.commit_log import CommitLog, Entry
from wikihost.child.kept import PerHead
from wikihost.child.last_commits import LastCommits
from wikihost.child.objects import InProcessObjects
from wikihost.child.page_index import Row
from wikihost.child.sidebar import PageIndexes
from wikihost.child.undecodable import MarkingStorage
from wikihost.errors import StorageFailed, StorageFull
from wikihost.layout import WikiHome
from wikihost.repo import AGENT, Repository, RepositoryPool, split_trailers
from wikihost.trees import EXECUTABLE, FILE
from wikihost.worktree import WorkTree

Names = list[str]  # spelled out because `list` is a method of a storage

T = TypeVar("T")

# What a repository raises that has no commit or is damaged, and a catalog that cannot follow; then it is up to stock.
UNREADABLE = (StorageFailed, StorageFull, pygit2.GitError, KeyError, ValueError, OSError)
# Some two kilobytes each.
_METADATA_KEPT = 128
# With it git log shows other authors than the commits name.
_MAILMAP = ".mailmap"
# Entries of page indexes, some 300 bytes each.
_MOST_ENTRIES = 3_000

logger = logging.getLogger("robot.worker")


class ReadingStorage(MarkingStorage):
    """What Otter Wiki reads. `__init__` may be called again, to become another wiki in place."""

    def __init__(self, path: str, allow_external_symlinks: bool = False) -> None:
        self.path = str(Path(path).absolute())
        self.allow_external_symlinks = allow_external_symlinks
        self._of_thread = threading.local()
        home = self.home()
        self._repositories = RepositoryPool(Path(self.path))
        self._last_commits = LastCommits(home)
        self._commit_log = CommitLog(home)
        self._metadata: dict[tuple[str, str], dict[str, Any]] = {}
        self.sidebar_indexes = PageIndexes()
        self.page_indexes: PerHead[list[Row]] = PerHead(_MOST_ENTRIES)

    def home(self) -> WikiHome:
        """The wiki that the repository belongs to."""
        return WikiHome(Path(self.path).parent)

    @property
    def repo(self) -> git.Repo:
        """This thread's repository: GitPython's objects must not be shared between threads."""
        repo: git.Repo | None = getattr(self._of_thread, "repo", None)
        if repo is None:
            repo = self._of_thread.repo = git.Repo(self.path, odbt=InProcessObjects)
        return repo

    def check_health(self) -> None:
        """Read the head commit from disk; raises what keeps it from being read."""
        self.repo.head.commit.message  # noqa: B018 -- reading it is the check

    @contextmanager
    def reading(self) -> Iterator[Repository]:
        """A repository to read from, for this thread."""
        with self._repositories.lend() as repository:
            yield repository

    def settled_head(self) -> str | None:
        """The branch head, when the work tree holds just its files; else None."""
        try:
            with self.reading() as repository:
                head = repository.head()
                return head if WorkTree(repository).is_at_head() else None
        except UNREADABLE:
            return None

    def blobs(self, head: str) -> Callable[[str], bytes | None]:
        """Object ids of regular files at a commit, by name."""
        with self.reading() as repository:
            entries = dict(repository.files(head))

        def blob_of(filename: str) -> bytes | None:
            mode, oid = entries.get(filename, (b"", b""))
            return oid if mode in (FILE, EXECUTABLE) else None

        return blob_of

    # The last commit

    def metadata(self, filename: str, revision: str | None = None) -> dict[str, Any]:
        """Metadata of a file's last commit, or of the commit `revision` among those that touched it."""
        head = self._head() if revision is None else None
        if head is None:
            return super().metadata(filename, revision)  # type: ignore[no-any-return]
        known = self._metadata.get((head, filename))
        if known is None:
            known = self._last_metadata(head, filename) or super().metadata(filename)
            if self._head() == head:
                self._keep_metadata(head, filename, known)
        return {**known}

    def _last_metadata(self, head: str, filename: str) -> dict[str, Any] | None:
        """Metadata at the head; None where git is to be asked."""
        try:
            with self.reading() as repository:
                last = self._last_commits.find(repository.git, head, filename)
        except UNREADABLE:
            return None
        return None if last is None else self._get_metadata_of_commit(self.repo.commit(last))

    def _keep_metadata(self, head: str, filename: str, metadata: dict[str, Any]) -> None:
        if len(self._metadata) >= _METADATA_KEPT:
            self._metadata = {}
        self._metadata[head, filename] = metadata

    def _head(self) -> str | None:
        try:
            with self.reading() as repository:
                return repository.head()
        except UNREADABLE:
            return None

    def _get_metadata_of_commit(self, commit: git.Commit) -> dict[str, Any]:
        message, trailers = split_trailers(str(commit.message))
        told = self._tell(lambda log, repository: log.author(repository, commit.hexsha))
        return {
            "revision-full": commit.hexsha,
            "revision": commit.hexsha[:6],
            "datetime": commit.authored_datetime,
            "author_name": told or shown_author(str(commit.author.name), trailers.get(AGENT)),
            "author_email": commit.author.email,
            "message": message,
            "files": self._files_of(commit.hexsha),
        }

    def _files_of(self, revision: str) -> dict[str, dict[str, int]]:
        """The files that a commit changed; stock counts their lines too, with a process, and shows them nowhere."""
        with self.reading() as repository:
            return {change.path: {} for change in repository.touched(repository.commit(revision))}

    # The log

    def log(
        self, filename: str | None = None, fail_on_git_error: bool = False, max_count: int | None = None
    ) -> list[Entry]:
        """The commits of the wiki, or of a file also under the names that it had before, newest first."""

        def ask(log: CommitLog, repository: Repository) -> list[Entry] | None:
            if filename is None:
                return log.whole(repository, self.repo.git, max_count)
            return log.of_file(repository, self.repo.git, filename, max_count)

        told = self._tell(ask)
        if told is None:
            return super().log(filename, fail_on_git_error, max_count)  # type: ignore[no-any-return]
        return told

    def commit_ids(self) -> Sequence[str] | None:
        """The commits of the wiki in the order of `log`; None where only git can tell."""
        return self._tell(lambda log, repository: log.ids(repository))

    def log_of(self, commits: Sequence[str]) -> list[Entry] | None:
        """What `log` says of these commits; None where only git can tell."""
        return self._tell(lambda log, repository: log.entries(repository, self.repo.git, commits))

    def catch_up_catalog(self) -> None:
        """Bring the catalog to the head, which may take seconds; best effort."""
        try:
            with self.reading() as repository:
                self._commit_log.catch_up(repository)
        except (*UNREADABLE, sqlite3.Error) as error:
            logger.warning("the catalog is not brought to the head: %s", error)

    def _tell(self, ask: Callable[[CommitLog, Repository], T | None]) -> T | None:
        if os.path.exists(os.path.join(self.path, _MAILMAP)):
            return None
        try:
            with self.reading() as repository:
                return ask(self._commit_log, repository)
        except (*UNREADABLE, sqlite3.Error, git.GitCommandError) as error:
            logger.info("the log is asked of git: %s", error)
            return None

    def _get_metadata_of_log(self, logentry: str) -> Entry:
        metadata: Entry = super()._get_metadata_of_log(logentry)
        message, trailers = split_trailers(metadata["message"])
        author = shown_author(metadata["author_name"], trailers.get(AGENT))
        return {**metadata, "author_name": author, "message": message}

    def _check_reload(self) -> None:
        """Nothing to reload: no object of GitPython's is cached over a request."""
