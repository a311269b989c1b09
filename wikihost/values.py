"""Frozen values that pass between a wiki's content and its callers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from wikihost.quota import Quota, Usage


@dataclass(frozen=True, slots=True)
class Author:
    """Who a commit is by. `trailers` are appended to the message (`Robot-Agent`, `Robot-Via`, `Robot-Credential`)."""

    name: str
    email: str
    trailers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit, as history shows it. `revision` is 40 hex digits, `date` is aware (author date).

    `via` is the door that it came through, as far as that is known (mcp, rest, git, web). A commit that was pushed has
    an author of its own choice; `pushed_by` is who brought it.
    """

    revision: str
    author: str
    email: str
    date: datetime
    message: str
    agent: str | None = None  # value of the Robot-Agent trailer
    via: str | None = None
    pushed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page's whole text at one revision, with what the catalog knows of it.

    `path` is the page name without `.md`; `title` the frontmatter title or the last part of the path; `revision`
    the last commit that touched the page. `redirected_from` is the name that was asked for, where that page stands for
    this one.
    """

    path: str
    title: str
    text: str
    frontmatter: Mapping[str, Any] | None
    links_to: Sequence[str]
    linked_from: Sequence[str]
    last_commit: Commit
    redirected_from: str | None = None

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
    """Which pages a list shows; conditions are joined by AND, None means any.

    `orphans` are pages that no other page links to, but for the home page and redirects.
    """

    prefix: str | None = None
    category: str | None = None
    tag: str | None = None
    updated_since: datetime | None = None
    orphans: bool = False


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
class SearchFilters:
    """Which pages a search looks at; conditions are joined by AND, an empty one means any.

    `tag`, `category` and `prefix` mean what is typed after `tag:`, `category:` and `path:` (`keyword_syntax`).
    `updated_since` is the first moment that counts, `updated_before` the first that does not; both are aware.
    """

    tag: str = ""
    category: str = ""
    prefix: str = ""
    updated_since: datetime | None = None
    updated_before: datetime | None = None


NO_FILTERS = SearchFilters()


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A page found by keyword search; `score` is 0..1, higher is better.

    `highlights` are the ranges of `snippet` (from, to, in characters) that match. `section` and `anchor` are the
    heading above the first of them and its id in the rendered page, empty for what stands before any heading.
    """

    path: str
    title: str
    snippet: str
    score: float
    highlights: Sequence[tuple[int, int]] = ()
    section: str = ""
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class SearchHits:
    """A part of what a search found, best first; `total` counts all of it."""

    total: int
    hits: Sequence[SearchHit]


@dataclass(frozen=True, slots=True)
class WikiStats:
    """A wiki in figures. `categories` and `tags` count pages; `repository_bytes` is git's size on disk.

    That includes history, which the quota does not count.
    """

    pages: int
    usage: Usage
    quota: Quota
    head: str
    updated: datetime | None
    categories: Mapping[str, int]
    tags: Mapping[str, int]
    repository_bytes: int


@dataclass(frozen=True, slots=True)
class Removed:
    """An acknowledged removal of a page or an attachment; `path` is the page's, `attachments` went with the page."""

    path: str
    revision: str
    attachments: Sequence[str]
    diff: str


@dataclass(frozen=True, slots=True)
class Renamed:
    """An acknowledged rename. `updated_pages` are others whose links were rewritten.

    `links_left` counts the pages that still link to the old name, since the caller's credential does not reach them.
    """

    old_path: str
    new_path: str
    revision: str
    updated_pages: Sequence[str]
    redirect: bool
    diff: str
    links_left: int = 0


@dataclass(frozen=True, slots=True)
class UndonePage:
    """What an undo does to one page and its files. `source` is the name that it has until then, where it is renamed.

    `attachments` are the files that change with it, or alone.
    """

    path: str
    kind: Literal["created", "updated", "deleted", "renamed"]
    diff: str
    attachments: Sequence[str] = ()
    source: str | None = None


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A page that an undo of several changes leaves as it is, and the reason in a few words."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Undone:
    """An acknowledged undo of the commits `undoes`, newest first; a dry run has `changed=False` and the same pages."""

    revision: str
    changed: bool
    undoes: Sequence[str]
    pages: Sequence[UndonePage]
    left_alone: Sequence[LeftAlone] = ()

    @property
    def paths(self) -> list[str]:
        return [page.path for page in self.pages]

    @property
    def diff(self) -> str:
        return "".join(page.diff for page in self.pages)

    @property
    def digest(self) -> str:
        """Equal for two undos that do the same."""
        told = repr((list(self.undoes), list(self.pages), list(self.left_alone)))
        return hashlib.sha256(told.encode("utf-8", "backslashreplace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a page, `size` bytes under the object id `blob`.

    `revision` is the last commit that touched it, `modified` that commit's date.
    """

    page: str
    filename: str
    size: int
    blob: str
    revision: str
    modified: datetime


@dataclass(frozen=True, slots=True)
class Attached:
    """An acknowledged upload; equal bytes give `changed=False` and the revision that was there."""

    page: str
    filename: str
    size: int
    revision: str
    created: bool
    changed: bool


@dataclass(frozen=True, slots=True)
class LinkGraph:
    """Every wikilink between pages, as (source, target); targets that do not exist are nodes too."""

    nodes: Sequence[str]
    edges: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class LoggedCommit:
    """A commit with the pages that it touched; an attachment counts as its page."""

    commit: Commit
    pages: Sequence[str]


@dataclass(frozen=True, slots=True)
class PageChange:
    """What one commit did to one page: created, updated, deleted, or renamed (`source` is the old name)."""

    path: str
    kind: Literal["created", "updated", "deleted", "renamed"]
    commit: Commit
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened after a commit, oldest first; `more` if there is more after the last of them."""

    head: str
    changes: Sequence[PageChange]
    last: str
    more: bool
