"""Finding pages: by words, by meaning, and by both in the shape that ChatGPT expects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from robot.mcp.addresses import page_address
from robot.mcp.call import Call
from robot.mcp.render import fitting, marked, one_line
from robot.mcp.schemas import MAX_QUERY_CHARS, Arguments, FromWiki, Result
from robot.mcp.tool import Answer

MAX_FOUND = 20
MAX_SNIPPET_CHARS = 500


class SearchNotesArguments(Arguments):
    query: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_QUERY_CHARS,
            description='Words, "exact phrase", prefix*, -without, title:word, tag:x, category:x, path:Folder/.',
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


class SearchNotesResult(FromWiki):
    query: str
    total: int
    results: list[SearchHitResult]
    cursor: str | None = None


class SemanticSearchArguments(Arguments):
    query: Annotated[
        str, Field(min_length=1, max_length=MAX_QUERY_CHARS, description="A question or topic, in your own words.")
    ]
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
    text: str


class SemanticSearchResult(FromWiki):
    query: str
    total: int
    mode: Annotated[str, Field(description="'semantic', or 'lexical' while the index is being built.")]
    results: list[PassageResult]


class SearchArguments(Arguments):
    query: Annotated[
        str, Field(min_length=1, max_length=MAX_QUERY_CHARS, description="Words or a question; as in search_notes.")
    ]


class FoundResult(Result):
    id: str
    title: str
    url: str


class SearchResult(FromWiki):
    results: list[FoundResult]


async def search_notes(call: Call, asked: SearchNotesArguments) -> Answer:
    offset = int(asked.cursor or 0)
    found = await call.contents.run(call.wiki, lambda content: content.search(asked.query, asked.limit, offset))
    results = [
        SearchHitResult(path=hit.path, title=hit.title, score=hit.score, snippet=hit.snippet, section=hit.section)
        for hit in found.hits
    ]
    results = results[: fitting(hit.model_dump_json() for hit in results)]
    end = offset + len(results)
    cursor = str(end) if results and end < found.total else None
    result = SearchNotesResult(query=asked.query, total=found.total, results=results, cursor=cursor)
    return Answer(result, _hits_text(result))


async def semantic_search(call: Call, asked: SemanticSearchArguments) -> Answer:
    answer = await call.search.query(
        call.wiki,
        asked.query,
        limit=min(max(asked.n, 1), 50),
        max_chunks_per_page=min(max(asked.max_chunks_per_page, 1), 5),
    )
    shown = answer.results[: fitting(passage.text for passage in answer.results)]
    fields = tuple(PassageResult.model_fields)
    found = [PassageResult(**{name: getattr(passage, name) for name in fields}) for passage in shown]
    result = SemanticSearchResult(query=asked.query, total=len(found), mode=answer.mode, results=found)
    return Answer(result, _passages_text(result, [passage.page_word_count for passage in shown]))


async def search(call: Call, asked: SearchArguments) -> Answer:
    """By words and by meaning; the text is the result's JSON, as ChatGPT reads it."""
    answer = await call.search.find(call.wiki, asked.query, mode="hybrid", limit=MAX_FOUND)
    found = [
        FoundResult(id=each.page.path, title=each.page.title, url=page_address(call.origin, each.page.path))
        for each in answer.results
    ]
    found = found[: fitting(each.model_dump_json() for each in found)]
    result = SearchResult(results=found)
    return Answer(result, result.model_dump_json())


def _hits_text(result: SearchNotesResult) -> str:
    head = [f'{result.total} results for "{one_line(result.query)}":']
    if result.cursor is not None:
        head.append(f"({len(result.results)} of them here; go on with cursor={result.cursor!r}.)")
    data: list[str] = []
    for number, hit in enumerate(result.results, 1):
        data += [f"{number}. {hit.path} (score: {hit.score:.2f})", f"   {one_line(hit.snippet, MAX_SNIPPET_CHARS)}"]
        if hit.section:
            data.append(f"   Section: {one_line(hit.section)}")
    return marked(head, data)


def _passages_text(result: SemanticSearchResult, words: Sequence[int]) -> str:
    head = [f'{result.total} results for "{one_line(result.query)}":']
    if result.mode == "lexical":
        head.append("(By keywords: the index by meaning is not ready yet.)")
    data: list[str] = []
    for number, (hit, count) in enumerate(zip(result.results, words, strict=True), 1):
        place = f"[{hit.chunk_index + 1}/{hit.total_chunks}]"
        data.append(f"{number}. {hit.path} (distance: {hit.distance:.2f}) {place} — {count} words")
        if hit.section_path:
            data.append(f"   Section: {one_line(hit.section_path)}")
        data.append(hit.text)
    return marked(head, data)
