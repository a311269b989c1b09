"""Where an import comes from, made into files that `wikihost.imports` reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import trio

from robot.imports.repositories import Repositories
from wikihost.imports.archives import Archive
from wikihost.imports.bundles import SIGNATURES
from wikihost.imports.commits import CommitFiles
from wikihost.imports.folders import Folder
from wikihost.imports.run import History
from wikihost.imports.sources import Source, shown
from wikihost.imports.values import ImportRefused, SourceLimits
from wikihost.repo import Repository
from wikihost.writer import storage_errors

_ZIP = b"PK"
_START_BYTES = 512
_MEDIAWIKI = b"<mediawiki"


@dataclass(frozen=True, slots=True)
class LocalFolder:
    path: Path


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A zip or a git bundle; `name` is what whoever sent it calls it."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class RemoteRepository:
    url: str


Origin = LocalFolder | LocalFile | RemoteRepository


@dataclass(frozen=True, slots=True)
class Prepared:
    """An origin that is here and can be read. `history` is set for git repositories."""

    origin: Origin
    history: History | None = None


def label_of(origin: Origin) -> str:
    """What commits and pages call the origin: one line, without anything secret."""
    match origin:
        case LocalFolder(path):
            return shown(path.name) or "a folder"
        case LocalFile(name=name):
            return shown(name) or "a file"
        case RemoteRepository(url):
            try:
                parts = urlsplit(url)
            except ValueError:
                return "an address"
            return shown(f"{parts.hostname or ''}{parts.path}") or "an address"


async def prepare(origin: Origin, repositories: Repositories, root: Path) -> Prepared:
    """Have the origin here, in the directory `root` as far as it needs one.

    Raises `ImportRefused`, `FetchRefused`, `StorageFull`, `StorageFailed`.
    """
    place = root / "fetched"
    match origin:
        case RemoteRepository(url):
            return Prepared(origin, History(place, await repositories.fetch(url, place)))
        case LocalFile(path) if (await trio.to_thread.run_sync(_read_start, path)).startswith(SIGNATURES):
            return Prepared(origin, History(place, await repositories.unpack(path, place)))
        case _:
            return Prepared(origin)


@contextmanager
def open_source(prepared: Prepared, limits: SourceLimits) -> Iterator[Source]:
    """The files of the origin, to be read in one thread. Raises `ImportRefused`."""
    match prepared:
        case Prepared(history=History(root, commit)):
            repository = Repository(root)
            try:
                yield CommitFiles(repository, commit, limits)
            finally:
                repository.git.free()
        case Prepared(origin=LocalFolder(path)):
            yield Folder(path, limits)
        case Prepared(origin=LocalFile(path, name)):
            _refuse_others(path)
            with Archive(path, limits, name=name) as archive:
                yield archive
        case _:
            raise AssertionError("a remote repository is prepared with its history")


def _refuse_others(path: Path) -> None:
    start = _read_start(path)
    if _MEDIAWIKI in start.lower():
        raise ImportRefused(
            "This is an export of MediaWiki, which is not read here. Convert its pages to Markdown first, for example"
            " with pandoc, and import a zip of them."
        )
    if not start.startswith(_ZIP):
        raise ImportRefused("This is neither a zip archive nor a git bundle.")


def _read_start(path: Path) -> bytes:
    with storage_errors(), path.open("rb") as file:
        return file.read(_START_BYTES)
