"""Reading pages: one or a part of it, several at once, and as ChatGPT's `fetch`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from robot.address import page_address
from robot.mcp.addresses import page_link
from robot.mcp.call import Call
from robot.mcp.failures import ToolFailed, explain
from robot.mcp.nearest import explain_missing
from robot.mcp.render import (
    BYTES_PER_TOKEN,
    DATA_NOTICE,
    MAX_CONTENT_BYTES,
    bounded,
    counted,
    cut,
    fitting,
    names,
    one_line,
    size_of,
)
from robot.mcp.schemas import MAX_NAME_CHARS, AnyRevision, Arguments, FromWiki, OnPage, PageName, Result
from robot.mcp.sections import Section, one_section
from robot.mcp.tool import Answer
from wikihost.content import Content
from wikihost.errors import ContentError, PageNotFound, StorageFailed, StorageFull
from wikihost.values import Page

MAX_LINKS = 200
# Longer frontmatter is read in the page's text, where it is too.
MAX_FRONTMATTER_CHARS = 4_000
MAX_FRONTMATTER_KEYS = 20
MAX_PAGES_AT_ONCE = 20
MAX_TOKENS = 20_000
# What stands before each page's text in an answer with several, about.
_HEAD_BYTES = 300


class ReadNoteArguments(OnPage):
    revision: Annotated[AnyRevision, Field(description="Read this older revision instead of the newest.")] = ""
    section: Annotated[
        str,
        Field(max_length=MAX_NAME_CHARS, description="Only this section: a heading, or 'Heading > Subheading'."),
    ] = ""
    offset: Annotated[int, Field(ge=0, description="Skip this many lines of the text.")] = 0
    limit: Annotated[int, Field(ge=0, description="At most this many lines; 0 means as many as fit.")] = 0


class NoteResult(FromWiki):
    path: str
    title: str
    revision: str
    redirected_from: Annotated[str | None, Field(description="The old name that was asked for.")] = None
    section: str | None = None
    frontmatter: Mapping[str, Any] | None = None
    links_to: list[str]
    linked_from: list[str]
    content: str
    first_line: int
    last_line: int
    total_lines: int
    line_cut: Annotated[bool, Field(description="The end of the last line is missing.")] = False
    next_offset: Annotated[int | None, Field(description="`offset` of the next part.")] = None


class ReadNotesArguments(Arguments):
    paths: Annotated[list[PageName], Field(min_length=1, max_length=MAX_PAGES_AT_ONCE, description="Page names.")]
    max_tokens: Annotated[
        int, Field(ge=500, le=MAX_TOKENS, description="Room for all texts together, in tokens, about.")
    ] = MAX_TOKENS


class PartResult(Result):
    path: str
    title: str
    revision: str
    content: str
    last_line: int
    total_lines: int
    next_offset: Annotated[int | None, Field(description="`offset` for read_note, to read on.")] = None


class ProblemResult(Result):
    path: str
    problem: str


class ReadNotesResult(FromWiki):
    notes: list[PartResult]
    problems: Annotated[list[ProblemResult], Field(description="Pages that cannot be read, and why.")]
    left_out: Annotated[list[str], Field(description="Pages for which there was no room.")]


class FetchArguments(Arguments):
    id: Annotated[PageName, Field(description="`id` of a search result, which is the page name.")]


class FetchResult(Result):
    metadata: dict[str, str]
    id: str
    title: str
    text: str
    url: str


async def read_note(call: Call, asked: ReadNoteArguments) -> Answer:
    revision = asked.revision or None
    result = await call.contents.run(
        call.wiki, lambda content: _excerpt(content.read_page(asked.path, revision), asked)
    )
    fits = result.next_offset is None and not result.line_cut
    more = [] if fits else [page_link(call.wiki.slug, result.path)]
    return Answer(result, _note_text(result), more)


async def read_notes(call: Call, asked: ReadNotesArguments) -> Answer:
    room = min(asked.max_tokens * BYTES_PER_TOKEN, MAX_CONTENT_BYTES)
    paths = list(dict.fromkeys(asked.paths))
    result = await call.contents.run(
        call.wiki, lambda content: _read_all(content, paths, room, may_write=call.may_write)
    )
    # Nobody who wrote a page can know the mark, so no page can look like the beginning of another.
    mark = secrets.token_hex(4)
    blocks = [{"type": "text", "text": _part_text(part, mark)} for part in result.notes]
    links = [page_link(call.wiki.slug, path) for path in result.left_out]
    return Answer(result, _overview_text(result, len(paths), mark), [*blocks, *links])


async def fetch(call: Call, asked: FetchArguments) -> Answer:
    try:
        page = await call.contents.run(call.wiki, lambda content: content.read_page(asked.id))
    except PageNotFound as error:
        raise ToolFailed(await explain_missing(call, asked.id, error)) from None
    metadata = {
        "notice": DATA_NOTICE,
        "revision": page.revision,
        "updated": page.last_commit.date.isoformat(),
        "author": one_line(page.last_commit.author),
    }
    text = cut(page.text, MAX_CONTENT_BYTES)
    if text != page.text:
        shown = len(text.splitlines()) - 1
        metadata["more"] = f"Only the beginning is here; read on with read_note, offset={shown}."
    address = page_address(call.origin, page.path)
    result = FetchResult(metadata=metadata, id=page.path, title=page.title, text=text, url=address)
    return Answer(result, result.model_dump_json())


def _excerpt(page: Page, asked: ReadNoteArguments) -> NoteResult:
    """The asked lines of a page, as many as a result may hold."""
    lines = page.text.splitlines(keepends=True)
    section = one_section(page.text, asked.section) if asked.section else None
    start, end = (section.start, section.end) if section else (0, len(lines))
    if asked.offset and asked.offset >= end - start:
        raise ToolFailed(f"offset {asked.offset} is past the end: there are {counted(end - start, 'line')}.")
    first = start + asked.offset
    last = min(first + asked.limit, end) if asked.limit else end
    shown = _Lines.fit(lines[first:last], MAX_CONTENT_BYTES)
    stop = first + shown.count
    return NoteResult(
        path=page.path,
        title=page.title,
        revision=page.revision,
        redirected_from=page.redirected_from,
        section=section.name if section else None,
        frontmatter=page.frontmatter if len(str(page.frontmatter)) <= MAX_FRONTMATTER_CHARS else None,
        links_to=_some_links(page.links_to, section),
        linked_from=_some_links(page.linked_from, section),
        content=shown.text,
        first_line=min(first + 1, len(lines)),
        last_line=stop,
        total_lines=len(lines),
        line_cut=shown.is_cut,
        next_offset=stop - start if stop < end else None,
    )


@dataclass(frozen=True, slots=True)
class _Lines:
    """The first `count` of some lines; `is_cut` when one alone is too long."""

    text: str
    count: int
    is_cut: bool

    @classmethod
    def fit(cls, lines: Sequence[str], most_bytes: int) -> _Lines:
        count = fitting(lines, most_bytes, between=0)
        whole = "".join(lines[:count])
        text = cut(whole, most_bytes)
        return cls(text, count, text != whole)


def _some_links(found: Sequence[str], section: Section | None) -> list[str]:
    return list(found)[:MAX_LINKS] if section is None else []


def _read_all(content: Content, paths: Sequence[str], room: int, *, may_write: bool) -> ReadNotesResult:
    """Pages in the order asked for, until the room is filled; the last of them may be cut."""
    parts: list[PartResult] = []
    problems: list[ProblemResult] = []
    for number, path in enumerate(paths):
        if room <= _HEAD_BYTES:
            return ReadNotesResult(notes=parts, problems=problems, left_out=list(paths[number:]))
        try:
            part = _part(content.read_page(path), room - _HEAD_BYTES)
        except (StorageFailed, StorageFull):
            raise
        except ContentError as error:
            problems.append(ProblemResult(path=path, problem=explain(error, may_write=may_write)))
            room -= size_of(problems[-1].problem)
        else:
            parts.append(part)
            room = 0 if part.next_offset is not None else room - size_of(part.content) - _HEAD_BYTES
    return ReadNotesResult(notes=parts, problems=problems, left_out=[])


def _part(page: Page, room: int) -> PartResult:
    lines = page.text.splitlines(keepends=True)
    shown = _Lines.fit(lines, room)
    return PartResult(
        path=page.path,
        title=page.title,
        revision=page.revision,
        content=shown.text,
        last_line=shown.count,
        total_lines=len(lines),
        next_offset=shown.count - shown.is_cut if shown.count < len(lines) or shown.is_cut else None,
    )


def _note_text(result: NoteResult) -> str:
    name = result.path.rpartition("/")[2]
    head = [f"# {one_line(name)}", f"Path: {result.path}", f"Revision: {result.revision}"]
    if result.redirected_from is not None:
        head.append(f"Redirected from: {result.redirected_from} (write to {result.path})")
    if not _is_whole(result):
        head.append(_part_line(result))
    data = [f"Title: {one_line(result.title)}"] if result.title != name else []
    if result.section is not None:
        data.append(f"Section: {one_line(result.section)}")
    if result.frontmatter and (described := _frontmatter(result.frontmatter)):
        data.append(described)
    if result.section is None:
        data += [f"Links to: {names(result.links_to)}", f"Linked from: {names(result.linked_from)}"]
    return "\n".join([*head, DATA_NOTICE, *data, "", "---", result.content])


def _is_whole(result: NoteResult) -> bool:
    return result.section is None and result.first_line <= 1 and result.next_offset is None and not result.line_cut


def _part_line(result: NoteResult) -> str:
    """What to know when the text is not the whole page: it must never be written back as if it were."""
    part = f"Lines {result.first_line}-{result.last_line} of {result.total_lines}, not the whole page."
    if result.next_offset is not None:
        part += f" Read on with offset={result.next_offset}."
    if result.line_cut:
        part += " The last line is too long to show: its end is missing here."
    return part


def _overview_text(result: ReadNotesResult, count: int, mark: str) -> str:
    lines = [
        f"Read {len(result.notes)} of {count} pages. Each begins with the line '=== {mark}', in a block of its own."
    ]
    lines += [f"- {one_line(each.path)}: {one_line(each.problem, 500)}" for each in result.problems]
    if result.left_out:
        left = names(result.left_out, MAX_PAGES_AT_ONCE)
        lines.append(f"No room was left for: {left}. Ask for them in another call.")
    return bounded("\n".join(lines))


def _part_text(part: PartResult, mark: str) -> str:
    head = [f"=== {mark}", f"Path: {part.path}", f"Revision: {part.revision}"]
    if part.next_offset is not None:
        head.append(
            f"Lines 1-{part.last_line} of {part.total_lines}, not the whole page."
            f" Read on with read_note, offset={part.next_offset}."
        )
    return "\n".join([*head, DATA_NOTICE, "", "---", part.content])


def _frontmatter(values: Mapping[str, Any]) -> str:
    shown = [(key, value) for key, value in values.items() if key != "title" and value is not None]
    return " | ".join(
        f"{one_line(key).replace('_', ' ').title()}: {_value(value)}" for key, value in shown[:MAX_FRONTMATTER_KEYS]
    )


def _value(value: Any) -> str:
    if isinstance(value, list):
        return one_line(", ".join(str(item) for item in value))
    return one_line(str(value))
