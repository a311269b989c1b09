"""From hashes of passages to the pages they stand on, and from pages to their passages: what searches read.

Every function takes the catalog's connection. A redirect is no page here: what it stands for is. Rows are named tuples
because a search reads hundreds of them.
"""

# The only things put into SQL text here are constants.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from wikihost.parameters import marks, parts
from wikihost.query import FINDABLE


class Standing(NamedTuple):
    """Where a passage stands; `ordinal` counts the page's passages from 0."""

    hash: bytes
    path: str
    ordinal: int


class PagePassage(NamedTuple):
    """A passage of a page. `is_current` says that it is of the page's text as it is now; else it is of an older one."""

    ordinal: int
    section: str
    section_path: str
    anchor: str
    first_line: int
    last_line: int
    text: str
    hash: bytes
    is_current: bool


class SectionHeading(NamedTuple):
    """A heading that begins a section; `level` is 1 to 6."""

    title: str
    anchor: str
    level: int


def standing(connection: sqlite3.Connection, hashes: Sequence[bytes]) -> list[Standing]:
    """Where passages of these hashes stand now, in no order; several pages may have the same."""
    return [
        Standing._make(row)
        for part in parts(hashes)
        for row in connection.execute(
            "SELECT hash, path, ordinal FROM chunk JOIN page ON page.id = page_id"
            f" WHERE hash IN ({marks(part)}) AND {FINDABLE}",
            part,
        )
    ]


def hashes_on(connection: sqlite3.Connection, paths: Iterable[str]) -> set[bytes]:
    """The hashes of these pages' passages."""
    return {
        digest
        for part in parts(paths)
        for (digest,) in connection.execute(
            f"SELECT hash FROM chunk JOIN page ON page.id = page_id WHERE path IN ({marks(part)})", part
        )
    }


def pages_with(connection: sqlite3.Connection, hashes: Sequence[bytes]) -> int:
    """How many pages have any of these passages."""
    return len({each.path for each in standing(connection, hashes)})


def passages_on(connection: sqlite3.Connection, paths: Sequence[str]) -> dict[str, list[PagePassage]]:
    """The passages of these pages in their order; a page that has none is left out."""
    found: dict[str, list[PagePassage]] = {}
    rows = connection.execute(
        "SELECT path, ordinal, section, section_path, anchor, first_line, last_line, text, hash, chunked_blob IS blob"
        f" FROM chunk JOIN page ON page.id = page_id WHERE path IN ({marks(paths)}) ORDER BY page_id, ordinal",
        paths,
    )
    for path, *columns in rows:
        found.setdefault(path, []).append(PagePassage._make(columns))
    return found


def titles_of(connection: sqlite3.Connection, paths: Sequence[str]) -> dict[str, str]:
    """The titles of these pages, by name."""
    return dict(connection.execute(f"SELECT path, title FROM page WHERE path IN ({marks(paths)})", paths).fetchall())


def blobs_of(connection: sqlite3.Connection, paths: Sequence[str]) -> dict[str, str]:
    """The object ids of these pages' texts, by name."""
    return dict(connection.execute(f"SELECT path, blob FROM page WHERE path IN ({marks(paths)})", paths).fetchall())


def named(connection: sqlite3.Connection, path: str) -> str:
    """A page's title and tags."""
    rows = connection.execute(
        "SELECT title FROM page WHERE path = ?1"
        " UNION ALL SELECT tag FROM tag JOIN page ON page.id = page_id WHERE path = ?1",
        (path,),
    )
    return " ".join(text for (text,) in rows)


def headings_on(connection: sqlite3.Connection, paths: Sequence[str]) -> dict[str, list[SectionHeading]]:
    """The headings that begin the sections of these pages, in their order."""
    found: dict[str, list[SectionHeading]] = {}
    rows = connection.execute(
        "SELECT path, heading.title, anchor, level FROM heading JOIN page ON page.id = page_id"
        f" WHERE path IN ({marks(paths)}) ORDER BY page_id, start",
        paths,
    )
    for path, *columns in rows:
        found.setdefault(path, []).append(SectionHeading._make(columns))
    return found
