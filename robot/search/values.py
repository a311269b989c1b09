"""What the search service answers, and the ways in which it can fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from wikihost.values import SearchHit

Mode = Literal["semantic", "lexical"]
FindMode = Literal["hybrid", "keyword", "semantic"]
ReindexState = Literal["idle", "in_progress", "complete", "error"]


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that answers a query.

    `text` carries its place in the wiki as a `[Title > Heading] ` prefix, `snippet` is its beginning without that;
    `distance` is 1 − cosine (lexical answers: 1 − score), lower is better. `anchor` is the id of the section's heading
    in the rendered page, empty for text before the first heading. `chunk_index` counts from 0.
    """

    path: str
    title: str
    text: str
    snippet: str
    distance: float
    section: str
    section_path: str
    anchor: str
    chunk_index: int
    total_chunks: int
    page_word_count: int


@dataclass(frozen=True, slots=True)
class SemanticAnswer:
    """Passages, best first. Where `indexed_head` differs from `head`, later edits may not be in them yet.

    `mode` is "lexical" when the answer came from keyword search: no model, or nothing indexed so far.
    """

    results: Sequence[Passage]
    mode: Mode
    head: str
    indexed_head: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """A page found by words, by meaning, or both; `score` is 0..1.

    `lexical` and `semantic` are what each list said of the page (1 for the best by words; the cosine), None where it
    was not on the list.
    """

    page: SearchHit
    score: float
    lexical: float | None
    semantic: float | None


@dataclass(frozen=True, slots=True)
class FindAnswer:
    """Findings, best first, a part of `total`. `mode` is how they were found: by words while nothing is indexed.

    `lexical_weight` is what words counted for, of 1.
    """

    results: Sequence[Finding]
    total: int
    mode: FindMode
    lexical_weight: float
    head: str
    indexed_head: str | None


@dataclass(frozen=True, slots=True)
class ReindexStatus:
    """How far a wiki's index is. `chunks_total` counts the passages of the pages chunked so far."""

    state: ReindexState
    pages_total: int
    pages_indexed: int
    chunks_total: int
    chunks_indexed: int
    head: str
    indexed_head: str | None
    started_at: datetime | None
    completed_at: datetime | None
    error_message: str | None
    eta_s: float | None
    model: str | None


class SearchError(Exception):
    """Base of what can go wrong in search; the message is a sentence for people."""


class ReindexRunning(SearchError):
    """A re-index of this wiki was asked for and has not finished."""


class ModelUnavailable(SearchError):
    """The embedding model is missing or damaged; keyword search still works."""


class EmbeddingFailed(SearchError):
    """The model could not embed a text."""
