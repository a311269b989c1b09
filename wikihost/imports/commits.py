"""One commit of a git repository as a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wikihost import trees
from wikihost.errors import StorageFailed
from wikihost.imports.sources import Listed, name_problem, sift
from wikihost.imports.values import ImportRefused, Refusal, SourceLimits, Unreadable
from wikihost.pushed import PushRefused, Weights
from wikihost.repo import Repository


class CommitFiles:
    """The files of `commit`. Raises `ImportRefused` when they are too many, too deep, or too large together."""

    def __init__(self, repository: Repository, commit: str, limits: SourceLimits) -> None:
        self._repository = repository
        try:
            # A few trees that name each other often are more files than can ever be listed.
            Weights(repository).check(repository.tree_of(commit))
        except PushRefused as error:
            raise ImportRefused(str(error)) from error
        self._entries = dict(repository.files(commit))
        sizes = {path: _size(repository, entry) for path, entry in self._entries.items()}
        listed = (Listed(path, sizes[path], _problem(path, entry)) for path, entry in self._entries.items())
        sifted = sift(listed, limits)
        self.files: Mapping[str, int] = {path: sizes[path] for path in sifted.files}
        self.refused: Sequence[Refusal] = sifted.refused
        self.hidden: Sequence[str] = sifted.hidden

    def read(self, path: str) -> bytes:
        try:
            return self._repository.read_blob(self._entries[path][1].hex())
        except StorageFailed as error:
            raise Unreadable("It is missing in the repository.") from error


def _size(repository: Repository, entry: trees.Entry) -> int:
    return repository.size_of(entry[1].hex()) if entry[0] in (trees.FILE, trees.EXECUTABLE) else 0


def _problem(path: str, entry: trees.Entry) -> str | None:
    if entry[0] == b"120000":
        return "It is a symbolic link; a wiki has regular files only."
    if entry[0] == b"160000":
        return "It is a submodule; a wiki has regular files only."
    if entry[0] not in (trees.FILE, trees.EXECUTABLE):
        return "It is no regular file."
    return name_problem(path)
