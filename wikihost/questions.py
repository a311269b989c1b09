"""What the search page of a wiki asks, and what it is answered: by whoever can search by meaning, which no worker can.

A worker asks about its own wiki only: which one that is, the channel says and never the question. Standard library
only, as these values are sent between processes.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

MAX_TEXT_CHARS: Final = 2_000
MAX_NAME_CHARS: Final = 1_024  # of a page or a folder
MAX_LABEL_CHARS: Final = 200  # of a tag or a category
MAX_SECTIONS: Final = 50
MAX_SECTIONS_PER_PAGE: Final = 5
MAX_OFFSET: Final = 10_000


class NoAnswer(Exception):
    """A question was not answered; the message is a sentence for people that says why."""


@dataclass(frozen=True, slots=True)
class Search:
    """Sections by words, and by meaning too unless `words_only`; at most `limit` after the first `offset`.

    Empty filters let everything pass. `updated_since` is a moment in ISO 8601, or empty.
    """

    text: str
    limit: int
    offset: int = 0
    words_only: bool = False
    sections_per_page: int = 1
    tag: str = ""
    category: str = ""
    folder: str = ""
    updated_since: str = ""


@dataclass(frozen=True, slots=True)
class Similar:
    """The sections of other pages that are nearest in meaning to a page, of at most `limit` pages."""

    page: str
    limit: int


Question = Search | Similar


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a page that was found. `highlights` are ranges of `snippet` (from, to), counted in characters.

    `section_path` are the headings that it lies under, from the outermost; `anchor` is the id of the last.
    """

    page: str
    title: str
    snippet: str
    highlights: Sequence[tuple[int, int]]
    section_path: Sequence[str]
    anchor: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found, best first: a part of `total`. `note` is a sentence on what is not in it, empty if nothing."""

    sections: Sequence[Section]
    total: int
    note: str = ""


Answer = Callable[[str, Question], Awaitable[Findings]]
"""Answers a question about the wiki of that id; raises `NoAnswer`."""


def as_fields(question: Question) -> dict[str, Any]:
    """The question as a JSON object."""
    return {"kind": type(question).__name__, **asdict(question)}


def read_question(fields: Mapping[str, Any]) -> Question:
    """The other way, for what may come from anybody. Raises ValueError, TypeError or KeyError."""
    values = dict(fields)
    question: Question = {"Search": Search, "Similar": Similar}[values.pop("kind")](**values)
    for name, value in asdict(question).items():
        _check(name, value)
    return question


def read_findings(fields: Mapping[str, Any]) -> Findings:
    """Findings from a JSON object. Raises TypeError or KeyError."""
    return Findings(tuple(Section(**each) for each in fields["sections"]), fields["total"], fields["note"])


def fitting(findings: Findings, room_bytes: int) -> Findings:
    """The findings with as many of the best sections as have room, written as JSON."""
    kept = []
    for section in findings.sections:
        room_bytes -= len(json.dumps(asdict(section))) + 1
        if room_bytes < 0:
            break
        kept.append(section)
    return replace(findings, sections=tuple(kept))


# Together, and each character written as two escaped surrogates, they go into one packet.
_TEXTS: Final = {
    "text": MAX_TEXT_CHARS,
    "tag": MAX_LABEL_CHARS,
    "category": MAX_LABEL_CHARS,
    "folder": MAX_NAME_CHARS,
    "page": MAX_NAME_CHARS,
    "updated_since": MAX_LABEL_CHARS,
}
_NUMBERS: Final = {
    "limit": range(1, MAX_SECTIONS + 1),
    "offset": range(MAX_OFFSET + 1),
    "sections_per_page": range(1, MAX_SECTIONS_PER_PAGE + 1),
}


def _check(name: str, value: object) -> None:
    if name == "words_only":
        valid = isinstance(value, bool)
    elif name in _NUMBERS:
        valid = type(value) is int and value in _NUMBERS[name]
    else:
        valid = isinstance(value, str) and len(value) <= _TEXTS[name]
        if valid and name == "updated_since" and value:
            valid = datetime.fromisoformat(str(value)).tzinfo is not None
    if not valid:
        raise ValueError(f"not a value for {name}: {value!r:.80}")
