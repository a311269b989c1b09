"""`/api/v1/search`, `/find`, `/semantic-search`, similar pages, `/chroma-status` and `/reindex`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from quart import Response, request

from robot.contents import WikiContents
from robot.rest import search_answers, search_shapes
from robot.rest.answers import answer, answer_bytes, as_json
from robot.rest.bodies import acting, wiki_request
from robot.rest.operations import LOCATION, Access, Answer, Operation
from robot.rest.problems import LISTING, READING
from robot.rest.queries import Find, Search, SemanticSearch, SimilarPages, read_query
from robot.search.confined import searchable
from wikihost.content import Content

if TYPE_CHECKING:
    from robot.search.service import SearchService

SEARCH = Operation(
    "search",
    "Search",
    "GET",
    "/search",
    "Find pages by words",
    Access.READER,
    (Answer(200, "The pages.", search_shapes.SearchAnswer),),
    'No word is required; a page with all of them comes first. `"a phrase"`, `begin*`, `-not`, `title:`, `tag:`,'
    " `category:`, `path:`, `after:2026-01-31` and `before:2026-12-01` are understood. A page that only stands for"
    " another is not shown. A page is found as soon as its save is answered.",
    (*READING, *LISTING, "missing_parameter"),
    query=Search,
)
FIND = Operation(
    "find",
    "Search",
    "GET",
    "/find",
    "Find what answers a question, by words and by meaning",
    Access.READER,
    (Answer(200, "The sections.", search_shapes.FoundSections),),
    "The search to try first. Takes what `/search` takes, and joins it with the sections that mean the same; conditions"
    " hold for both. Words count for more when the question looks like a name or a piece of code. What was changed a"
    " moment ago is found by words; `note` says what is not yet found by meaning.",
    (*READING, *LISTING, "missing_parameter", "search_unavailable"),
    query=Find,
)
SEMANTIC_SEARCH = Operation(
    "semantic_search",
    "Search",
    "GET",
    "/semantic-search",
    "Find passages by meaning",
    Access.READER,
    (Answer(200, "The passages.", search_shapes.SemanticSearchAnswer),),
    "As many different pages as there are come before a second passage of any of them.",
    (*READING, *LISTING, "missing_parameter", "search_unavailable"),
    query=SemanticSearch,
)
SIMILAR = Operation(
    "similar_pages",
    "Search",
    "GET",
    "/pages/{name}/similar",
    "Find pages about the same",
    Access.READER,
    (Answer(200, "The pages.", search_shapes.Similar),),
    "Other pages that mean what this one does, to link or to merge. By the words of its title while it is not indexed;"
    " `note` says so.",
    (*READING, *LISTING, "invalid_page_name", "page_not_found", "search_unavailable"),
    query=SimilarPages,
)
CHROMA_STATUS = Operation(
    "chroma_status",
    "Search",
    "GET",
    "/chroma-status",
    "Whether search by meaning works",
    Access.TOKEN,
    (Answer(200, "Whether it does.", search_shapes.IndexHealth),),
    "For older programs; `GET /reindex/status` says more. It starts nothing.",
    READING,
)
REINDEX = Operation(
    "start_reindex",
    "Search",
    "POST",
    "/reindex",
    "Build the search index anew",
    Access.WRITER,
    (Answer(202, "It has begun.", search_shapes.ReindexStarted, headers=(LOCATION,)),),
    "Seldom needed: the index follows every change by itself. Searching goes on meanwhile.",
    (*READING, "cross_site", "frozen", "outside_folder", "reindex_running"),
)
CANCEL_REINDEX = Operation(
    "cancel_reindex",
    "Search",
    "DELETE",
    "/reindex",
    "Cancel the re-index",
    Access.WRITER,
    (Answer(200, "None runs any more.", search_shapes.ReindexCancelled),),
    "Pages that were not reached keep what is known of them; the next change or search goes on with them.",
    (*READING, "cross_site", "frozen", "outside_folder"),
)
REINDEX_STATUS = Operation(
    "reindex_status",
    "Search",
    "GET",
    "/reindex/status",
    "How far the search index is",
    Access.READER,
    (Answer(200, "How far it is.", search_shapes.IndexStatus),),
    "When `indexed_head` is `head`, the index holds everything.",
    READING,
)

OPERATIONS = (SEARCH, FIND, SEMANTIC_SEARCH, SIMILAR, CHROMA_STATUS, REINDEX, CANCEL_REINDEX, REINDEX_STATUS)


class SearchRoutes:
    def __init__(self, contents: WikiContents, search: SearchService) -> None:
        self._contents = contents
        self._whole = search

    @property
    def _search(self) -> SearchService:
        """Search as far as the caller reaches."""
        return searchable(self._whole, wiki_request().actor)

    async def search(self) -> Response:
        asked = read_query(Search)
        origin = wiki_request().home

        def look_up(content: Content) -> bytes:
            # The head before the search: an edit between them is in the results, and not yet promised.
            head = content.sync()
            found = content.search(asked.q, asked.limit, asked.cursor, asked.filters)
            return as_json(search_answers.search(asked.q, found, asked.cursor, head=head, origin=origin))

        return answer_bytes(200, await self._contents.run(wiki_request().wiki, look_up))

    async def find(self) -> Response:
        asked = read_query(Find)
        found = await self._search.find(
            wiki_request().wiki,
            asked.q,
            mode=asked.mode,
            limit=asked.limit,
            offset=asked.cursor,
            filters=asked.filters,
            max_chunks_per_page=asked.max_chunks_per_page,
        )
        origin = wiki_request().home
        return answer(200, search_answers.find(asked.q, found, asked.cursor, origin=origin, explain=asked.explain))

    async def semantic_search(self) -> Response:
        asked = read_query(SemanticSearch)
        found = await self._search.query(
            wiki_request().wiki,
            asked.q,
            limit=asked.n,
            max_chunks_per_page=asked.max_chunks_per_page,
            filters=asked.filters,
        )
        return answer(200, search_answers.semantic_search(asked.q, found, origin=wiki_request().home))

    async def similar_pages(self, name: str) -> Response:
        asked = read_query(SimilarPages)
        path = unquote(name)
        found = await self._search.similar(wiki_request().wiki, path, limit=asked.limit)
        return answer(200, search_answers.similar(path, found, origin=wiki_request().home))

    async def chroma_status(self) -> Response:
        acting()
        wiki = wiki_request().wiki
        return answer(200, search_answers.index_health(wiki.slug, await self._search.status(wiki)))

    async def start_reindex(self) -> Response:
        """Start it and answer at once; how far it is, `/reindex/status` says."""
        self._search.start_reindex(wiki_request().wiki)
        started: search_shapes.ReindexStarted = {"status": "started"}
        return answer(202, started, {"Location": f"{request.path}/status"})

    async def cancel_reindex(self) -> Response:
        was_running = self._search.cancel_reindex(wiki_request().wiki)
        cancelled: search_shapes.ReindexCancelled = {"status": "cancelled" if was_running else "idle"}
        return answer(200, cancelled)

    async def reindex_status(self) -> Response:
        return answer(200, search_answers.reindex_status(await self._search.status(wiki_request().wiki)))
