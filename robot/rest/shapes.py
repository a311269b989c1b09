"""The JSON of every answer, member by member: what `answers` gives, and what the OpenAPI document says.

`mypy` holds the code to these shapes, and pydantic makes the schemas from them; nothing is checked again at run time.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

_REVISION = "3f2a9c0d1e4b5a69788796a5b4c3d2e1f0a9b8c7"

Text = Annotated[str, Field(examples=["---\ncategory: runbook\n---\n\n# Pump stops\n"])]
Path = Annotated[
    str, Field(description="The page's name, with the names it lies under.", examples=["Runbooks/Pump stops"])
]
Name = Annotated[
    str,
    Field(description="The title in the frontmatter, else the last part of the path.", examples=["Pump stops"]),
]
Revision = Annotated[
    str, Field(pattern="^[0-9a-f]{40}$", description="A commit, 40 hexadecimal digits.", examples=[_REVISION])
]
MadeRevision = Annotated[
    Revision | None, Field(description="The commit that did it; null for a dry run.", examples=[_REVISION])
]
Head = Annotated[
    str, Field(pattern="^[0-9a-f]{40}$", description="The commit that the wiki is at.", examples=[_REVISION])
]
Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-20T09:14:03+00:00"])]
Names = Annotated[list[str], Field(examples=[["Home", "Runbooks/Restore"]])]
Total = Annotated[int, Field(ge=0, description="How many there are in all.", examples=[1])]
Cursor = Annotated[
    str, Field(description="There is more: send this as `cursor` to go on.", examples=["Runbooks/Pump stops"])
]
Filename = Annotated[str, Field(examples=["setup.png"])]
Size = Annotated[int, Field(ge=0, description="Bytes.", examples=[48213])]
MimeType = Annotated[str, Field(description="By the ending of the name.", examples=["image/png"])]
Diff = Annotated[
    str, Field(description="What changes, as a unified diff.", examples=["--- a/Home.md\n+++ b/Home.md\n…"])
]
DryRun = Annotated[Literal[True], Field(description="Only there for a dry run.")]


class Amount(TypedDict):
    """What files at the head take. The quota counts both."""

    pages: Annotated[int, Field(examples=[5000])]
    bytes: Annotated[int, Field(examples=[209715200])]


class ErrorAnswer(TypedDict):
    """Why nothing was done."""

    error: Annotated[str, Field(description="A sentence for people.", examples=["Page not found: Runbooks/Pmup"])]
    code: Annotated[str, Field(description="For programs; it stays the same.", examples=["page_not_found"])]
    current_revision: NotRequired[Annotated[Revision, Field(description="What the page or file is at now.")]]
    current_text: NotRequired[Annotated[str, Field(description="With `conflict` of a page: its text as it is now.")]]
    occurrences: NotRequired[
        Annotated[int, Field(description="With `edit_not_applicable`: how often `old_string` occurs.")]
    ]
    needed: NotRequired[Annotated[Amount, Field(description="With `quota_exceeded`: what the wiki would hold.")]]
    quota: NotRequired[Annotated[Amount, Field(description="With `quota_exceeded`: what it may hold.")]]


class Health(TypedDict):
    """The API answers."""

    status: Literal["ok"]


class CommitEntry(TypedDict):
    """One commit."""

    revision: Revision
    author: Annotated[str, Field(examples=["Ada Lopez"])]
    date: Instant
    message: Annotated[str, Field(examples=["Shorter interval for the pump seal"])]
    agent: NotRequired[Annotated[str, Field(description="The program that made it, if one did.", examples=["laptop"])]]


class PageAnswer(TypedDict):
    """A page at one revision."""

    name: Name
    path: Path
    content: Annotated[Text, Field(description="The whole text, frontmatter included.")]
    frontmatter: Annotated[
        dict[str, Any] | None,
        Field(
            description="As data, dates as ISO text; null if there is none or it is no YAML mapping.",
            examples=[{"category": "runbook", "tags": ["pumps", "lab"]}],
        ),
    ]
    links_to: Annotated[Names, Field(description="Pages that it links to; they need not exist.")]
    linked_from: Annotated[Names, Field(description="Pages that link to it.")]
    revision: Revision
    last_commit: CommitEntry
    redirected_from: NotRequired[Annotated[Path, Field(description="The old name that was asked for.")]]


class PageEntry(TypedDict):
    """A page in a list."""

    name: Name
    path: Path
    category: Annotated[str | None, Field(examples=["runbook"])]
    tags: Annotated[list[str], Field(examples=[["pumps", "lab"]])]
    last_updated: Annotated[
        str, Field(json_schema_extra={"format": "date"}, description="In UTC.", examples=["2026-11-20"])
    ]
    content_length: Annotated[int, Field(ge=0, description="**Words** without frontmatter.", examples=[214])]
    revision: Revision


class PageList(TypedDict):
    """Pages that meet all conditions."""

    pages: list[PageEntry]
    total: Total
    cursor: NotRequired[Cursor]


class Edited(TypedDict):
    """A page that was written. Equal text makes no commit, and the revision stays."""

    name: Name
    path: Path
    revision: MadeRevision
    diff: Diff
    dry_run: NotRequired[DryRun]


class Put(Edited):
    """A page that was written. Equal text makes no commit, and the revision stays."""

    created: Annotated[bool, Field(description="Whether the page is new.")]


class PageRemoved(TypedDict):
    """A page that was removed."""

    deleted: Annotated[bool, Field(description="False for a dry run.", examples=[True])]
    path: Path
    attachments: Annotated[list[str], Field(description="Files that went with it.", examples=[["setup.png"]])]
    revision: MadeRevision
    dry_run: NotRequired[DryRun]
    diff: NotRequired[Annotated[Diff, Field(description="For a dry run: what would change.")]]


class PageRenamed(TypedDict):
    """A page that was renamed."""

    old_path: Annotated[str, Field(examples=["Runbooks/Restore"])]
    new_path: Annotated[str, Field(examples=["Runbooks/Restore a backup"])]
    updated_pages: Annotated[Names, Field(description="Other pages whose links were rewritten.")]
    redirect: Annotated[bool, Field(description="Whether a page stays that says where it went.")]
    revision: MadeRevision
    dry_run: NotRequired[DryRun]
    diff: NotRequired[Annotated[Diff, Field(description="For a dry run: what would change.")]]


class History(TypedDict):
    """The commits of a page, newest first, also under its older names."""

    path: Path
    history: list[CommitEntry]
    cursor: NotRequired[Cursor]


class LoggedEntry(CommitEntry):
    """One commit, with the pages that it touched."""

    pages_affected: Annotated[Names, Field(description="An attachment counts as its page.")]


class Changelog(TypedDict):
    """The commits of the wiki, newest first."""

    entries: list[LoggedEntry]
    total: Total
    cursor: NotRequired[Cursor]


# `from` is a word of Python's, so this one cannot be written as a class.
ChangeEntry = TypedDict(
    "ChangeEntry",
    {
        "path": Path,
        "change": Annotated[Literal["created", "updated", "deleted", "renamed"], Field(examples=["renamed"])],
        "from": NotRequired[Annotated[str, Field(description="Of a renamed page: its old name.")]],
        "revision": Revision,
        "author": Annotated[str, Field(examples=["Ada Lopez"])],
        "agent": NotRequired[Annotated[str, Field(description="The program that made it, if one did.")]],
        "date": Instant,
    },
)


class ChangeList(TypedDict):
    """What happened after a commit, oldest first."""

    head: Head
    changes: list[ChangeEntry]
    cursor: Annotated[Revision, Field(description="How far this answer goes: send it as `since` the next time.")]
    more: Annotated[bool, Field(description="Whether there is more already.")]


class LinkEdge(TypedDict):
    """A link."""

    source: Annotated[str, Field(examples=["Home"])]
    target: Annotated[str, Field(examples=["Runbooks/Restore"])]


class LinkGraphAnswer(TypedDict):
    """All links of the wiki."""

    nodes: Annotated[Names, Field(description="Pages, and names that are linked to but have no page.")]
    edges: list[LinkEdge]


class LinksAround(TypedDict):
    """The links of one page."""

    path: Path
    links_to: Names
    linked_from: Names


class AttachmentEntry(TypedDict):
    """A file of a page."""

    filename: Filename
    size: Size
    mime_type: MimeType
    last_modified: Instant
    revision: Revision


class AttachmentList(TypedDict):
    """The files of a page, by name."""

    attachments: list[AttachmentEntry]
    total: Total
    path: Path
    cursor: NotRequired[Annotated[Cursor, Field(examples=["setup.png"])]]


class AttachmentAnswer(AttachmentEntry):
    """A file of a page, with its bytes."""

    path: Path
    content: Annotated[
        str, Field(json_schema_extra={"contentEncoding": "base64"}, description="Base64.", examples=["iVBORw0KGgo="])
    ]


class AttachmentStored(TypedDict):
    """A file that was stored. Equal bytes make no commit, and the revision stays."""

    filename: Filename
    path: Path
    size: Size
    mime_type: MimeType
    created: Annotated[bool, Field(description="Whether the file is new.")]
    revision: MadeRevision
    dry_run: NotRequired[DryRun]


class AttachmentRemoved(TypedDict):
    """A file that was removed."""

    deleted: Annotated[bool, Field(description="False for a dry run.", examples=[True])]
    filename: Filename
    path: Path
    revision: MadeRevision
    dry_run: NotRequired[DryRun]


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
