"""Renaming and deleting pages."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from robot.mcp.call import Call
from robot.mcp.render import bounded_diff, counted, marked, one_line, some
from robot.mcp.schemas import CommitMessage, DryRun, FromWiki, Guard, NewPageName, OnPage
from robot.mcp.tool import Answer


class RenameNoteArguments(OnPage):
    new_path: NewPageName
    revision: Guard = ""
    redirect: Annotated[bool, Field(description="Leave a small page at the old name that leads to the new one.")] = True
    commit_message: CommitMessage = ""
    dry_run: DryRun = False


class RenamedResult(FromWiki):
    old_path: str
    new_path: str
    revision: str | None = None
    updated_pages: Annotated[list[str], Field(description="Pages whose links were changed.")]
    redirect: bool
    links_left: Annotated[int | None, Field(description="Pages out of your reach that link to the old name.")] = None
    dry_run: bool
    diff: Annotated[str | None, Field(description="Of a dry run.")] = None


class DeleteNoteArguments(OnPage):
    revision: Guard = ""
    commit_message: CommitMessage = ""
    dry_run: DryRun = False


class DeletedResult(FromWiki):
    path: str
    revision: Annotated[str | None, Field(description="The commit that did it.")] = None
    attachments: Annotated[list[str], Field(description="Files that went with it.")]
    dry_run: bool
    diff: Annotated[str | None, Field(description="Of a dry run.")] = None


async def rename_note(call: Call, asked: RenameNoteArguments) -> Answer:
    author, base, message = call.author, asked.revision or None, asked.commit_message or None
    done = await call.contents.change(
        call.wiki,
        lambda content: content.rename_page(
            asked.path,
            asked.new_path,
            base=base,
            redirect=asked.redirect,
            author=author,
            message=message,
            dry_run=asked.dry_run,
        ),
    )
    result = RenamedResult(
        old_path=done.old_path,
        new_path=done.new_path,
        revision=None if asked.dry_run else done.revision,
        updated_pages=some(done.updated_pages),
        redirect=done.redirect,
        links_left=done.links_left or None,
        dry_run=asked.dry_run,
        diff=bounded_diff(done.diff) if asked.dry_run else None,
    )
    return Answer(result, _renamed_text(result, len(done.updated_pages)))


async def delete_note(call: Call, asked: DeleteNoteArguments) -> Answer:
    author, base = call.author, asked.revision or None
    message = asked.commit_message or f"[mcp] Delete: {asked.path}"
    done = await call.contents.change(
        call.wiki,
        lambda content: content.delete_page(
            asked.path, base=base, author=author, message=message, dry_run=asked.dry_run
        ),
    )
    result = DeletedResult(
        path=done.path,
        revision=None if asked.dry_run else done.revision,
        attachments=some(done.attachments),
        dry_run=asked.dry_run,
        diff=bounded_diff(done.diff) if asked.dry_run else None,
    )
    return Answer(result, _deleted_text(result))


def _renamed_text(result: RenamedResult, count: int) -> str:
    if result.dry_run:
        head = [f"Would rename {result.old_path} -> {result.new_path}. Nothing was written."]
        verb = "Would update"
    else:
        head = [f"Renamed {result.old_path} -> {result.new_path} (revision: {(result.revision or '')[:8]})"]
        verb = "Updated"
    if result.redirect:
        head.append(f"The old name {'would lead' if result.dry_run else 'leads'} to the new one.")
    head.append(f"{verb} {count} backreferences:" if count else "No backreferences needed updating.")
    if result.links_left:
        link = "links" if result.links_left == 1 else "link"
        head.insert(-1, f"{counted(result.links_left, 'page')} out of your reach still {link} to the old name.")
    shown = [f"- {one_line(path)}" for path in result.updated_pages]
    return marked(head, shown + ([result.diff] if result.diff else []))


def _deleted_text(result: DeletedResult) -> str:
    if result.dry_run:
        head = [f"Would delete {result.path}. Nothing was written."]
    else:
        head = [f"Deleted {result.path}"]
        head.append(f"undo_change with revision {(result.revision or '')[:8]} brings it back.")
    data = []
    if result.attachments:
        head.append(f"With {counted(len(result.attachments), 'attachment')}:")
        data += [f"- {one_line(name)}" for name in result.attachments]
    return marked(head, data + ([result.diff] if result.diff else []))
