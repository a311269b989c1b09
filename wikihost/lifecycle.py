"""Wikis come and go: each appears whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pygit2

from wikihost import objects, trees
from wikihost.catalog import Catalog
from wikihost.commits import commit_object
from wikihost.errors import ContentError
from wikihost.layout import DataDir, WikiHome
from wikihost.names import file_of, parse_page_name
from wikihost.quota import Quota, Usage, check_fit, write_quota
from wikihost.repo import Repository
from wikihost.seeds import default_pages
from wikihost.usage import Ledger
from wikihost.values import Author
from wikihost.worktree import WorkTree
from wikihost.writer import storage_errors

BRANCH = "main"

# No wiki id begins with a dot, so neither is ever taken for a wiki.
_BEING_MADE = ".new-"
_BEING_REMOVED = ".gone-"

# Making or removing a wiki takes seconds; what is older has nobody any more.
ABANDONED_AFTER_S = 600.0

# Nothing of the machine's git configuration or of a pushed tree may decide what happens here; see git-config(1).
_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.symlinks": "false",
    "core.autocrlf": "false",
    "core.attributesFile": "/dev/null",
    "core.fsync": "objects,derived-metadata,reference",
    "commit.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "receive.autogc": "false",
    "receive.denyCurrentBranch": "updateInstead",
    "receive.denyDeleteCurrent": "refuse",
    "receive.fsckObjects": "true",
}


class WikiExists(ContentError):
    """There is a wiki in this place already."""

    code = "wiki_exists"


def create_wiki(
    home: WikiHome,
    *,
    name: str,
    description: str,
    author: Author,
    pages: Mapping[str, str] | None = None,
    quota: Quota | None = None,
) -> str:
    """Make a wiki with these pages (page name → text; the seeds by default) as its first commit, which is returned.

    Raises `WikiExists`, `InvalidPageName`, `QuotaExceeded`, `StorageFull`, `StorageFailed`; then there is no wiki.
    """
    pages = default_pages(name, description) if pages is None else pages
    texts = {file_of(parse_page_name(page)): text.encode() for page, text in pages.items()}
    usage = Usage(len(texts), sum(map(len, texts.values())))
    check_fit(Usage(0, 0), usage, quota or Quota())
    with being_made(home) as draft:
        write_quota(draft.quota, quota or Quota())
        commit = _make(draft, texts, author, f"Create {name}")
        Ledger(draft.usage).note(commit, usage)
    return commit


@contextmanager
def being_made(home: WikiHome) -> Iterator[WikiHome]:
    """A directory to make a wiki in, which is at `home` once the block has ended; after a failure there is none.

    Raises `WikiExists`, and failures of the disk, git and SQLite as `StorageFull` or `StorageFailed`.
    """
    if home.root.exists():
        raise WikiExists("There is a wiki in this place already.")
    with storage_errors():
        home.root.parent.mkdir(parents=True, exist_ok=True)
        draft = WikiHome(home.root.with_name(f"{_BEING_MADE}{home.root.name}-{secrets.token_hex(4)}"))
        draft.root.mkdir(mode=0o700)
        try:
            yield draft
            draft.write_lock.touch(0o600)
            _put_in_place(draft.root, home.root)
        except BaseException:
            shutil.rmtree(draft.root, ignore_errors=True)
            raise


def delete_wiki(home: WikiHome) -> None:
    """Remove a wiki with all that belongs to it. No one may have it open; a wiki that is not there is no error."""
    gone = home.root.with_name(f"{_BEING_REMOVED}{home.root.name}-{secrets.token_hex(4)}")
    with storage_errors():
        try:
            home.root.rename(gone)
        except FileNotFoundError:
            return
        objects.sync(home.root.parent)
        shutil.rmtree(gone)


def sweep_leftovers(data: DataDir, *, older_than_s: float = ABANDONED_AFTER_S) -> list[Path]:
    """Remove what interrupted creations and deletions left; younger ones may be under way in another process."""
    since = time.time() - older_than_s
    with storage_errors():
        found = [path for prefix in (_BEING_MADE, _BEING_REMOVED) for path in sorted(data.wikis.glob(f"{prefix}*"))]
        left = [path for path in found if path.stat().st_mtime <= since]
        for path in left:
            shutil.rmtree(path)
    return left


def _make(home: WikiHome, texts: Mapping[str, bytes], author: Author, message: str) -> str:
    init_repository(home.repo)
    repository = Repository(home.repo)
    blobs = {path: trees.NewObject(b"blob", data) for path, data in texts.items()}
    entries: dict[str, trees.Entry | None] = {path: (trees.FILE, blob.digest()) for path, blob in blobs.items()}
    tree, made = trees.replace_files(repository.read_tree, None, entries)
    commit = commit_object(tree, (), author, message, when=int(time.time()))
    objects.store_objects(repository.git, repository.git_dir, [*blobs.values(), *made, commit])
    head = commit.digest().hex()
    objects.move_ref(repository.git, repository.git_dir, f"refs/heads/{BRANCH}", expected=None, new=head)
    WorkTree(repository).catch_up()
    catalog = Catalog(home)
    catalog.sync(repository)
    catalog.close()
    repository.git.free()
    return head


def init_repository(path: Path) -> None:
    """An empty repository with robot's safe configuration, without hooks or templates."""
    git = pygit2.init_repository(str(path), initial_head=BRANCH)
    for key, value in _CONFIG.items():
        git.config[key] = value
    shutil.rmtree(Path(git.path) / "hooks", ignore_errors=True)
    git.free()


def _put_in_place(draft: Path, final: Path) -> None:
    """Rename the finished directory; durable when this returns."""
    objects.sync(draft)
    try:
        os.rename(draft, final)
    except OSError as error:
        if final.exists():
            raise WikiExists("There is a wiki in this place already.") from error
        raise
    objects.sync(final.parent)
