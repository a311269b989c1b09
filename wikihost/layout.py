"""Where things are on disk. The only module that joins paths of the data directory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_WIKI_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class WikiHome:
    """One wiki's directory: everything that belongs to the wiki is below `root`."""

    root: Path

    @property
    def repo(self) -> Path:
        """The git repository, with its work tree."""
        return self.root / "repo"

    @property
    def git_dir(self) -> Path:
        return self.repo / ".git"

    @property
    def wiki_db(self) -> Path:
        """Otter Wiki's own preferences and drafts."""
        return self.root / "wiki.db"

    @property
    def catalog_db(self) -> Path:
        """Derived from git; may be removed while nobody uses it."""
        return self.root / "catalog.db"

    @property
    def catalog_lock(self) -> Path:
        """Held while a connection to the catalog is opened, or a damaged catalog is replaced."""
        return self.root / "catalog.lock"

    @property
    def write_lock(self) -> Path:
        """flock target: one writer at a time, whatever the door."""
        return self.root / "write.lock"

    @property
    def quota(self) -> Path:
        """How much the wiki may hold: what the operator decided, for all processes that write."""
        return self.root / "quota.json"

    @property
    def frozen(self) -> Path:
        """While it is there nobody writes to the wiki: what the operator decided, for all processes that write."""
        return self.root / "frozen"

    @property
    def usage(self) -> Path:
        """The last count of what the wiki holds; may be removed at any time."""
        return self.root / "usage"

    @property
    def indexing(self) -> Path:
        """How far search by meaning is with the wiki; may be removed while the host is stopped."""
        return self.root / "indexing.json"

    @property
    def scratch(self) -> Path:
        """Temporary files of the wiki's worker, which can reach no others; empty when it wakes."""
        return self.root / "scratch"

    @property
    def session_key(self) -> Path:
        """Signs Otter Wiki's sessions of this wiki; made by its first worker, 0600."""
        return self.root / "session.key"


@dataclass(frozen=True, slots=True)
class DataDir:
    """The host's data directory."""

    root: Path

    @property
    def robot_db(self) -> Path:
        return self.root / "robot.db"

    @property
    def lock(self) -> Path:
        """flock target: one robot at a time."""
        return self.root / "robot.lock"

    @property
    def restoring(self) -> Path:
        """While it is there a backup is being restored into this directory, or that was interrupted."""
        return self.root / "restoring"

    @property
    def backup_lock(self) -> Path:
        """flock target: one backup at a time."""
        return self.root / "backup.lock"

    @property
    def release(self) -> Path:
        """Which robot ran here last; may be removed at any time."""
        return self.root / "release.json"

    @property
    def demo_token(self) -> Path:
        """The demo's token, kept for the next start."""
        return self.root / "demo.token"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def run(self) -> Path:
        """Sockets of workers."""
        return self.root / "run"

    @property
    def transfers(self) -> Path:
        """Directories of git transfers under way; what is there at start has nobody any more."""
        return self.root / "transfers"

    @property
    def sealed(self) -> Path:
        """Copies of wikis that were taken down, which the operator's passphrase opens; they stay until removed."""
        return self.root / "sealed"

    @property
    def models(self) -> Path:
        """Embedding models of the hub; what is there may be removed while nobody runs."""
        return self.root / "models"

    @property
    def wikis(self) -> Path:
        return self.root / "wikis"

    @property
    def visits(self) -> Path:
        """Who visited wikis, a directory for each; what is there may be removed at any time."""
        return self.root / "visits"

    def wiki(self, wiki_id: str) -> WikiHome:
        """The home of the wiki with this immutable id; ValueError for what can be no id."""
        return WikiHome(self.wikis / _checked(wiki_id))

    def visits_to(self, wiki_id: str) -> Path:
        """Who visited the wiki with this id, a file for each day; out of reach of the wiki's worker."""
        return self.visits / _checked(wiki_id)


def _checked(wiki_id: str) -> str:
    if _WIKI_ID.fullmatch(wiki_id) is None:
        raise ValueError(f"not a wiki id: {wiki_id!r}")
    return wiki_id
