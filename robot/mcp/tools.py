"""The tools: what an agent can do with a wiki.

A tool is a short function from a `Call` and its arguments to a structured result and the text that says the same.
`TOOLS` lists them with their names, titles and hints; adding a tool is a function, two models and a row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from robot.mcp import render
from robot.mcp.call import Call
from robot.mcp.failures import ToolFailed
from robot.mcp.schemas import (
    Arguments,
    EditNoteArguments,
    GetWikiInfoArguments,
    ListNotesArguments,
    ListNotesResult,
    NoteResult,
    NoteSummary,
    PassageResult,
    ReadNoteArguments,
    Result,
    SearchHitResult,
    SearchNotesArguments,
    SearchNotesResult,
    SemanticSearchArguments,
    SemanticSearchResult,
    WikiInfoResult,
    WriteNoteArguments,
    WrittenResult,
)
from robot.mcp.sections import Section, matching, sections_of
from wikihost.values import Page, PageFilter, PageSummary, Written

MAX_DIFF_CHARS = 2_000
MAX_LINKS = 200
# Longer frontmatter is read in the page's text, where it is too.
MAX_FRONTMATTER_CHARS = 4_000
MAX_NAMES = 200
MAX_CHOICES = 50

Answer = tuple[Result, str]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as listed. `writes` tools are shown only to those who may write; `hints` are the MCP annotations."""

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    result: type[Result]
    run: Callable[[Call, Any], Awaitable[Answer]]
    writes: bool
    hints: Mapping[str, bool]


async def read_note(call: Call, asked: ReadNoteArguments) -> Answer:
    revision = asked.revision or None
    result = await call.contents.run(
        call.wiki, lambda content: _excerpt(content.read_page(asked.path, revision), asked)
    )
    return result, render.note(result)


async def write_note(call: Call, asked: WriteNoteArguments) -> Answer:
    author, base, message = call.author, asked.revision or None, asked.commit_message or None
    done = await call.contents.change(
        call.wiki,
        lambda content: content.write_page(asked.path, asked.content, base=base, author=author, message=message),
    )
    result = _written(done)
    return result, render.written("Created" if done.created else "Updated", result)


async def edit_note(call: Call, asked: EditNoteArguments) -> Answer:
    author, message = call.author, asked.commit_message or None
    if asked.old_string == asked.new_string:
        raise ToolFailed("old_string and new_string are the same. Nothing was written.")
    done = await call.contents.change(
        call.wiki,
        lambda content: content.edit_page(
            asked.path, base=asked.revision, old=asked.old_string, new=asked.new_string, author=author, message=message
        ),
    )
    result = _written(done)
    return result, render.written("Edited", result)


async def list_notes(call: Call, asked: ListNotesArguments) -> Answer:
    wanted = PageFilter(
        prefix=asked.prefix or None,
        category=asked.category or None,
        tag=asked.tag or None,
        updated_since=_instant(asked.updated_since) if asked.updated_since else None,
    )
    result = await call.contents.run(call.wiki, lambda content: _listed(content.list_pages(wanted), asked))
    names = {"prefix": "prefix", "category": "category", "tag": "tag", "updated_since": "updated since"}
    conditions = [(said, getattr(asked, name)) for name, said in names.items() if getattr(asked, name)]
    return result, render.note_list(result, conditions)


async def search_notes(call: Call, asked: SearchNotesArguments) -> Answer:
    offset = int(asked.cursor or 0)
    found = await call.contents.run(call.wiki, lambda content: content.search(asked.query, asked.limit, offset))
    results = [
        SearchHitResult(path=hit.path, title=hit.title, score=hit.score, snippet=hit.snippet, section=hit.section)
        for hit in found.hits
    ]
    end = offset + len(results)
    cursor = str(end) if results and end < found.total else None
    result = SearchNotesResult(query=asked.query, total=found.total, results=results, cursor=cursor)
    return result, render.search_hits(result)


async def semantic_search(call: Call, asked: SemanticSearchArguments) -> Answer:
    answer = await call.search.query(
        call.wiki,
        asked.query,
        limit=min(max(asked.n, 1), 50),
        max_chunks_per_page=min(max(asked.max_chunks_per_page, 1), 5),
    )
    shown = answer.results[: _fitting([passage.text for passage in answer.results])]
    fields = tuple(PassageResult.model_fields)
    found = [PassageResult(**{name: getattr(passage, name) for name in fields}) for passage in shown]
    result = SemanticSearchResult(query=asked.query, total=len(found), mode=answer.mode, results=found)
    return result, render.passages(result, [passage.page_word_count for passage in shown])


async def get_wiki_info(call: Call, _asked: GetWikiInfoArguments) -> Answer:
    stats = await call.contents.run(call.wiki, lambda content: content.stats())
    result = WikiInfoResult(
        name=call.wiki.name,
        purpose=call.wiki.description,
        address=call.origin,
        pages=stats.pages,
        size_bytes=stats.usage.size_bytes,
        quota_pages=stats.quota.pages,
        quota_bytes=stats.quota.size_bytes,
        head=stats.head,
        updated=stats.updated.isoformat() if stats.updated else None,
        tags=_most_used(stats.tags),
        categories=_most_used(stats.categories),
        may_write=call.may_write,
        frozen=call.wiki.is_frozen,
        folder=call.folder,
    )
    return result, render.wiki_info(result)


def _excerpt(page: Page, asked: ReadNoteArguments) -> NoteResult:
    """The asked lines of a page, as many as a result may hold."""
    lines = page.text.splitlines(keepends=True)
    section = _section(page.text, asked.section) if asked.section else None
    start, end = (section.start, section.end) if section else (0, len(lines))
    first = min(start + asked.offset, end)
    last = min(first + asked.limit, end) if asked.limit else end
    shown = _fitting(lines[first:last])
    stop = first + shown
    text = "".join(lines[first:stop])
    return NoteResult(
        path=page.path,
        title=page.title,
        revision=page.revision,
        redirected_from=page.redirected_from,
        section=section.name if section else None,
        frontmatter=page.frontmatter if len(str(page.frontmatter)) <= MAX_FRONTMATTER_CHARS else None,
        links_to=list(page.links_to)[:MAX_LINKS] if section is None else [],
        linked_from=list(page.linked_from)[:MAX_LINKS] if section is None else [],
        content=text[: render.MAX_CONTENT_CHARS],
        first_line=min(first + 1, len(lines)),
        last_line=stop,
        total_lines=len(lines),
        line_cut=len(text) > render.MAX_CONTENT_CHARS,
        next_offset=stop - start if stop < end else None,
    )


def _fitting(texts: Sequence[str]) -> int:
    """How many of the texts fit a result; at least one, so that reading on always gets further."""
    size = 0
    for number, text in enumerate(texts):
        size += len(text)
        if size > render.MAX_CONTENT_CHARS:
            return max(number, 1)
    return len(texts)


def _section(text: str, wanted: str) -> Section:
    sections = sections_of(text)
    found = matching(sections, wanted)
    if len(found) == 1:
        return found[0]
    choices = found or sections
    names = "\n".join(f"- {render.one_line(section.name)}" for section in choices[:MAX_CHOICES])
    if found:
        raise ToolFailed(f"Several sections match {wanted!r}; give the whole path of one of them:\n{names}")
    raise ToolFailed(f"Section not found: {wanted!r}. Available sections:\n{names or '(none)'}")


def _written(done: Written) -> WrittenResult:
    diff = "" if done.created else done.diff
    if len(diff) > MAX_DIFF_CHARS:
        diff = diff[:MAX_DIFF_CHARS] + "\n… (diff cut here)"
    return WrittenResult(
        path=done.path,
        title=done.title,
        revision=done.revision,
        created=done.created,
        changed=done.changed,
        diff=diff,
    )


def _listed(pages: list[PageSummary], asked: ListNotesArguments) -> ListNotesResult:
    """One part of the list: pages after the cursor, as many as asked for and as a result may hold."""
    rest = sorted((page for page in pages if page.path > asked.cursor), key=lambda page: page.path)
    notes: list[NoteSummary] = []
    size = 0
    for page in rest[: asked.limit]:
        summary = NoteSummary(
            path=page.path,
            title=page.title,
            category=page.category,
            tags=list(page.tags)[: render.MAX_FRONTMATTER_KEYS],
            words=page.words,
            updated=page.updated.date(),
        )
        size += 120 + len(page.path) + len(page.title) + sum(map(len, summary.tags))
        if size > render.MAX_RESULT_CHARS and notes:
            break
        notes.append(summary)
    return ListNotesResult(total=len(pages), notes=notes, cursor=notes[-1].path if len(notes) < len(rest) else None)


def _most_used(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_NAMES])


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ToolFailed(f"updated_since is not an ISO date: {text!r}. Write it as 2026-01-31.") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


_READS = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
_REPLACES = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": False}

_reading = partial(Tool, writes=False, hints=_READS)
_writing = partial(Tool, writes=True, hints=_REPLACES)

TOOLS: tuple[Tool, ...] = (
    _reading(
        "get_wiki_info",
        "About this wiki",
        "What this wiki is for, how much it holds and may hold, its categories and tags, and whether you may write.",
        GetWikiInfoArguments,
        WikiInfoResult,
        get_wiki_info,
    ),
    _reading(
        "search_notes",
        "Search by keywords",
        "Find pages that contain words or phrases. Use semantic_search when you do not know the words.",
        SearchNotesArguments,
        SearchNotesResult,
        search_notes,
    ),
    _reading(
        "semantic_search",
        "Search by meaning",
        "Find the passages whose meaning is nearest to a question, whatever words they use.",
        SemanticSearchArguments,
        SemanticSearchResult,
        semantic_search,
    ),
    _reading(
        "list_notes",
        "List pages",
        "List pages with category, tags, size and date of last change; filters combine.",
        ListNotesArguments,
        ListNotesResult,
        list_notes,
    ),
    _reading(
        "read_note",
        "Read a page",
        "Read a page or one section of it, with its revision (needed to change it), frontmatter and links.",
        ReadNoteArguments,
        NoteResult,
        read_note,
    ),
    _writing(
        "write_note",
        "Write a page",
        "Create a page, or replace all of its text. To replace a page, read it first and pass its revision: if "
        "somebody changed it meanwhile, nothing is written. Link pages as [[Page Name]].",
        WriteNoteArguments,
        WrittenResult,
        write_note,
    ),
    _writing(
        "edit_note",
        "Edit a page",
        "Replace one piece of a page's text. old_string must occur exactly once; revision is the one you read.",
        EditNoteArguments,
        WrittenResult,
        edit_note,
    ),
)
