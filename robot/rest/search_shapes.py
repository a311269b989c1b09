"""The JSON of search and of its index, as `shapes` has that of all else."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from robot.rest.shapes import Cursor, Head, Instant, Name, Path, Revision, Total


class Explanation(TypedDict):
    """What each of the two searches said of a page; null where it did not find it."""

    keyword: Annotated[float | None, Field(description="Of 1, which the best has.", examples=[0.8])]
    semantic: Annotated[float | None, Field(description="The cosine.", examples=[0.41])]


class Weights(TypedDict):
    """Together 1."""

    keyword: Annotated[float, Field(examples=[0.4])]
    semantic: Annotated[float, Field(examples=[0.6])]


class Hit(TypedDict):
    """A page found by words."""

    name: Name
    path: Path
    snippet: Annotated[str, Field(examples=["… check the seal. If there is oil under it, …"])]
    score: Annotated[float, Field(ge=0, le=1, description="The best hit has 1.", examples=[1.0])]
    section: Annotated[
        str, Field(description="The heading above the first match; empty before any.", examples=["Checks"])
    ]
    anchor: Annotated[str, Field(description="That heading's id in the page: `/{path}#{anchor}`.", examples=["checks"])]
    highlights: Annotated[
        list[list[int]],
        Field(description="What matches: from and to, in characters of `snippet`.", examples=[[[12, 16]]]),
    ]
    explain: NotRequired[Annotated[Explanation, Field(description="With `explain=1`: what the score is joined of.")]]


class SearchAnswer(TypedDict):
    """Pages by words, best first."""

    query: Annotated[str, Field(examples=["seal oil"])]
    results: list[Hit]
    total: Total
    cursor: NotRequired[Cursor]


class FoundPages(TypedDict):
    """Pages by words and by meaning, best first."""

    query: Annotated[str, Field(examples=["what to do when the pump stops"])]
    results: list[Hit]
    total: Total
    cursor: NotRequired[Cursor]
    mode: Annotated[
        Literal["hybrid", "keyword", "semantic"],
        Field(description="How they were found: `keyword` while nothing is indexed, or there is no model."),
    ]
    head: Head
    indexed_head: Annotated[
        Revision | None, Field(description="Where it differs from `head`, the last edits may be missing.")
    ]
    weights: NotRequired[Annotated[Weights, Field(description="With `explain=1`: what words and meaning count for.")]]


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
    anchor: Annotated[
        str, Field(description="Of the section's heading in the page; empty before the first.", examples=["checks"])
    ]
    chunk_index: Annotated[int, Field(ge=0, description="Which passage of the page, from 0.", examples=[1])]
    total_chunks: Annotated[int, Field(ge=0, examples=[3])]
    page_word_count: Annotated[int, Field(ge=0, examples=[214])]


class SemanticSearchAnswer(TypedDict):
    """Passages by meaning, nearest first."""

    query: Annotated[str, Field(examples=["machine leaks at night"])]
    results: list[PassageEntry]
    total: Annotated[Total, Field(description="How many are in this answer.")]
    mode: Annotated[
        Literal["semantic", "lexical"],
        Field(description="`lexical`: words answered, since nothing is indexed yet or there is no model."),
    ]
    head: Head
    indexed_head: Annotated[
        Revision | None, Field(description="Where it differs from `head`, the last edits may be missing.")
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
    """How far the search index is."""

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
    model: Annotated[str | None, Field(description="null: there is none, and words answer.", examples=["minilm"])]


class IndexHealth(TypedDict):
    """Whether search by meaning works, as older programs ask for it."""

    status: Literal["ok", "unavailable"]
    backend_type: Literal["faiss"]
    collection: Annotated[str, Field(description="The wiki.", examples=["demo"])]
    document_count: Annotated[int, Field(ge=0, description="Passages in the index.", examples=[584])]
