"""The wiki as a whole: what it is, its pages, and how they hang together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated

from pydantic import Field

from robot.mcp.call import Call
from robot.mcp.render import fitting, marked, names, one_line, some
from robot.mcp.schemas import (
    MAX_LISTED,
    MAX_NAME_CHARS,
    Arguments,
    Cursor,
    FromWiki,
    IsoDate,
    OnPage,
    Result,
    instant_in,
)
from robot.mcp.tool import Answer
from robot.search.values import Finding
from wikihost.errors import FROZEN
from wikihost.values import PageFilter, PageSummary

MAX_NAMES = 200
MAX_TAGS = 20
MAX_SHOWN_LINKS = 20

Limit = Annotated[int, Field(ge=1, le=MAX_LISTED, description="At most this many.")]


class GetWikiInfoArguments(Arguments):
    pass


class WikiInfoResult(FromWiki):
    name: str
    purpose: str
    guidance: Annotated[str, Field(description="What the owner asks of agents.")]
    address: str
    pages: int
    size_bytes: int
    quota_pages: Annotated[int, Field(description="The most that there may be.")]
    quota_bytes: int
    head: Annotated[str, Field(description="`since` for get_changes.")]
    updated: str | None = None
    tags: Annotated[dict[str, int], Field(description="Pages with each.")]
    categories: dict[str, int]
    may_write: bool
    frozen: Annotated[bool, Field(description="Nobody may write at present.")] = False
    folder: Annotated[str | None, Field(description="All that you reach; the figures are of it.")] = None


class ListNotesArguments(Arguments):
    prefix: Annotated[str, Field(max_length=MAX_NAME_CHARS, description="Names that start with this.")] = ""
    category: Annotated[str, Field(max_length=MAX_NAME_CHARS, description="Only this category.")] = ""
    tag: Annotated[str, Field(max_length=MAX_NAME_CHARS, description="Only pages with this tag.")] = ""
    updated_since: Annotated[
        IsoDate, Field(description="Only pages changed since this ISO date, such as 2026-01-31.")
    ] = ""
    limit: Limit = 500
    cursor: Cursor = ""


class NoteSummary(Result):
    path: str
    title: str
    category: str | None = None
    tags: list[str]
    words: int
    updated: date


class ListNotesResult(FromWiki):
    total: int
    notes: list[NoteSummary]
    cursor: str | None = None


class FindOrphanedNotesArguments(Arguments):
    limit: Limit = 500
    cursor: Cursor = ""


class GetLinksArguments(OnPage):
    similar: Annotated[int, Field(ge=0, le=20, description="Also find this many pages about the same.")] = 0


class SimilarPage(Result):
    path: str
    title: str
    section: str
    score: float


class LinksResult(FromWiki):
    note: Annotated[str | None, Field(description="What `similar` does not know yet.")] = None
    path: str
    links_to: list[str]
    linked_from: list[str]
    links_to_total: int
    linked_from_total: int
    similar: Annotated[list[SimilarPage] | None, Field(description="The nearest first, linked or not.")] = None


class FindBrokenLinksArguments(Arguments):
    limit: Limit = 200
    cursor: Cursor = ""


class BrokenLink(Result):
    target: Annotated[str, Field(description="The missing page.")]
    linked_from: list[str]
    linked_from_total: int


class BrokenLinksResult(FromWiki):
    total: int
    links: list[BrokenLink]
    cursor: str | None = None


async def get_wiki_info(call: Call, _asked: GetWikiInfoArguments) -> Answer:
    stats = await call.contents.run(call.wiki, lambda content: content.stats())
    result = WikiInfoResult(
        name=call.wiki.name,
        purpose=call.wiki.description,
        guidance=call.wiki.guidance,
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
    return Answer(result, _info_text(result))


async def list_notes(call: Call, asked: ListNotesArguments) -> Answer:
    wanted = PageFilter(
        prefix=asked.prefix or None,
        category=asked.category or None,
        tag=asked.tag or None,
        updated_since=instant_in(asked.updated_since),
    )
    result = await call.contents.run(
        call.wiki, lambda content: _listed(content.list_pages(wanted), asked.limit, asked.cursor)
    )
    said = {"prefix": "prefix=", "category": "category=", "tag": "tag=", "updated_since": "updated since "}
    conditions = [f"{before}{one_line(value)}" for name, before in said.items() if (value := getattr(asked, name))]
    matching = f" matching {', '.join(conditions)}" if conditions else ""
    first = f"Found {result.total} notes{matching}:"
    return Answer(result, _list_text(first, result))


async def find_orphaned_notes(call: Call, asked: FindOrphanedNotesArguments) -> Answer:
    wanted = PageFilter(orphans=True)
    result = await call.contents.run(
        call.wiki, lambda content: _listed(content.list_pages(wanted), asked.limit, asked.cursor)
    )
    first = f"Found {result.total} orphaned notes (no other page links to them):"
    return Answer(result, _list_text(first, result))


async def get_links(call: Call, asked: GetLinksArguments) -> Answer:
    path, links_to, linked_from = await call.contents.run(call.wiki, lambda content: content.links_around(asked.path))
    near = await call.search.similar(call.wiki, path, limit=asked.similar) if asked.similar else None
    result = LinksResult(
        note=near.freshness.note if near else None,
        path=path,
        links_to=some(links_to),
        linked_from=some(linked_from),
        links_to_total=len(links_to),
        linked_from_total=len(linked_from),
        similar=[_similar(found) for found in near.results] if near else None,
    )
    return Answer(result, _links_text(result))


async def find_broken_links(call: Call, asked: FindBrokenLinksArguments) -> Answer:
    sources = await call.contents.run(call.wiki, lambda content: content.broken_links())
    result = _broken(sources, asked)
    head = [f"Found {result.total} missing pages that others link to:", *_going_on(len(result.links), result.cursor)]
    data = [
        f"- {one_line(link.target)} ({link.linked_from_total}): {names(link.linked_from, MAX_SHOWN_LINKS)}"
        for link in result.links
    ]
    return Answer(result, marked(head, data))


def _listed(pages: Sequence[PageSummary], limit: int, cursor: str) -> ListNotesResult:
    """One part of the list: pages after the cursor, as many as asked for and as a result may hold."""
    rest = sorted((page for page in pages if page.path > cursor), key=lambda page: page.path)
    notes = [_summary(page) for page in rest[:limit]]
    notes = notes[: fitting(note.model_dump_json(exclude_none=True) for note in notes)]
    return ListNotesResult(total=len(pages), notes=notes, cursor=notes[-1].path if len(notes) < len(rest) else None)


def _summary(page: PageSummary) -> NoteSummary:
    return NoteSummary(
        path=page.path,
        title=page.title,
        category=page.category,
        tags=list(page.tags)[:MAX_TAGS],
        words=page.words,
        updated=page.updated.date(),
    )


def _similar(found: Finding) -> SimilarPage:
    page = found.page
    return SimilarPage(path=page.path, title=page.title, section=page.section, score=round(found.score, 2))


def _broken(sources: Mapping[str, Sequence[str]], asked: FindBrokenLinksArguments) -> BrokenLinksResult:
    rest = sorted(target for target in sources if target > asked.cursor)
    links = [
        BrokenLink(
            target=target,
            linked_from=list(sources[target][:MAX_SHOWN_LINKS]),
            linked_from_total=len(sources[target]),
        )
        for target in rest[: asked.limit]
    ]
    links = links[: fitting(link.model_dump_json() for link in links)]
    return BrokenLinksResult(
        total=len(sources), links=links, cursor=links[-1].target if len(links) < len(rest) else None
    )


def _most_used(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_NAMES])


def _going_on(shown: int, cursor: str | None) -> list[str]:
    return [] if cursor is None else [f"(The first {shown} of them here; go on with cursor={cursor!r}.)"]


def _list_text(first: str, result: ListNotesResult) -> str:
    data = [f"- {note.path} ({_described(note)})" for note in result.notes]
    return marked([first, *_going_on(len(result.notes), result.cursor)], data)


def _described(note: NoteSummary) -> str:
    parts = []
    if note.category:
        parts.append(f"category: {one_line(note.category)}")
    parts.append(f"last updated: {note.updated.isoformat()}")
    if note.tags:
        parts.append(f"tags: {', '.join(one_line(tag) for tag in note.tags)}")
    parts.append(f"{note.words} words")
    return ", ".join(parts)


def _links_text(result: LinksResult) -> str:
    def lines(title: str, found: Sequence[str], total: int) -> list[str]:
        more = [f"  … and {total - len(found)} more"] if total > len(found) else []
        return [f"{title} ({total}):", *([f"  - {one_line(name)}" for name in found] or ["  (none)"]), *more]

    data = [
        "",
        *lines("Links to", result.links_to, result.links_to_total),
        *lines("Linked from", result.linked_from, result.linked_from_total),
    ]
    if result.similar is not None:
        shown = [f"{page.path} (score: {page.score:.2f})" for page in result.similar]
        data += lines("About the same", shown, len(shown))
    return marked([f"Links for {result.path}:", *([f"({result.note})"] if result.note else [])], data)


def _reach(folder: str | None) -> str:
    """Where access and all figures end."""
    return "" if folder is None else f", only pages under {folder} (what is counted here is inside it)"


def _info_text(result: WikiInfoResult) -> str:
    head = [
        f"# {one_line(result.name)}",
        f"Address: {result.address}",
        f"Pages: {result.pages} of at most {result.quota_pages}",
        f"Size: {result.size_bytes} of at most {result.quota_bytes} bytes, texts and attachments",
        f"Last change: {result.updated or 'none yet'}",
        f"Head: {result.head}",
        f"Your access: {'read and write' if result.may_write else 'read only'}{_reach(result.folder)}",
    ]
    if result.frozen:
        head.append(FROZEN)
    if result.purpose:
        head.append(f"Purpose: {one_line(result.purpose, 2_000)}")
    if result.guidance:
        head += ["Guidance of the owner:", result.guidance]
    data = [
        f"Categories: {names([f'{name} ({count})' for name, count in result.categories.items()])}",
        f"Tags: {names([f'{name} ({count})' for name, count in result.tags.items()])}",
    ]
    return marked(head, data)
