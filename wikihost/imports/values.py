"""Values of an import: what was chosen, what bounds it, and what became of each file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from wikihost.errors import ContentError

Progress = Callable[[int, int], None]
"""Told (files done, files in all); it may raise to stop the import, which has written nothing then."""


class ImportRefused(ContentError):
    """The source cannot be imported at all; the message says why, and nothing was written."""

    code = "import_refused"


class Unreadable(Exception):
    """One file of a source cannot be had; the message says why in a sentence."""


class OnExisting(StrEnum):
    """What to do with a page that the wiki has already."""

    SKIP = "skip"
    REPLACE = "replace"
    RENAME = "rename"


class LinkStyle(StrEnum):
    """How the source's links are to be read; `AUTO` looks at the files."""

    AUTO = "auto"
    OBSIDIAN = "obsidian"
    OTTER = "otter"


@dataclass(frozen=True, slots=True)
class Choices:
    existing: OnExisting = OnExisting.SKIP
    style: LinkStyle = LinkStyle.AUTO


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """How much is read of a source at most. `ratio` is unpacked to packed bytes, counted beyond a first megabyte."""

    file_bytes: int
    total_bytes: int = 512 * 1024 * 1024
    files: int = 50_000
    ratio: int = 200


@dataclass(frozen=True, slots=True)
class Moved:
    """A file that got another name than its own, and why."""

    source: str
    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that was not taken, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an import did, or with `revision` "" would do. Pages are named without `.md`; sources are paths as given.

    `history` counts the commits that came along; `links` those that were rewritten; `hidden` names what begins with a
    dot or belongs to a program, as folders where a whole folder was left out. `no_room` says why all of it would be
    refused, when it is more than the wiki's quota leaves room for.
    """

    style: LinkStyle
    created: Sequence[str] = ()
    replaced: Sequence[str] = ()
    unchanged: Sequence[str] = ()
    skipped: Sequence[str] = ()
    attachments: Sequence[str] = ()
    renamed: Sequence[Moved] = ()
    refused: Sequence[Refusal] = ()
    hidden: Sequence[str] = ()
    notes: Sequence[str] = ()
    links: int = 0
    history: int = 0
    revision: str = ""
    no_room: str = ""

    @property
    def changes_something(self) -> bool:
        return bool(self.created or self.replaced or self.attachments or self.history)


@dataclass(slots=True)
class Findings:
    """A report in the making."""

    created: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    attachments: list[str] = field(default_factory=list)
    renamed: list[Moved] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    links: int = 0
