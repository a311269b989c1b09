"""Passages and their vectors inside `catalog.db`: the SQL, for whoever chunks and embeds.

Every function takes the catalog's connection and belongs in one of its transactions. A vector is float16 bytes under
the hash of the text that was embedded and the id of the model, so a passage that moves, or comes back, finds its vector
again. What is left to do is not queued anywhere: a page needs work while `chunked_blob` or `chunked_model` differ from
what it has now.
"""

# The only things put into SQL text here are constants and marks for parameters.
# ruff: noqa: S608

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import groupby
from operator import itemgetter

from wikihost.parameters import marks, parts
from wikihost.query import FINDABLE

_VECTORS_AT_ONCE = 4_096
# Vectors that no passage uses are kept for reverts and renames, but not more than this (or than are in use).
_SPARE_VECTORS = 1_000

_TITLE_CHOSEN = "coalesce(json_type(frontmatter, '$.title') IN ('text', 'integer', 'real', 'true', 'false'), 0)"
_STORED = "ordinal, section, section_path, anchor, first_line, last_line, text, hash"
# Whatever type a damaged one looks like, it comes as bytes.
_VECTORS = "SELECT hash, coalesce(CAST(data AS BLOB), x'') FROM vector WHERE model = ?"
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
    """A passage to store. `section_path` is without the page's title; `hash` names its vector.

    `first_line` and `last_line` are where it stands in the page's file, frontmatter and all, counted from 1 as
    `str.splitlines` does.
    """

    section: str
    section_path: str
    anchor: str
    first_line: int
    last_line: int
    text: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage with its page, as they are now. `ordinal` counts from 0, `total` is the page's number of passages.

    Its lines are those of the text that it was cut from, as in `StoredPassage`.
    """

    hash: bytes
    ordinal: int
    total: int
    section: str
    section_path: str
    anchor: str
    first_line: int
    last_line: int
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
    """The pages to chunk and embed, the last edited first."""
    rows = connection.execute(
        f"SELECT id, path, title, {_TITLE_CHOSEN}, blob FROM page WHERE {_NEEDS_WORK} ORDER BY updated DESC, id",
        (model,),
    )
    return [PendingPage(page_id, path, title, not chosen, blob) for page_id, path, title, chosen, blob in rows]


def pages_waiting(connection: sqlite3.Connection, model: str) -> int:
    """How many pages need work; 0 when the index is complete."""
    ((count,),) = connection.execute(f"SELECT count(*) FROM page WHERE {_NEEDS_WORK}", (model,)).fetchall()
    return int(count)


def read_body(connection: sqlite3.Connection, page: PendingPage) -> str | None:
    """The page's text without frontmatter; None when it was edited or deleted since `page` was read."""
    row = connection.execute(
        "SELECT body FROM page LEFT JOIN page_text ON page_text.rowid = page.id WHERE page.id = ? AND blob = ?",
        (page.id, page.blob),
    ).fetchone()
    return None if row is None else row[0] or ""


def altered_pages(connection: sqlite3.Connection) -> list[int]:
    """The ids of pages whose passages are not those that were stored."""
    rows = connection.execute(f"SELECT page_id, {_STORED} FROM chunk ORDER BY page_id, ordinal")
    found = {page_id: _checksum(row[1:] for row in of_page) for page_id, of_page in groupby(rows, itemgetter(0))}
    stored = connection.execute("SELECT id, chunked_sum FROM page WHERE chunked_blob IS NOT NULL")
    nothing = _checksum(())
    return [page_id for page_id, checksum in stored if found.get(page_id, nothing) != checksum]


def doubt(connection: sqlite3.Connection, model: str, pages: Iterable[int], vectors: Iterable[bytes]) -> None:
    """Drop `vectors`, and ask for these pages again, and for those with a passage that has no vector.

    Their passages stay findable meanwhile.
    """
    connection.executemany("DELETE FROM vector WHERE hash = ? AND model = ?", [(digest, model) for digest in vectors])
    again = "UPDATE page SET chunked_blob = NULL, chunked_model = NULL WHERE id"
    connection.executemany(f"{again} = ?", [(page_id,) for page_id in pages])
    connection.execute(
        f"{again} IN (SELECT page_id FROM chunk WHERE NOT EXISTS"
        " (SELECT 1 FROM vector WHERE vector.hash = chunk.hash AND model = ?))",
        (model,),
    )


def missing_vectors(connection: sqlite3.Connection, hashes: Iterable[bytes], model: str) -> set[bytes]:
    """Those of `hashes` that `model` has not embedded yet."""
    wanted = set(hashes)
    known: set[bytes] = set()
    for part in parts(sorted(wanted)):
        rows = connection.execute(
            f"SELECT hash FROM vector WHERE model = ? AND hash IN ({marks(part)})",
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
    rows = [(ordinal, *astuple(each)) for ordinal, each in enumerate(passages)]
    marked = connection.execute(
        "UPDATE page SET chunked_blob = blob, chunked_model = ?, chunked_sum = ?"
        " WHERE id = ? AND blob = ? AND path = ? AND title = ?",
        (model, _checksum(rows), page.id, page.blob, page.path, page.title),
    )
    if marked.rowcount != 1:
        return False
    connection.execute("DELETE FROM chunk WHERE page_id = ?", (page.id,))
    connection.executemany(
        f"INSERT INTO chunk (page_id, {_STORED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [(page.id, *row) for row in rows]
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


def count_vectors(connection: sqlite3.Connection, model: str) -> int:
    """How many vectors there are, used or not."""
    (count,) = connection.execute("SELECT count(*) FROM vector WHERE model = ?", (model,)).fetchone()
    return int(count)


def each_vector(connection: sqlite3.Connection, model: str) -> Iterator[list[tuple[bytes, bytes]]]:
    """The vectors of all passages in some lists, as (hash, float16 bytes); passages of equal text share one."""
    yield from _in_parts(connection.execute(f"{_VECTORS} AND hash IN (SELECT hash FROM chunk)", (model,)))


def each_kept_vector(connection: sqlite3.Connection, model: str) -> Iterator[list[tuple[bytes, bytes]]]:
    """As `each_vector`, with those that no passage uses now."""
    yield from _in_parts(connection.execute(_VECTORS, (model,)))


def vectors_of(connection: sqlite3.Connection, hashes: Iterable[bytes], model: str) -> list[tuple[bytes, bytes]]:
    """Those of these vectors that are stored, in no order."""
    found: list[tuple[bytes, bytes]] = []
    for part in parts(sorted(hashes)):
        found += connection.execute(f"{_VECTORS} AND hash IN ({marks(part)})", (model, *part))
    return found


def all_hashes(connection: sqlite3.Connection) -> list[bytes]:
    """The hashes of all passages, each once."""
    return [digest for (digest,) in connection.execute("SELECT DISTINCT hash FROM chunk")]


def find_passages(connection: sqlite3.Connection, hashes: Sequence[bytes]) -> list[FoundPassage]:
    """The passages that have these hashes now, in no order; several pages may have the same. Redirects have none."""
    found: list[FoundPassage] = []
    for part in parts(hashes):
        rows = connection.execute(
            "SELECT hash, ordinal, (SELECT count(*) FROM chunk AS sibling WHERE sibling.page_id = page.id),"
            " section, section_path, anchor, first_line, last_line, text, page.id, path, title, words"
            f" FROM chunk JOIN page ON page.id = page_id WHERE hash IN ({marks(part)}) AND {FINDABLE}",
            part,
        )
        found.extend(FoundPassage(*row) for row in rows)
    return found


def page_words(connection: sqlite3.Connection, paths: Sequence[str]) -> dict[str, int]:
    """The number of words of each of these pages."""
    rows = connection.execute(f"SELECT path, words FROM page WHERE path IN ({marks(paths)})", paths)
    return dict(rows.fetchall())


def spent_vectors(connection: sqlite3.Connection, model: str) -> list[tuple[bytes, str]]:
    """The vectors (hash and model) that nothing will ask for: those of other models, and the unused, if many."""
    unused = connection.execute(
        "SELECT hash FROM vector WHERE model = ? AND hash NOT IN (SELECT hash FROM chunk)", (model,)
    )
    spare = [(digest, model) for (digest,) in unused]
    others = connection.execute("SELECT hash, model FROM vector WHERE model != ?", (model,)).fetchall()
    in_use = count_vectors(connection, model) - len(spare)
    return others + (spare if len(spare) > max(_SPARE_VECTORS, in_use) else [])


def drop_spent(connection: sqlite3.Connection, model: str, vectors: Iterable[tuple[bytes, str]]) -> None:
    """Drop vectors that were spent when they were looked up, and are still."""
    connection.executemany(
        "DELETE FROM vector WHERE hash = ? AND model = ?"
        " AND (model != ? OR NOT EXISTS (SELECT 1 FROM chunk WHERE chunk.hash = vector.hash))",
        [(*vector, model) for vector in vectors],
    )


def _in_parts(rows: sqlite3.Cursor) -> Iterator[list[tuple[bytes, bytes]]]:
    while part := rows.fetchmany(_VECTORS_AT_ONCE):
        yield part


def _checksum(rows: Iterable[Sequence[object]]) -> bytes:
    checksum = hashlib.blake2b(digest_size=16)
    for row in rows:
        checksum.update(repr(row).encode("utf-8", "surrogatepass"))
    return checksum.digest()
