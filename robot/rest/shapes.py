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


Program = Annotated[str, Field(description="The program that made it, if one did.", examples=["Claude Code"])]
Via = Annotated[str, Field(description="The door that it came through, if known.", examples=["mcp"])]
PushedBy = Annotated[
    str,
    Field(description="Of a commit that was pushed: who brought it, since its author is the pusher's choice."),
]


class CommitEntry(TypedDict):
    """One commit."""

    revision: Revision
    author: Annotated[str, Field(examples=["Ada Lopez"])]
    date: Instant
    message: Annotated[str, Field(examples=["Shorter interval for the pump seal"])]
    agent: NotRequired[Program]
    via: NotRequired[Via]
    pushed_by: NotRequired[PushedBy]


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
    links_left: NotRequired[
        Annotated[int, Field(description="Pages outside the token's folder that still link to the old name.")]
    ]
    revision: MadeRevision
    dry_run: NotRequired[DryRun]
    diff: NotRequired[Annotated[Diff, Field(description="For a dry run: what would change.")]]


class ChangeUndone(TypedDict):
    """A change that was taken back."""

    undone: Annotated[Revision, Field(description="The commit that was undone.")]
    pages_affected: Annotated[Names, Field(description="The pages that change; an attachment counts as its page.")]
    revision: MadeRevision
    diff: Diff
    dry_run: NotRequired[DryRun]


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
        "agent": NotRequired[Program],
        "via": NotRequired[Via],
        "pushed_by": NotRequired[PushedBy],
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
