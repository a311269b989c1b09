"""The JSON of search and of its index, as `shapes` has that of all else."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from robot.rest.shapes import Cursor, Head, Instant, Name, Path, Revision, Total


class Explanation(TypedDict):
    """What each of the two searches said of it; null where one did not find it."""

    keyword: Annotated[float | None, Field(description="Of 1, which the best has.", examples=[0.8])]
    semantic: Annotated[float | None, Field(description="The cosine.", examples=[0.41])]
    by_words: Annotated[float, Field(description="What words add to the score, before their weight.", examples=[1.0])]
    by_meaning: Annotated[float, Field(description="The same of meaning.", examples=[0.7])]


class Weights(TypedDict):
    """Together 1."""

    keyword: Annotated[float, Field(examples=[0.4])]
    semantic: Annotated[float, Field(examples=[0.6])]


class Fresh(TypedDict):
    """How much of the wiki an answer could know."""

    head: Head
    indexed_head: Annotated[
        Revision | None,
        Field(description="The commit that is in the answer whole. Where it is not `head`, read `note`."),
    ]
    pages_waiting: Annotated[
        int, Field(ge=0, description="Pages whose newest text is not yet found by meaning.", examples=[0])
    ]
    note: Annotated[
        str | None, Field(description="What is not yet in the answer, as a sentence; null: nothing.", examples=[None])
    ]


class Hit(TypedDict):
    """A page found by words."""

    name: Name
    path: Path
    url: Annotated[
        str,
        Field(
            description="Where people read it, from the section on.",
            examples=["https://notes.example.org/Runbooks/Pump%20stops#checks"],
        ),
    ]
    snippet: Annotated[str, Field(examples=["… check the seal. If there is oil under it, …"])]
    score: Annotated[float, Field(ge=0, le=1, description="To be compared within this answer.", examples=[0.97])]
    section: Annotated[str, Field(description="The heading above the match; empty before any.", examples=["Checks"])]
    anchor: Annotated[str, Field(description="That heading's id in the page: `/{path}#{anchor}`.", examples=["checks"])]
    highlights: Annotated[
        list[list[int]],
        Field(description="What matches: from and to, in characters of `snippet`.", examples=[[[12, 16]]]),
    ]


FirstLine = Annotated[
    int | None,
    Field(ge=1, description="Where it begins in the page's text, from 1; null where that is not known.", examples=[9]),
]
LastLine = Annotated[int | None, Field(ge=1, description="Its last line.", examples=[14])]


class FoundSection(Hit):
    """A section of a page, found by words, by meaning, or both."""

    section_path: Annotated[str, Field(description="The headings down to it.", examples=["Pump stops > Checks"])]
    first_line: FirstLine
    last_line: LastLine
    explain: NotRequired[Annotated[Explanation, Field(description="With `explain=1`: what the score is joined of.")]]


class SearchAnswer(Fresh):
    """Pages by words, best first."""

    query: Annotated[str, Field(examples=["seal oil"])]
    results: list[Hit]
    total: Total
    cursor: NotRequired[Cursor]


class FoundSections(Fresh):
    """Sections by words and by meaning, best first."""

    query: Annotated[str, Field(examples=["what to do when the pump stops"])]
    results: list[FoundSection]
    total: Total
    cursor: NotRequired[Cursor]
    mode: Annotated[
        Literal["hybrid", "keyword", "semantic"],
        Field(description="How they were found: `keyword` while nothing is indexed, or there is no model."),
    ]
    weights: NotRequired[Annotated[Weights, Field(description="With `explain=1`: what words and meaning count for.")]]


class Similar(Fresh):
    """Other pages about the same, the nearest first."""

    path: Path
    results: list[FoundSection]
    total: Annotated[Total, Field(description="How many are in this answer.")]


class PassageEntry(TypedDict):
    """A passage found by meaning."""

    name: Annotated[str, Field(description="The path, not the title.", examples=["Runbooks/Pump stops"])]
    path: Path
    title: Annotated[str, Field(examples=["Pump stops"])]
    text: Annotated[
        str,
        Field(
            description="The passage, after its place in the wiki.",
            examples=["[Pump stops > Checks] If …"],
        ),
    ]
    snippet: Annotated[str, Field(examples=["If there is oil under the seal ..."])]
    distance: Annotated[float, Field(description="Less is nearer.", examples=[0.41])]
    section: Annotated[str, Field(examples=["Checks"])]
    section_path: Annotated[str, Field(examples=["Pump stops > Checks"])]
    first_line: FirstLine
    last_line: LastLine
    url: Annotated[
        str,
        Field(description="Where people read it.", examples=["https://notes.example.org/Runbooks/Pump%20stops#checks"]),
    ]
    anchor: Annotated[
        str, Field(description="Of the section's heading in the page; empty before the first.", examples=["checks"])
    ]
    chunk_index: Annotated[int, Field(ge=0, description="Which passage of the page, from 0.", examples=[1])]
    total_chunks: Annotated[int, Field(ge=0, examples=[3])]
    page_word_count: Annotated[int, Field(ge=0, examples=[214])]


class SemanticSearchAnswer(Fresh):
    """Passages by meaning, nearest first."""

    query: Annotated[str, Field(examples=["machine leaks at night"])]
    results: list[PassageEntry]
    total: Annotated[Total, Field(description="How many are in this answer.")]
    mode: Annotated[
        Literal["semantic", "lexical"],
        Field(description="`lexical`: words answered, since nothing is indexed yet or there is no model."),
    ]


class ReindexStarted(TypedDict):
    """The re-index has begun."""

    status: Literal["started"]


class ReindexCancelled(TypedDict):
    """No re-index runs any more."""

    status: Annotated[
        Literal["cancelled", "idle"], Field(description="`idle`: none was running.", examples=["cancelled"])
    ]


class IndexStatus(TypedDict):
    """How far the search index is, and with which model."""

    status: Annotated[Literal["idle", "in_progress", "complete", "error"], Field(examples=["in_progress"])]
    started_at: Annotated[Instant | None, Field()]
    completed_at: Annotated[Instant | None, Field(examples=[None])]
    error_message: Annotated[str | None, Field(description="Why it failed.", examples=[None])]
    pages_total: Annotated[int, Field(ge=0, examples=[40])]
    pages_indexed: Annotated[int, Field(ge=0, examples=[12])]
    chunks_total: Annotated[int, Field(ge=0, description="Passages of the pages cut so far.", examples=[131])]
    chunks_indexed: Annotated[int, Field(ge=0, examples=[128])]
    chunks_created: Annotated[int, Field(ge=0, description="The older name of `chunks_indexed`.", examples=[128])]
    head: Head
    indexed_head: Annotated[Revision | None, Field(description="The commit that the index is at.", examples=[None])]
    eta_s: Annotated[float | None, Field(description="Seconds that it may still take.", examples=[4.5])]
    model: Annotated[
        str | None,
        Field(description="The embedding model in use; null: there is none, and words answer.", examples=["minilm"]),
    ]
    model_problem: Annotated[str | None, Field(description="Why there is none, as a sentence.", examples=[None])]


class IndexHealth(TypedDict):
    """Whether search by meaning works, as older programs ask for it."""

    status: Literal["ok", "unavailable"]
    backend_type: Literal["faiss"]
    collection: Annotated[str, Field(description="The wiki.", examples=["demo"])]
    document_count: Annotated[int, Field(ge=0, description="Passages in the index.", examples=[584])]
