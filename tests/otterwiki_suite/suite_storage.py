"""Our storage where Otter Wiki's own tests expect stock's: it makes repositories anywhere, as stock does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pygit2

from wikihost.child.reading import Names
from wikihost.child.storage import RobotStorage
from wikihost.layout import WikiHome
from wikihost.lifecycle import init_repository

_BEGIN = pygit2.Signature("Suite", "suite@robot.invalid")


class HomeInside(WikiHome):
    """A repository at any path, with what else belongs to a wiki inside its `.git`."""

    @property
    def repo(self) -> Path:
        return self.root.parent.parent


class SuiteStorage(RobotStorage):
    """`initialize` makes a repository, which in robot is lifecycle's to do."""

    def __init__(self, path: str, initialize: bool = False, allow_external_symlinks: bool = False) -> None:
        if initialize:
            init_repository(Path(path))
            repository = pygit2.Repository(path)
            # A wiki of ours always has a first commit.
            repository.create_commit("HEAD", _BEGIN, _BEGIN, "Begin", repository.index.write_tree(), [])
        super().__init__(path, allow_external_symlinks=allow_external_symlinks)

    def home(self) -> WikiHome:
        home = HomeInside(Path(self.path) / ".git" / "robot-home")
        home.root.mkdir(exist_ok=True)
        return home

    def log(self, *arguments: Any, **options: Any) -> Any:
        """The log as in stock's repositories, which begin empty."""
        return [entry for entry in super().log(*arguments, **options) if entry["author_email"] != _BEGIN.email]

    def commit(self, filenames: Any, message: str = "", author: Any = ("", ""), no_add: bool = False) -> None:
        """Files that a test wrote by itself count as uploaded, pages too, which no upload may bring."""
        names: Names = [filenames] if isinstance(filenames, str) else filenames
        for name in [] if no_add else names:
            path, place = Path(self.path, name), self._path_in_repo(name)
            if place not in self._uploads and path.is_file() and not path.is_symlink():
                self._uploads[place] = path.read_bytes()
        super().commit(filenames, message, author, no_add)

    def update(self, filename: str, content: str | bytes, mode: str = "w") -> bool:
        """Tests update files also without the rename that goes before in Otter Wiki."""
        self._stage()
        return super().update(filename, content, mode)
