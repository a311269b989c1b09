"""Otter Wiki's storage over the one writer: reads safe under threads."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import git
import otterwiki.gitstorage

from wikihost.child.objects import InProcessObjects

GitStorage: Any = otterwiki.gitstorage.GitStorage


class RobotStorage(GitStorage):  # type: ignore[misc]  # Otter Wiki is untyped
    """What Otter Wiki takes for its storage. `__init__` may be called again, to become another wiki in place."""

    def __init__(self, path: str, initialize: bool = False, allow_external_symlinks: bool = False) -> None:
        if initialize:
            raise ValueError("repositories are made by wikihost.lifecycle")
        self.path = str(Path(path).absolute())
        self.allow_external_symlinks = allow_external_symlinks
        self._of_thread = threading.local()

    @property
    def repo(self) -> git.Repo:
        """This thread's repository: GitPython's objects must not be shared between threads."""
        try:
            return self._of_thread.repo
        except AttributeError:
            self._of_thread.repo = git.Repo(self.path, odbt=InProcessObjects)
            return self._of_thread.repo

    def _check_reload(self) -> None:
        """Nothing to reload: no object is cached over a request."""

    def check_health(self) -> None:
        """Read the head commit from disk; raises what keeps it from being read."""
        self.repo.head.commit.message  # noqa: B018 -- reading it is the check
