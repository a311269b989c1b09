"""Changing the text of a page: all of it, a piece, a section, or more at its end."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from robot.mcp.call import Call
from robot.mcp.failures import ToolFailed
from robot.mcp.render import bounded_diff, marked
from robot.mcp.schemas import MAX_NAME_CHARS, AnyRevision, CommitMessage, DryRun, FromWiki, OnPage, Revision
from robot.mcp.sections import with_appended, with_section
from robot.mcp.tool import Answer
from wikihost.texts import MAX_PAGE_CHARACTERS
from wikihost.values import Written


class WriteNoteArguments(OnPage):
    content: Annotated[
        str, Field(max_length=MAX_PAGE_CHARACTERS, description="The whole new text: Markdown, frontmatter included.")
    ]
    revision: Annotated[AnyRevision, Field(description="Needed when the page exists: the revision you read.")] = ""
    commit_message: CommitMessage = ""
    dry_run: DryRun = False


class EditNoteArguments(OnPage):
    revision: Revision
    old_string: Annotated[
        str,
        Field(min_length=1, max_length=MAX_PAGE_CHARACTERS, description="Text to replace; must occur exactly once."),
    ]
    new_string: Annotated[
        str, Field(max_length=MAX_PAGE_CHARACTERS, description="Text to put there; empty deletes old_string.")
    ]
    commit_message: CommitMessage = ""
    dry_run: DryRun = False


class EditSectionArguments(OnPage):
    revision: Revision
    section: Annotated[
        str, Field(min_length=1, max_length=MAX_NAME_CHARS, description="A heading, or 'Heading > Subheading'.")
    ]
    content: Annotated[
        str,
        Field(
            max_length=MAX_PAGE_CHARACTERS,
            description="The section's new text, subsections included. Its heading stays, unless this begins with one.",
        ),
    ]
    commit_message: CommitMessage = ""
    dry_run: DryRun = False


class AppendNoteArguments(OnPage):
    content: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_PAGE_CHARACTERS,
            description="Text to add on a new line; begin with an empty line for a new paragraph.",
        ),
    ]
    section: Annotated[
        str, Field(max_length=MAX_NAME_CHARS, description="Add at the end of this section, not of the page.")
    ] = ""
    commit_message: CommitMessage = ""
    dry_run: DryRun = False


class WrittenResult(FromWiki):
    path: str
    title: str
    revision: Annotated[str | None, Field(description="For the next change of the page.")] = None
    created: bool
    changed: bool
    dry_run: bool
    diff: str


async def write_note(call: Call, asked: WriteNoteArguments) -> Answer:
    author, base, message = call.author, asked.revision or None, asked.commit_message or None
    done = await call.contents.change(
        call.wiki,
        lambda content: content.write_page(
            asked.path, asked.content, base=base, author=author, message=message, dry_run=asked.dry_run
        ),
    )
    return _answer(done, ("Created", "create") if done.created else ("Updated", "update"), dry_run=asked.dry_run)


async def edit_note(call: Call, asked: EditNoteArguments) -> Answer:
    author, message = call.author, asked.commit_message or None
    if asked.old_string == asked.new_string:
        raise ToolFailed("old_string and new_string are the same, so there is nothing to write. Say what to change.")
    done = await call.contents.change(
        call.wiki,
        lambda content: content.edit_page(
            asked.path,
            base=asked.revision,
            old=asked.old_string,
            new=asked.new_string,
            author=author,
            message=message,
            dry_run=asked.dry_run,
        ),
    )
    return _answer(done, ("Edited", "edit"), dry_run=asked.dry_run)


async def edit_section(call: Call, asked: EditSectionArguments) -> Answer:
    author, message = call.author, asked.commit_message or f"[mcp] Edit section {asked.section}: {asked.path}"
    done = await call.contents.change(
        call.wiki,
        lambda content: content.rewrite_page(
            asked.path,
            lambda text: with_section(text, asked.section, asked.content),
            base=asked.revision,
            author=author,
            message=message,
            dry_run=asked.dry_run,
        ),
    )
    return _answer(done, ("Edited", "edit"), dry_run=asked.dry_run)


async def append_note(call: Call, asked: AppendNoteArguments) -> Answer:
    """Needs no revision: whatever others wrote meanwhile stays as it is."""
    author, message = call.author, asked.commit_message or f"[mcp] Append: {asked.path}"
    done = await call.contents.change(
        call.wiki,
        lambda content: content.rewrite_page(
            asked.path,
            lambda text: with_appended(text, asked.content, asked.section),
            base=None,
            author=author,
            message=message,
            dry_run=asked.dry_run,
        ),
    )
    return _answer(done, ("Appended to", "append to"), dry_run=asked.dry_run)


def _answer(done: Written, verbs: tuple[str, str], *, dry_run: bool) -> Answer:
    """`verbs` as for what was done, and for what would be."""
    # A new page's text is what the agent sent; it need not read it again.
    diff = bounded_diff(done.diff) if dry_run or not done.created else ""
    result = WrittenResult(
        path=done.path,
        title=done.title,
        revision=None if dry_run and done.created else done.revision,
        created=done.created,
        changed=bool(done.diff) if dry_run else done.changed,
        dry_run=dry_run,
        diff=diff,
    )
    return Answer(result, _text(result, verbs))


def _text(result: WrittenResult, verbs: tuple[str, str]) -> str:
    done, planned = verbs
    if result.dry_run:
        first = f"Would {planned} {result.path}. Nothing was written."
    else:
        first = f"{done} {result.path} (revision: {(result.revision or '')[:8]})"
    if not result.changed:
        return f"{first}\nThe text is the same as it was; there is nothing to commit."
    return marked([first], [result.diff] if result.diff else [])
