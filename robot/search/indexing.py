"""One page at a time: what there is to do, how a page is cut, what is stored. Synchronous, called in threads."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robot.search.chunk import CountTokens, chunk_page
from robot.search.values import EmbeddingFailed
from wikihost import passages
from wikihost.content import Content
from wikihost.passages import PendingPage, StoredPassage

HASH_BYTES = 20


@dataclass(frozen=True, slots=True)
class Survey:
    """What a wiki's index lacks at `head`."""

    head: str
    pages: Sequence[PendingPage]


@dataclass(frozen=True, slots=True)
class PlannedPage:
    """A page's passages, and for each hash the text to embed."""

    page: PendingPage
    passages: Sequence[StoredPassage]
    texts: Mapping[bytes, str]


def survey(content: Content, model_id: str) -> Survey:
    """Bring the catalog to the head and list the pages that need work."""
    head = content.sync()
    return Survey(head, content.catalog.read(lambda db: passages.pending_pages(db, model_id)))


def start_over(content: Content) -> None:
    """Ask for every page again; vectors of unchanged passages stay."""
    content.catalog.write(passages.start_over)


def read_body(content: Content, page: PendingPage) -> str | None:
    """The page's text without frontmatter, None when the page moved on."""
    return content.catalog.read(lambda db: passages.read_body(db, page))


def plan(page: PendingPage, body: str, count: CountTokens) -> PlannedPage:
    """Cut a page. Raises `EmbeddingFailed` where the text breaks the chunker or the tokenizer."""
    try:
        chunks = chunk_page(body, page.title, title_is_name=page.title_is_name, count=count)
    except Exception as error:
        # One odd page must not keep the rest of its wiki from being found: it is reported and left out.
        raise EmbeddingFailed(f"The page {page.path} cannot be cut into passages: {error!r}") from error
    texts = {_hash(chunk.embedded): chunk.embedded for chunk in chunks}
    stored = [
        StoredPassage(chunk.section, chunk.section_path, chunk.anchor, chunk.text, _hash(chunk.embedded))
        for chunk in chunks
    ]
    return PlannedPage(page, stored, texts)


def missing(content: Content, planned: PlannedPage, model_id: str) -> list[bytes]:
    """The hashes that were never embedded, in reading order."""
    unknown = content.catalog.read(lambda db: passages.missing_vectors(db, planned.texts, model_id))
    return [digest for digest in planned.texts if digest in unknown]


def keep_vectors(content: Content, model_id: str, vectors: Mapping[bytes, bytes]) -> None:
    content.catalog.write(lambda db: passages.store_vectors(db, model_id, vectors))


def finish_page(content: Content, planned: PlannedPage, model_id: str, vectors: Mapping[bytes, bytes]) -> bool:
    """Store a page's passages with the last of their vectors, in one transaction. False when the page moved on."""

    def store(db: sqlite3.Connection) -> bool:
        passages.store_vectors(db, model_id, vectors)
        return passages.store_passages(db, planned.page, model_id, planned.passages)

    return content.catalog.write(store)


def sweep(content: Content, model_id: str) -> None:
    """Drop the vectors that nothing will ask for."""
    content.catalog.write(lambda db: passages.sweep_vectors(db, model_id))


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).digest()
