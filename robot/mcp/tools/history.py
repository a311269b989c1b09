"""What happened: to the wiki, to a page, and since an agent last looked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from robot.mcp.call import Call
from robot.mcp.failures import ToolFailed
from robot.mcp.render import MAX_RESULT_BYTES, bounded_diff, counted, fitting, marked, one_line
from robot.mcp.schemas import Arguments, CommitMessage, DryRun, FromWiki, OnPage, Result, Revision
from robot.mcp.tool import Answer
from wikihost.content import MAX_HISTORY
from wikihost.values import Commit, LoggedCommit, PageChange

MAX_COMMITS = 200
MAX_PAGES_OF_COMMIT = 50
MAX_MESSAGE_CHARS = 300

# A commit, and where the changes of the one after it had to be cut: how many were told, and of which commit.
_PLACE = r"^([0-9a-fA-F]{7,40})(?:\+([0-9]{1,7})\+([0-9a-f]{8}))?$"

# Out of the range is not refused: agents have always asked for any number.
Count = Annotated[int, Field(description="At most this many, 1 to 200.")]
CommitCursor = Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$", description="`cursor` of the last answer, to go on.")]


class GetRecentChangesArguments(Arguments):
    limit: Count = 20
    cursor: CommitCursor = ""


class PageCommitResult(Result):
    revision: str
    author: str
    agent: str | None = None
    pushed_by: Annotated[str | None, Field(description="Who pushed it; its author is as git was told.")] = None
    date: str
    message: str


class CommitResult(PageCommitResult):
    pages: list[str]
    pages_total: int


class RecentChangesResult(FromWiki):
    total: int
    changes: list[CommitResult]
    cursor: str | None = None


class GetHistoryArguments(OnPage):
    limit: Count = 10
    cursor: CommitCursor = ""


class HistoryResult(FromWiki):
    path: str
    revisions: list[PageCommitResult]
    cursor: str | None = None


class GetChangesArguments(Arguments):
    since: Annotated[
        str,
        Field(
            pattern=_PLACE,
            description="A commit: `head` of get_wiki_info, `cursor` of an earlier answer, or any revision.",
        ),
    ]
    limit: Annotated[int, Field(ge=1, le=MAX_COMMITS, description="At most this many commits.")] = 50
    cursor: Annotated[str, Field(pattern=f"{_PLACE}|^$", description="`cursor` of the last answer, to go on.")] = ""


class ChangeResult(PageCommitResult):
    path: str
    change: Annotated[str, Field(description="created, updated, deleted or renamed")]
    renamed_from: str | None = None


class ChangesResult(FromWiki):
    head: str
    changes: list[ChangeResult]
    cursor: Annotated[str, Field(description="`since` for the next time.")]
    more: Annotated[bool, Field(description="More happened since; ask again with the cursor.")]


class UndoChangeArguments(Arguments):
    revision: Annotated[Revision, Field(description="The commit to undo, from get_history or get_recent_changes.")]
    commit_message: CommitMessage = ""
    dry_run: DryRun = False


class UndonePageResult(Result):
    path: str
    change: str
    renamed_from: str | None = None


class UndoneResult(FromWiki):
    undoes: str
    revision: Annotated[str | None, Field(description="The commit that undid it.")] = None
    pages: list[UndonePageResult]
    dry_run: bool
    diff: str


async def get_recent_changes(call: Call, asked: GetRecentChangesArguments) -> Answer:
    limit = min(max(asked.limit, 1), MAX_COMMITS)
    entries, total = await call.contents.run(
        call.wiki, lambda content: content.changelog(limit + 1, asked.cursor or None)
    )
    changes = [_logged(entry) for entry in entries[:limit]]
    changes = changes[: fitting(change.model_dump_json(exclude_none=True) for change in changes)]
    cursor = changes[-1].revision if len(changes) < len(entries) else None
    result = RecentChangesResult(total=total, changes=changes, cursor=cursor)
    return Answer(result, _recent_text(result))


async def get_history(call: Call, asked: GetHistoryArguments) -> Answer:
    limit = min(max(asked.limit, 1), MAX_COMMITS)

    commits = await call.contents.run(
        call.wiki, lambda content: content.history(asked.path, MAX_HISTORY if asked.cursor else limit + 1)
    )
    rest = _after(commits, asked.cursor)
    revisions = [PageCommitResult.model_validate(_described(commit)) for commit in rest[:limit]]
    revisions = revisions[: fitting(each.model_dump_json(exclude_none=True) for each in revisions)]
    cursor = revisions[-1].revision if len(revisions) < len(rest) else None
    result = HistoryResult(path=asked.path, revisions=revisions, cursor=cursor)
    return Answer(result, _history_text(result))


async def get_changes(call: Call, asked: GetChangesArguments) -> Answer:
    since, told, cut = _place(asked.cursor or asked.since)
    found = await call.contents.run(call.wiki, lambda content: content.changes_since(since, asked.limit))
    changes = [_changed(change) for change in found.changes]
    if told and (told > len(changes) or not changes[told - 1].revision.startswith(cut)):
        told = 0  # a merge came between: rather twice than not at all
    rest = changes[told:]
    shown = rest[: fitting(change.model_dump_json(exclude_none=True) for change in rest)]
    cursor, more = found.last, found.more
    if len(shown) < len(rest):
        more = True
        whole = [change for change in shown if change.revision != rest[len(shown)].revision]
        cursor = whole[-1].revision if whole else f"{since}+{told + len(shown)}+{shown[-1].revision[:8]}"
        shown = whole or shown
    result = ChangesResult(head=found.head, changes=shown, cursor=cursor, more=more)
    return Answer(result, _changes_text(result))


async def undo_change(call: Call, asked: UndoChangeArguments) -> Answer:
    author, message = call.author, asked.commit_message or None
    done = await call.contents.change(
        call.wiki,
        lambda content: content.undo_change(asked.revision, author=author, message=message, dry_run=asked.dry_run),
    )
    pages = [UndonePageResult(path=page.path, change=page.kind, renamed_from=page.source) for page in done.pages]
    result = UndoneResult(
        undoes=done.undoes[0],
        revision=None if asked.dry_run else done.revision,
        pages=pages[: fitting((page.model_dump_json() for page in pages), MAX_RESULT_BYTES // 2)],
        dry_run=asked.dry_run,
        diff=bounded_diff(done.diff),
    )
    return Answer(result, _undone_text(result, len(pages)))


def _described(commit: Commit) -> dict[str, str | None]:
    return {
        "revision": commit.revision,
        "author": commit.author,
        "agent": commit.agent,
        "pushed_by": commit.pushed_by,
        "date": commit.date.isoformat(),
        "message": one_line(commit.message, MAX_MESSAGE_CHARS),
    }


def _logged(entry: LoggedCommit) -> CommitResult:
    pages = {"pages": entry.pages[:MAX_PAGES_OF_COMMIT], "pages_total": len(entry.pages)}
    return CommitResult.model_validate(_described(entry.commit) | pages)


def _changed(change: PageChange) -> ChangeResult:
    where = {"path": change.path, "change": change.kind, "renamed_from": change.source}
    return ChangeResult.model_validate(_described(change.commit) | where)


def _after(commits: Sequence[Commit], cursor: str) -> Sequence[Commit]:
    if not cursor:
        return commits
    place = next((number for number, commit in enumerate(commits) if commit.revision == cursor), None)
    if place is None:
        raise ToolFailed("The cursor is none of this page's history; begin again without one.")
    return commits[place + 1 :]


def _place(cursor: str) -> tuple[str, int, str]:
    """The commit after which to go on, and how many changes after it were told, up to one of which commit."""
    since, _, more = cursor.partition("+")
    told, _, cut = more.partition("+")
    return since, int(told or 0), cut


def _who(commit: PageCommitResult) -> str:
    pushed = f", pushed by {one_line(commit.pushed_by)}" if commit.pushed_by else ""
    return f"{one_line(commit.author)}{pushed}"


def _recent_text(result: RecentChangesResult) -> str:
    head = [f"{len(result.changes)} recent changes:"]
    if result.cursor is not None:
        head.append(f"(Of {result.total}; go on with cursor={result.cursor!r}.)")
    data: list[str] = []
    for change in result.changes:
        more = change.pages_total - len(change.pages)
        pages = f"{', '.join(map(one_line, change.pages)) or 'no page'}{f' and {more} more' if more else ''}"
        data += [f"- {change.date} | {_who(change)} | {pages} | {change.revision[:8]}", f"  {change.message}"]
    return marked(head, data)


def _history_text(result: HistoryResult) -> str:
    head = [f"History for {result.path} ({len(result.revisions)} revisions):"]
    if result.cursor is not None:
        head.append(f"(Older ones: go on with cursor={result.cursor!r}.)")
    data: list[str] = []
    for each in result.revisions:
        data += [f"- {each.revision[:8]} | {each.date} | {_who(each)}", f"  {each.message}"]
    return marked(head, data)


def _changes_text(result: ChangesResult) -> str:
    head = [f"{len(result.changes)} changes:"]
    if result.more:
        head.append(f"(There are more: go on with cursor={result.cursor!r}.)")
    else:
        head.append(f"(All there are; the next time ask with since={result.cursor!r}.)")
    data: list[str] = []
    for change in result.changes:
        moved = f" from {one_line(change.renamed_from)}" if change.renamed_from else ""
        data.append(
            f"- {change.date} | {change.change} | {one_line(change.path)}{moved} | {_who(change)}"
            f" | {change.revision[:8]}"
        )
        data.append(f"  {change.message}")
    return marked(head, data)


def _undone_text(result: UndoneResult, count: int) -> str:
    if result.dry_run:
        head = [f"Would undo {result.undoes[:8]}. Nothing was written. On {counted(count, 'page')}:"]
    else:
        made = (result.revision or "")[:8]
        head = [f"Undid {result.undoes[:8]} (revision: {made}), on {counted(count, 'page')}:"]
    data = []
    for page in result.pages:
        moved = f" from {one_line(page.renamed_from)}" if page.renamed_from else ""
        data.append(f"- {one_line(page.path)}: {page.change}{moved}")
    return marked(head, [*data, result.diff])
