"""Frozen values that pass between a wiki's content and its callers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Author:
    """Who a commit is by. `trailers` are appended to the message (`Robot-Agent`, `Robot-Via`)."""

    name: str
    email: str
    trailers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit, as history shows it. `revision` is 40 hex digits, `date` is aware (author date)."""

    revision: str
    author: str
    email: str
    date: datetime
    message: str
    agent: str | None = None  # value of the Robot-Agent trailer


@dataclass(frozen=True, slots=True)
class Page:
    """A page's whole text at one revision, with what the catalog knows of it.

    `path` is the page name without `.md`; `title` the frontmatter title or the last part of the path; `revision`
    the last commit that touched the page.
    """

    path: str
    title: str
    text: str
    frontmatter: Mapping[str, Any] | None
    links_to: Sequence[str]
    linked_from: Sequence[str]
    last_commit: Commit

    @property
    def revision(self) -> str:
        return self.last_commit.revision


@dataclass(frozen=True, slots=True)
class PageSummary:
    """A row of a page list. `words` counts the body without frontmatter; `updated` is the last commit's date."""

    path: str
    title: str
    category: str | None
    tags: Sequence[str]
    words: int
    revision: str
    updated: datetime


@dataclass(frozen=True, slots=True)
class PageFilter:
    """Which pages a list shows; conditions are joined by AND, None means any."""

    prefix: str | None = None
    category: str | None = None
    tag: str | None = None
    updated_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """An acknowledged write. `head` is the branch head that holds it; equal text gives `changed=False`."""

    path: str
    title: str
    revision: str
    head: str
    created: bool
    changed: bool
    diff: str


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A page found by keyword search; `score` is 0..1, higher is better."""

    path: str
    title: str
    snippet: str
    score: float


@dataclass(frozen=True, slots=True)
class WikiStats:
    """A wiki in figures. `categories` and `tags` count pages; `repository_bytes` is git's size on disk."""

    pages: int
    head: str
    updated: datetime | None
    categories: Mapping[str, int]
    tags: Mapping[str, int]
    repository_bytes: int
