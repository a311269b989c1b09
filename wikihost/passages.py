"""Passages and their vectors inside `catalog.db`: the SQL, for whoever chunks and embeds.

Every function takes the catalog's connection and belongs in one of its transactions. A vector is float16 bytes under
the hash of the text that was embedded and the id of the model, so a passage that moves, or comes back, finds its vector
again. What is left to do is not queued anywhere: a page needs work while `chunked_blob` or `chunked_model` differ from
what it has now.
"""

# The only things put into SQL text here are constants and marks for parameters.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wikihost.query import NO_REDIRECT

# Host parameters of one statement; SQLite allows 32,766.
_MAX_PARAMETERS = 900
# Vectors that no passage uses are kept for reverts and renames, but not more than this (or than are in use).
_SPARE_VECTORS = 1_000

_TITLE_CHOSEN = "coalesce(json_type(frontmatter, '$.title') IN ('text', 'integer', 'real', 'true', 'false'), 0)"
_NEEDS_WORK = "(chunked_blob IS NOT blob OR chunked_model IS NOT ?)"


@dataclass(frozen=True, slots=True)
class PendingPage:
    """A page whose passages are not those of its text. `blob` is the text's git object id.

    `title_is_name` says that the title is the last part of the path, for want of one in the frontmatter.
    """

    id: int
    path: str
    title: str
    title_is_name: bool
    blob: str


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage to store. `section_path` is without the page's title; `hash` names its vector."""

    section: str
    section_path: str
    anchor: str
    text: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage with its page, as they are now. `ordinal` counts from 0, `total` is the page's number of passages."""

    hash: bytes
    ordinal: int
    total: int
    section: str
    section_path: str
    anchor: str
    text: str
    page_id: int
    path: str
    title: str
    words: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of a wiki is indexed for one model."""

    pages_total: int
    pages_indexed: int
    chunks_total: int
    chunks_indexed: int


def pending_pages(connection: sqlite3.Connection, model: str) -> list[PendingPage]:
    """The pages to chunk and embed, in the order in which they were first seen."""
    rows = connection.execute(
        f"SELECT id, path, title, {_TITLE_CHOSEN}, blob FROM page WHERE {_NEEDS_WORK} ORDER BY id",
        (model,),
    )
    return [PendingPage(page_id, path, title, not chosen, blob) for page_id, path, title, chosen, blob in rows]


def is_complete(connection: sqlite3.Connection, model: str) -> bool:
    """True when no page needs work."""
    return connection.execute(f"SELECT 1 FROM page WHERE {_NEEDS_WORK} LIMIT 1", (model,)).fetchone() is None


def read_body(connection: sqlite3.Connection, page: PendingPage) -> str | None:
    """The page's text without frontmatter; None when it was edited or deleted since `page` was read."""
    row = connection.execute(
        "SELECT body FROM page LEFT JOIN page_text ON page_text.rowid = page.id WHERE page.id = ? AND blob = ?",
        (page.id, page.blob),
    ).fetchone()
    return None if row is None else row[0] or ""


def start_over(connection: sqlite3.Connection) -> None:
    """Ask for all pages to be chunked again. Passages stay findable meanwhile, and vectors stay."""
    connection.execute("UPDATE page SET chunked_blob = NULL, chunked_model = NULL")


def missing_vectors(connection: sqlite3.Connection, hashes: Iterable[bytes], model: str) -> set[bytes]:
    """Those of `hashes` that `model` has not embedded yet."""
    wanted = set(hashes)
    known: set[bytes] = set()
    for part in _parts(sorted(wanted)):
        rows = connection.execute(
            f"SELECT hash FROM vector WHERE model = ? AND hash IN ({_marks(part)})",
            (model, *part),
        )
        known.update(row[0] for row in rows)
    return wanted - known


def store_vectors(connection: sqlite3.Connection, model: str, vectors: Mapping[bytes, bytes]) -> None:
    """Keep vectors (float16 bytes by hash); known ones stay as they are."""
    connection.executemany(
        "INSERT INTO vector (hash, model, data) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(digest, model, data) for digest, data in vectors.items()],
    )


def store_passages(
    connection: sqlite3.Connection, page: PendingPage, model: str, passages: Sequence[StoredPassage]
) -> bool:
    """Replace a page's passages, whose vectors are stored already.

    False, and nothing stored, when the page was edited, renamed or deleted since `page` was read: it comes up again.
    """
    marked = connection.execute(
        "UPDATE page SET chunked_blob = blob, chunked_model = ? WHERE id = ? AND blob = ? AND path = ? AND title = ?",
        (model, page.id, page.blob, page.path, page.title),
    )
    if marked.rowcount != 1:
        return False
    connection.execute("DELETE FROM chunk WHERE page_id = ?", (page.id,))
    connection.executemany(
        "INSERT INTO chunk (page_id, ordinal, section, section_path, anchor, text, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (page.id, ordinal, each.section, each.section_path, each.anchor, each.text, each.hash)
            for ordinal, each in enumerate(passages)
        ],
    )
    return True


def progress(connection: sqlite3.Connection, model: str) -> Progress:
    """Counts of pages and passages; a passage counts as indexed when its vector for `model` is stored."""
    pages_total, waiting = connection.execute(
        f"SELECT count(*), coalesce(sum({_NEEDS_WORK}), 0) FROM page",
        (model,),
    ).fetchone()
    chunks_total, chunks_indexed = connection.execute(
        "SELECT count(*), count(vector.hash) FROM chunk LEFT JOIN vector ON vector.hash = chunk.hash AND model = ?",
        (model,),
    ).fetchone()
    return Progress(pages_total, pages_total - waiting, chunks_total, chunks_indexed)


def stored_vectors(connection: sqlite3.Connection, model: str) -> list[tuple[bytes, bytes]]:
    """The vectors of all passages, as (hash, float16 bytes); passages of equal text share one."""
    return connection.execute(
        "SELECT hash, data FROM vector WHERE model = ? AND hash IN (SELECT hash FROM chunk)", (model,)
    ).fetchall()


def all_hashes(connection: sqlite3.Connection) -> list[bytes]:
    """The hashes of all passages, each once."""
    return [digest for (digest,) in connection.execute("SELECT DISTINCT hash FROM chunk")]


def find_passages(connection: sqlite3.Connection, hashes: Sequence[bytes]) -> list[FoundPassage]:
    """The passages that have these hashes now, in no order; several pages may have the same. Redirects have none."""
    found: list[FoundPassage] = []
    for part in _parts(hashes):
        rows = connection.execute(
            "SELECT hash, ordinal, (SELECT count(*) FROM chunk AS sibling WHERE sibling.page_id = page.id),"
            " section, section_path, anchor, text, page.id, path, title, words"
            f" FROM chunk JOIN page ON page.id = page_id WHERE hash IN ({_marks(part)}) AND {NO_REDIRECT}",
            part,
        )
        found.extend(FoundPassage(*row) for row in rows)
    return found


def page_words(connection: sqlite3.Connection, paths: Sequence[str]) -> dict[str, int]:
    """The number of words of each of these pages."""
    rows = connection.execute(f"SELECT path, words FROM page WHERE path IN ({_marks(paths)})", paths)
    return dict(rows.fetchall())


def sweep_vectors(connection: sqlite3.Connection, model: str) -> None:
    """Drop vectors of other models, and the unused when they have become many."""
    connection.execute("DELETE FROM vector WHERE model != ?", (model,))
    unused = "hash NOT IN (SELECT hash FROM chunk)"
    spare, used = connection.execute(f"SELECT sum({unused}), sum(NOT {unused}) FROM vector").fetchone()
    if (spare or 0) > max(_SPARE_VECTORS, used or 0):
        connection.execute(f"DELETE FROM vector WHERE {unused}")


def _parts(values: Sequence[bytes]) -> list[list[bytes]]:
    return [list(values[at : at + _MAX_PARAMETERS]) for at in range(0, len(values), _MAX_PARAMETERS)]


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
