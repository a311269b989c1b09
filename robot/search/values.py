"""What the search service answers, and the ways in which it can fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from robot.model import Wiki
from wikihost.values import SearchHit

Mode = Literal["semantic", "lexical"]
FindMode = Literal["hybrid", "keyword", "semantic"]
ReindexState = Literal["idle", "in_progress", "complete", "error"]

BETWEEN_HEADINGS = " > "
"""Stands between the headings of a `section_path`."""

MOST_NAMED = 3
"""More wikis than that are counted where a sentence speaks of them."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """What an answer was made from, and what is not yet in it.

    `head` is the wiki's commit that words were searched at, `indexed_head` the one that the index by meaning holds as a
    whole, None where none is known. `pages_waiting` pages could not be found by meaning, or only as they were;
    `model_problem` is a sentence that says why there was no model. Search by words alone lacks nothing.
    """

    head: str
    indexed_head: str | None
    pages_waiting: int = 0
    model_problem: str | None = None

    @property
    def note(self) -> str | None:
        """For people and agents: one sentence of what is not yet in the answer; None where nothing lacks."""
        if self.model_problem is not None:
            return f"Only words were searched: {self.model_problem[:1].lower()}{self.model_problem[1:]}"
        if self.pages_waiting == 1:
            return "1 page is not yet found by meaning; words find it already."
        if self.pages_waiting:
            return f"{self.pages_waiting} pages are not yet found by meaning; words find them already."
        return None


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that answers a query.

    `text` carries its place in the wiki as a `[Title > Heading] ` prefix, `snippet` is its beginning without that;
    `distance` is 1 − cosine (lexical answers: 1 − score), lower is better. `anchor` is the id of the section's heading
    in the rendered page, empty for text before the first heading. `chunk_index` counts from 0. `first_line` and
    `last_line` are where it stands in the page's file (from 1, 0 where that is unknown).
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
    first_line: int = 0
    last_line: int = 0


@dataclass(frozen=True, slots=True)
class SemanticAnswer:
    """Passages, best first. `mode` is "lexical" when keyword search answered: no model, or nothing indexed so far."""

    results: Sequence[Passage]
    mode: Mode
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class Finding:
    """A section of a page, found by words, by meaning, or both; `score` is 0..1.

    `page.section` and `page.anchor` are its heading, `section_path` is `Title > H1 > H2`, `first_line` and `last_line`
    are where the passage stands in the page's file (from 1, 0 where that is unknown).
    `lexical` and `semantic` are what each list said (1 for the best page by words; the cosine), None where it was not
    on the list. Stretched to 0..1 they are `by_words` and `by_meaning`, which the score is the weighted sum of.
    """

    page: SearchHit
    section_path: str
    score: float
    lexical: float | None
    semantic: float | None
    by_words: float = 0.0
    by_meaning: float = 0.0
    first_line: int = 0
    last_line: int = 0

    @property
    def headings(self) -> Sequence[str]:
        """The headings above it and its own, outermost first; not the title, which most pages begin with."""
        # The path begins with the title, or with a heading that only spells it otherwise.
        return self.section_path.removeprefix(self.page.title).split(BETWEEN_HEADINGS)[1:]


@dataclass(frozen=True, slots=True)
class FindAnswer:
    """Findings, best first, a part of `total`. `mode` is how they were found: by words while nothing is indexed.

    `lexical_weight` is what words counted for, of 1.
    """

    results: Sequence[Finding]
    total: int
    mode: FindMode
    lexical_weight: float
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class SimilarAnswer:
    """The sections of other pages that are nearest to a page, one of each, nearest first."""

    results: Sequence[Finding]
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class EverywhereAnswer:
    """Sections of pages of several wikis, best first, with scores that mean the same in all of them.

    `unsearched` are the wikis that could not be searched, each with a sentence that says why; of those that are
    `behind`, some pages could not be found by meaning. `model_problem` says why none could.
    """

    results: Sequence[tuple[Wiki, Finding]]
    unsearched: Sequence[tuple[Wiki, str]]
    behind: Sequence[Wiki] = ()
    model_problem: str | None = None

    @property
    def note(self) -> str | None:
        """As that of `Freshness`."""
        if self.model_problem is not None:
            return Freshness("", None, model_problem=self.model_problem).note
        if not self.behind:
            return None
        which = f"{len(self.behind)} wikis" if len(self.behind) > MOST_NAMED else _listed(self.behind)
        return f"Not all pages of {which} are found by meaning yet; words find them already."


@dataclass(frozen=True, slots=True)
class ReindexStatus:
    """How far a wiki's index is. `chunks_total` counts the passages of the pages chunked so far.

    `model` names the embedding model; where it is None, `model_problem` is a sentence that says why there is none.
    `asked_for`: somebody had it built anew, and can cancel that; else it follows the wiki by itself.
    """

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
    model_problem: str | None = None
    asked_for: bool = False


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the indexing of all wikis has to do.

    `wikis` have work under way or waiting; the oldest of it waits for `oldest_s`. Nothing was done of it for `still_s`,
    which is short however much there is. `failing` wikis could not be indexed as a whole and are tried again.
    """

    wikis: int = 0
    oldest_s: float = 0.0
    still_s: float = 0.0
    failing: int = 0


class SearchError(Exception):
    """Base of what can go wrong in search; the message is a sentence for people."""


class ReindexRunning(SearchError):
    """A re-index of this wiki was asked for and has not finished."""


class ModelUnavailable(SearchError):
    """The embedding model is missing or damaged; keyword search still works."""


class EmbeddingFailed(SearchError):
    """The model could not embed a text."""


def _listed(wikis: Sequence[Wiki]) -> str:
    *others, last = [wiki.name for wiki in wikis]
    return f"{', '.join(others)} and {last}" if others else last
