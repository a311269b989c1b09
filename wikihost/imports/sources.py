"""What a source of files is, and which of its paths are taken at all. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from wikihost.imports.values import ImportRefused, Refusal, SourceLimits
from wikihost.names import MAX_PARTS

_DRIVE = re.compile(r"[A-Za-z]:/")
_OF_PROGRAMS = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
_SHOWN_CHARACTERS = 300


class Source(Protocol):
    """Files from elsewhere. `files` are paths with slashes and their sizes in bytes."""

    @property
    def files(self) -> Mapping[str, int]: ...

    @property
    def refused(self) -> Sequence[Refusal]: ...

    @property
    def hidden(self) -> Sequence[str]: ...

    def read(self, path: str) -> bytes:
        """The bytes of one of `files`. Raises `Unreadable`."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of a source as it says of itself; `problem` is why it cannot be taken, whatever its name."""

    path: str
    size: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Sifted:
    """`files` maps the path to take to the path as listed."""

    files: Mapping[str, str]
    refused: Sequence[Refusal]
    hidden: Sequence[str]


def sift(entries: Iterable[Listed], limits: SourceLimits, *, root: str = "") -> Sifted:
    """Decide for each entry whether it is taken. Raises `ImportRefused` when they are too many or too large together.

    `root` is the archive's own name: a folder of that name around everything is no part of the names.
    """
    taken: dict[str, Listed] = {}
    refused: list[Refusal] = []
    hidden: dict[str, None] = {}
    total = 0
    for number, entry in enumerate(entries, start=1):
        if number > limits.files:
            raise ImportRefused(f"There are more than {limits.files:,} files in it; import it in parts.")
        path = entry.path.replace("\\", "/")
        if (inside := _hidden_part(path)) is not None:
            hidden[inside] = None
            continue
        problem = _path_problem(path) or entry.problem or _size_problem(entry.size, limits)
        if problem is None and path in taken:
            problem = "Another file of exactly this name is taken."
        if problem is not None:
            refused.append(Refusal(shown(entry.path), problem))
            continue
        total += entry.size
        if total > limits.total_bytes:
            raise ImportRefused(f"It is larger than {limits.total_bytes // 2**20:,} MiB when unpacked.")
        taken[path] = entry
    cut = len(_wrapping_folder(taken, hidden, root))
    files = {path[cut:]: entry.path for path, entry in taken.items()}
    return Sifted(files, refused, [name[cut:] or name for name in hidden])


def shown(path: str) -> str:
    """A path as a report shows it: one line, bounded, nothing that cannot be stored."""
    visible = "".join(" " if unicodedata.category(character)[0] == "C" else character for character in path)
    return visible if len(visible) <= _SHOWN_CHARACTERS else visible[: _SHOWN_CHARACTERS - 1] + "…"


def name_problem(path: str) -> str | None:
    """Why a path of a file system or of git is none here: there a backslash is no slash, and bytes need be no text."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return "Its name is not UTF-8."
    return "Its name has a backslash." if "\\" in path else None


def _hidden_part(path: str) -> str | None:
    """The hidden file, or the outermost hidden folder on the way to it."""
    parts = path.split("/")
    for depth, part in enumerate(parts, start=1):
        if (part.startswith(".") and part not in (".", "..")) or part.casefold() in _OF_PROGRAMS:
            return "/".join(parts[:depth]) + ("/" if depth < len(parts) else "")
    return None


def _path_problem(path: str) -> str | None:
    parts = path.split("/")
    if path.startswith("/") or _DRIVE.match(path):
        return "Its path is absolute."
    if ".." in parts:
        return "Its path leaves the folder (..)."
    if "" in parts or "." in parts:
        return "Its path has an empty part."
    if len(parts) > MAX_PARTS:
        return f"Its path has more than {MAX_PARTS} parts."
    return None


def _size_problem(size: int, limits: SourceLimits) -> str | None:
    if size <= limits.file_bytes:
        return None
    return f"It has {size:,} bytes; a file can have at most {limits.file_bytes:,}."


def _wrapping_folder(taken: Iterable[str], hidden: Iterable[str], root: str) -> str:
    """The folder (with its slash) around everything, if it is the archive's own or a vault's; else ""."""
    folders = {path.partition("/")[0] if "/" in path else "" for path in taken}
    if len(folders) != 1 or "" in folders:
        return ""
    (folder,) = folders
    is_vault = any(name == f"{folder}/.obsidian/" for name in hidden)
    return f"{folder}/" if is_vault or folder == root else ""
