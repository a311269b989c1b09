"""One page at a time: what there is to do, how a page is cut, what is stored. Synchronous, called in threads."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

from robot.search.chunk import Chunk, CountTokens, chunk_page
from robot.search.indexing.workload import Workload
from robot.search.values import EmbeddingFailed
from wikihost import passages
from wikihost.content import Content
from wikihost.passages import PendingPage, StoredPassage

if TYPE_CHECKING:
    from robot.search.model.embed import Embedder

HASH_BYTES = 20
VECTORS_PER_SWEEP = 2_000

# As Markdown has them; `str.splitlines`, by which lines are told to people and agents, knows more.
_LINE_END = re.compile(r"\r\n|\n|\r")


# A page as it was refused: its id and its text's object id.
Refused = Mapping[tuple[int, str], str]


@dataclass(frozen=True, slots=True)
class Survey:
    """The head that was surveyed, and those of the refused pages that are still the same."""

    head: str
    refused: Refused


@dataclass(frozen=True, slots=True)
class PageBody:
    """A page's text without frontmatter, and the line of the file with which each of its lines, and its end, begins."""

    text: str
    file_lines: Sequence[int]


@dataclass(frozen=True, slots=True)
class PlannedPage:
    """A page's passages, and for each hash the text to embed."""

    page: PendingPage
    passages: Sequence[StoredPassage]
    texts: Mapping[bytes, str]


def survey(content: Content, model_id: str, refused: Refused, work: Workload) -> Survey:
    """Bring the catalog to the head, and `work` to the pages that need some and were not refused."""
    head = content.sync()
    pending = content.catalog.read(lambda db: passages.pending_pages(db, model_id))
    work.take_stock(page for page in pending if (page.id, page.blob) not in refused)
    same = {(page.id, page.blob) for page in pending}
    return Survey(head, {page: reason for page, reason in refused.items() if page in same})


def look_through(content: Content, model_id: str, embedder: Embedder) -> None:
    """Make pages pending whose passages are not those that were stored, and drop vectors that cannot be right.

    A page is cut and embedded in one way only, so what is as it was stored need not be done again.
    """
    from robot.search import soundness  # noqa: PLC0415 - numpy comes with it, in this thread

    dimension = embedder.embed_query("dimension").shape[1]

    def look(db: sqlite3.Connection) -> tuple[list[int], list[bytes]]:
        unsound = [
            digest
            for rows in passages.each_kept_vector(db, model_id)
            for digest in soundness.decode(rows, dimension).unsound
        ]
        return passages.altered_pages(db), unsound

    pages, vectors = content.catalog.read(look)
    content.catalog.write(lambda db: passages.doubt(db, model_id, pages, vectors))


def read_body(content: Content, page: PendingPage) -> PageBody | None:
    """What there is to cut of the page, None when the page moved on."""
    body = content.catalog.read(lambda db: passages.read_body(db, page))
    if body is None:
        return None
    return body_in(content.read_blob(page.blob).decode("utf-8", "replace"), body)


def body_in(text: str, body: str) -> PageBody:
    """The body as the catalog has it, which is at the end of the page's text and as long as it is there."""
    ends = list(accumulate(map(len, text.splitlines(keepends=True))))
    begin = len(text) - len(body)
    starts = [begin, *(match.end() for match in _LINE_END.finditer(text, begin)), len(text)]
    return PageBody(body, [bisect_right(ends, start) + 1 for start in starts])


def plan(page: PendingPage, body: PageBody, count: CountTokens) -> PlannedPage:
    """Cut a page. Raises `EmbeddingFailed` where the text breaks the chunker or the tokenizer."""
    try:
        chunks = chunk_page(body.text, page.title, title_is_name=page.title_is_name, count=count)
    except Exception as error:
        # One odd page must not keep the rest of its wiki from being found: it is reported and left out.
        raise EmbeddingFailed(f"The page {page.path} cannot be cut into passages: {error!r}") from error
    texts = {_hash(chunk.embedded): chunk.embedded for chunk in chunks}
    return PlannedPage(page, [_as_stored(chunk, body.file_lines) for chunk in chunks], texts)


def missing(content: Content, planned: PlannedPage, model_id: str) -> list[bytes]:
    """The hashes that were never embedded, in reading order."""
    unknown = content.catalog.read(lambda db: passages.missing_vectors(db, planned.texts, model_id))
    return [digest for digest in planned.texts if digest in unknown]


def keep_vectors(content: Content, model_id: str, vectors: Mapping[bytes, bytes]) -> None:
    content.catalog.write(lambda db: passages.store_vectors(db, model_id, vectors))


def finish_page(content: Content, planned: PlannedPage, model_id: str, vectors: Mapping[bytes, bytes]) -> bool:
    """Store a page's passages with the last of their vectors, in one transaction.

    False when the page moved on, or a vector that was there is not any more: it comes up again.
    """

    def store(db: sqlite3.Connection) -> bool:
        passages.store_vectors(db, model_id, vectors)
        if passages.missing_vectors(db, planned.texts, model_id):
            return False
        return passages.store_passages(db, planned.page, model_id, planned.passages)

    return content.catalog.write(store)


def sweep(content: Content, model_id: str) -> None:
    """Drop the vectors that nothing will ask for, some at a time: writes wait for each."""
    spent = content.catalog.read(lambda db: passages.spent_vectors(db, model_id))
    for at in range(0, len(spent), VECTORS_PER_SWEEP):
        part = spent[at : at + VECTORS_PER_SWEEP]
        content.catalog.write(partial(passages.drop_spent, model=model_id, vectors=part))


def _as_stored(chunk: Chunk, file_lines: Sequence[int]) -> StoredPassage:
    return StoredPassage(
        section=chunk.section,
        section_path=chunk.section_path,
        anchor=chunk.anchor,
        first_line=file_lines[chunk.lines.start],
        last_line=file_lines[chunk.lines.stop] - 1,
        text=chunk.text,
        hash=_hash(chunk.embedded),
    )


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).digest()
