"""A wiki made from what was kept of it: bundles of its history, and the files that are not in git.

The same for a restore, for a clone beside the original and for a wiki that moves to another host. git itself reads the
bundles, each of which may build on those before, and refuses one that is cut off or lacks what it builds on.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pygit2

from wikihost import objects
from wikihost.content import Content
from wikihost.errors import ContentError, StorageFailed, StorageFull
from wikihost.layout import WikiHome
from wikihost.lifecycle import being_made, init_repository
from wikihost.quota import Quota, write_quota
from wikihost.references import opened
from wikihost.worktree import WorkTree

# A large wiki is read in seconds; git that takes so long for one hangs.
GIT_DEADLINE_S = 3600.0
_SAID_CHARS = 300
# A process for each bundle, so memory stays small whatever a wiki holds; see git-config(1).
_SMALL = ("core.bigFileThreshold=2m", "core.deltaBaseCacheLimit=8m", "core.packedGitLimit=32m", "pack.threads=1")


class CopyDamaged(ContentError):
    """What was kept of a wiki is not whole; the message names the piece."""

    code = "copy_damaged"


@dataclass(frozen=True, slots=True)
class KeptWiki:
    """What was kept of one wiki. `branch` is the full name of its branch, which `refs` (full name → object id) has too.

    Each of `bundles` builds on those before it. `files` are by the name that they have in a wiki's directory.
    """

    branch: str
    refs: Mapping[str, str]
    bundles: Sequence[Path]
    files: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Proved:
    """What was found to be in a wiki that git and SQLite have gone through: nothing is wrong with it."""

    commits: int
    pages: int
    files: int


def restore_wiki(home: WikiHome, kept: KeptWiki, quota: Quota | None = None) -> None:
    """Make the wiki at `home` of what was kept of one; its catalog follows when it is used first.

    Without a quota it has the usual one until its host says otherwise.
    Raises `CopyDamaged`, `WikiExists`, `StorageFull`, `StorageFailed`; then there is no wiki.
    """
    with being_made(home) as draft:
        init_repository(draft.repo)
        for bundle in kept.bundles:
            _take_bundle(draft, bundle)
        _set_refs(draft, kept)
        for name, file in kept.files.items():
            place = draft.root / name
            shutil.copyfile(file, place)
            place.chmod(0o600)
            objects.sync(place)
        if quota is not None:
            write_quota(draft.quota, quota)


def prove_wiki(home: WikiHome) -> Proved:
    """Look at every object and row of a wiki, and build its catalog. Raises `CopyDamaged`, which says what is wrong."""
    _git(home, "fsck", "--full", "--no-dangling", "--no-reflogs", "--no-progress", fault="its history is damaged")
    if home.wiki_db.exists():
        prove_database(home.wiki_db)
    with opened(home) as repository:
        if repository.git.head_is_unborn:
            return Proved(0, 0, 0)
        head = repository.head()
        commits = repository.count_commits(None, head)
        files = sum(1 for _ in repository.files(head))
    with closing(Content(home)) as content:
        return Proved(commits, content.stats().pages, files)


def prove_database(place: Path) -> None:
    """Have SQLite look at every page and every reference of a database. Raises `CopyDamaged`."""
    try:
        with closing(sqlite3.connect(f"{place.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            said = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        raise CopyDamaged(f"the database {place.name} is damaged: {error}") from error
    if said != ["ok"]:
        raise CopyDamaged(f"the database {place.name} is damaged: {'; '.join(said)}")
    if orphans is not None:
        raise CopyDamaged(f"the database {place.name} has rows in {orphans[0]} that refer to nothing")


def _take_bundle(home: WikiHome, bundle: Path) -> None:
    """Fetch all that the bundle has, so that the next one finds what it builds on."""
    words = ("--no-tags", "--no-write-fetch-head", "--no-auto-gc", "--update-head-ok", "--quiet", "--force")
    _git(
        home, "fetch", *words, str(bundle.absolute()), "refs/*:refs/*", fault=f"the bundle {bundle.name} cannot be read"
    )


def _set_refs(home: WikiHome, kept: KeptWiki) -> None:
    """Leave just the refs that were kept: a branch may have been set back since the last bundle."""
    with opened(home) as repository:
        git = repository.git
        for name in [name for name in git.references if name not in kept.refs]:
            git.references.delete(name)
        for name, oid in kept.refs.items():
            if not pygit2.reference_is_valid_name(name):
                raise CopyDamaged(f"{name!r} cannot be the name of a reference")
            if oid not in git:
                raise CopyDamaged(f"none of its bundles has {oid[:10]}, where {name} was")
            objects.move_ref(git, repository.git_dir, name, expected=objects.read_ref(git, name), new=oid)
        git.set_head(kept.branch)
        if kept.branch not in kept.refs:
            return  # nothing was ever committed
        WorkTree(repository).bring_to_head()


def _git(home: WikiHome, *words: str, fault: str) -> str:
    """What git says on the wiki's repository. Raises `CopyDamaged` with `fault` when it finds something wrong."""
    small = [word for setting in _SMALL for word in ("-c", setting)]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "GIT_DIR": str(home.git_dir.absolute()),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    try:
        done = subprocess.run(
            ["git", *small, *words],
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=GIT_DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StorageFailed(f"git took longer than {GIT_DEADLINE_S:g} seconds.") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[:_SAID_CHARS]
        if os.strerror(errno.ENOSPC) in done.stderr:
            raise StorageFull(f"The disk of {home.root.parent} is full; the wiki was not made.")
        raise CopyDamaged(f"{fault}: {said or f'git ended with {done.returncode}'}")
    return done.stdout
