"""Finding pages: by words, by meaning, and by both in the shape that ChatGPT expects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from robot.address import page_address
from robot.mcp.call import Call
from robot.mcp.render import fitting, marked, one_line
from robot.mcp.schemas import MAX_NAME_CHARS, MAX_QUERY_CHARS, Arguments, FromWiki, IsoDate, Result, instant_in
from robot.mcp.tool import Answer
from robot.search.values import Finding, Passage
from wikihost.content import Content
from wikihost.values import SearchFilters, SearchHits

MAX_SNIPPET_CHARS = 500

Query = Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS)]
_Condition = Annotated[str, Field(max_length=MAX_NAME_CHARS)]


class AnySearchArguments(Arguments):
    """What to find, and in which pages."""

    query: Query
    tag: _Condition = ""
    category: _Condition = ""
    prefix: Annotated[_Condition, Field(description="Only names that start with this.")] = ""
    updated_since: Annotated[IsoDate, Field(description="ISO date.")] = ""
    updated_before: IsoDate = ""

    @property
    def filters(self) -> SearchFilters:
        return SearchFilters(
            self.tag, self.category, self.prefix, instant_in(self.updated_since), instant_in(self.updated_before)
        )


class Found(FromWiki):
    """Base of what searches find. `indexed_head` is the commit that is in the answer as a whole."""

    indexed_head: str | None = None


class FoundByMeaning(Found):
    note: Annotated[str | None, Field(description="What is not yet in the answer.")] = None


class SearchNotesArguments(AnySearchArguments):
    query: Annotated[
        Query,
        Field(
            description='Words, "exact phrase", prefix*, -without, title:word, tag:x, path:Folder/, after:2026-01-31.'
        ),
    ]
    limit: Annotated[int, Field(ge=1, le=50, description="At most this many pages.")] = 20
    cursor: Annotated[str, Field(pattern="^[0-9]{0,7}$", description="`cursor` of the last answer, to go on.")] = ""


class SearchHitResult(Result):
    path: str
    title: str
    score: float
    snippet: str
    section: str = ""


class SearchNotesResult(Found):
    query: str
    total: int
    results: list[SearchHitResult]
    cursor: str | None = None


class SemanticSearchArguments(AnySearchArguments):
    query: Annotated[Query, Field(description="A question or topic, in your own words.")]
    n: Annotated[int, Field(description="At most this many passages, 1 to 50.")] = 5
    max_chunks_per_page: Annotated[int, Field(description="At most this many of one page, 1 to 5.")] = 2


class PassageResult(Result):
    path: str
    title: str
    distance: float
    section: str
    section_path: str
    chunk_index: int
    total_chunks: int
    first_line: int | None = None
    last_line: int | None = None
    text: str


class SemanticSearchResult(FoundByMeaning):
    query: str
    total: int
    mode: Annotated[str, Field(description="'semantic', or 'lexical' when words had to answer.")]
    results: list[PassageResult]


class SearchArguments(AnySearchArguments):
    query: Annotated[Query, Field(description="A question or words; as in search_notes.")]
    mode: Literal["hybrid", "keyword", "semantic"] = "hybrid"
    limit: Annotated[int, Field(ge=1, le=50)] = 10


class FoundResult(Result):
    """`id`, `title` and `url` are what ChatGPT reads."""

    id: str
    title: str
    url: str
    section: str
    snippet: str
    score: float
    first_line: int | None = None
    last_line: int | None = None


class SearchResult(FoundByMeaning):
    mode: str
    total: int
    results: list[FoundResult]


async def search(call: Call, asked: SearchArguments) -> Answer:
    """By words and by meaning; the text is the result's JSON, as ChatGPT reads it."""
    answer = await call.search.find(call.wiki, asked.query, mode=asked.mode, limit=asked.limit, filters=asked.filters)
    found = [_found(call.origin, each) for each in answer.results]
    found = found[: fitting(each.model_dump_json() for each in found)]
    result = SearchResult(
        note=answer.freshness.note,
        indexed_head=answer.freshness.indexed_head,
        mode=answer.mode,
        total=answer.total,
        results=found,
    )
    return Answer(result, result.model_dump_json(exclude_none=True))


async def search_notes(call: Call, asked: SearchNotesArguments) -> Answer:
    offset = int(asked.cursor or 0)

    def look_up(content: Content) -> tuple[str, SearchHits]:
        return content.sync(), content.search(asked.query, asked.limit, offset, asked.filters)

    head, found = await call.contents.run(call.wiki, look_up)
    results = [
        SearchHitResult(path=hit.path, title=hit.title, score=hit.score, snippet=hit.snippet, section=hit.section)
        for hit in found.hits
    ]
    results = results[: fitting(hit.model_dump_json() for hit in results)]
    end = offset + len(results)
    cursor = str(end) if results and end < found.total else None
    result = SearchNotesResult(indexed_head=head, query=asked.query, total=found.total, results=results, cursor=cursor)
    return Answer(result, _hits_text(result))


async def semantic_search(call: Call, asked: SemanticSearchArguments) -> Answer:
    answer = await call.search.query(
        call.wiki,
        asked.query,
        limit=min(max(asked.n, 1), 50),
        max_chunks_per_page=min(max(asked.max_chunks_per_page, 1), 5),
        filters=asked.filters,
    )
    shown = answer.results[: fitting(passage.text for passage in answer.results)]
    result = SemanticSearchResult(
        note=answer.freshness.note,
        indexed_head=answer.freshness.indexed_head,
        query=asked.query,
        total=len(shown),
        mode=answer.mode,
        results=[_passage(passage) for passage in shown],
    )
    return Answer(result, _passages_text(result, [passage.page_word_count for passage in shown]))


def _found(origin: str, found: Finding) -> FoundResult:
    page = found.page
    return FoundResult(
        id=page.path,
        title=page.title,
        url=page_address(origin, page.path, page.anchor),
        section=page.section,
        snippet=page.snippet,
        score=round(found.score, 2),
        first_line=found.first_line or None,
        last_line=found.last_line or None,
    )


def _passage(found: Passage) -> PassageResult:
    return PassageResult(
        path=found.path,
        title=found.title,
        distance=found.distance,
        section=found.section,
        section_path=found.section_path,
        chunk_index=found.chunk_index,
        total_chunks=found.total_chunks,
        first_line=found.first_line or None,
        last_line=found.last_line or None,
        text=found.text,
    )


def _hits_text(result: SearchNotesResult) -> str:
    head = [f'{result.total} results for "{one_line(result.query)}":']
    if result.cursor is not None:
        head.append(f"({len(result.results)} of them here; go on with cursor={result.cursor!r}.)")
    if not result.total:
        head.append("(Try other words, fewer conditions, or `search`, which also goes by meaning.)")
    data: list[str] = []
    for number, hit in enumerate(result.results, 1):
        data += [f"{number}. {hit.path} (score: {hit.score:.2f})", f"   {one_line(hit.snippet, MAX_SNIPPET_CHARS)}"]
        if hit.section:
            data.append(f"   Section: {one_line(hit.section)}")
    return marked(head, data)


def _passages_text(result: SemanticSearchResult, words: Sequence[int]) -> str:
    head = [f'{result.total} results for "{one_line(result.query)}":']
    if result.note:
        head.append(f"({result.note})")
    data: list[str] = []
    for number, (hit, count) in enumerate(zip(result.results, words, strict=True), 1):
        place = f"[{hit.chunk_index + 1}/{hit.total_chunks}]"
        data.append(f"{number}. {hit.path} (distance: {hit.distance:.2f}) {place} — {count} words")
        if hit.section_path:
            data.append(f"   Section: {one_line(hit.section_path)}")
        data.append(hit.text)
    return marked(head, data)
