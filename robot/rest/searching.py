"""`/api/v1/search`, `/semantic-search` and `/reindex`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from quart import Quart, Response, request

from robot.contents import Contents
from robot.rest import answers
from robot.rest.answers import answer
from robot.rest.bodies import query_flag, query_number, query_text, wiki_request
from robot.rest.refusals import Refused
from wikihost.content import MAX_OFFSET

if TYPE_CHECKING:
    from robot.search.service import SearchService
    from robot.search.values import FindMode

MAX_HITS = 50
MAX_PASSAGES_PER_PAGE = 5


class SearchRoutes:
    def __init__(self, contents: Contents, search: SearchService) -> None:
        self._contents = contents
        self._search = search

    def add_to(self, app: Quart) -> None:
        app.add_url_rule("/api/v1/search", "search", self.search, methods=["GET"])
        app.add_url_rule("/api/v1/find", "find", self.find, methods=["GET"])
        app.add_url_rule("/api/v1/semantic-search", "semantic_search", self.semantic_search, methods=["GET"])
        app.add_url_rule("/api/v1/reindex", "start_reindex", self.start_reindex, methods=["POST"])
        app.add_url_rule("/api/v1/reindex/status", "reindex_status", self.reindex_status, methods=["GET"])

    async def search(self) -> Response:
        query, limit = query_text("q"), query_number("limit", default=MAX_HITS, most=MAX_HITS)
        offset = query_number("cursor", default=0, least=0, most=MAX_OFFSET)
        found = await self._contents.run(wiki_request().wiki, lambda content: content.search(query, limit, offset))
        return answer(200, answers.search(query, found, offset))

    async def find(self) -> Response:
        query, limit = query_text("q"), query_number("limit", default=MAX_HITS, most=MAX_HITS)
        offset = query_number("cursor", default=0, least=0, most=MAX_OFFSET)
        mode = request.args.get("mode") or "hybrid"
        if mode not in ("hybrid", "keyword", "semantic"):
            raise Refused(422, "invalid_mode", "mode is hybrid, keyword or semantic.")
        found = await self._search.find(
            wiki_request().wiki, query, mode=cast("FindMode", mode), limit=limit, offset=offset
        )
        return answer(200, answers.find(query, found, offset, explain=query_flag("explain")))

    async def semantic_search(self) -> Response:
        query = query_text("q")
        found = await self._search.query(
            wiki_request().wiki,
            query,
            limit=query_number("n", default=5, most=MAX_HITS),
            max_chunks_per_page=query_number("max_chunks_per_page", default=2, most=MAX_PASSAGES_PER_PAGE),
        )
        return answer(200, answers.semantic_search(query, found))

    async def start_reindex(self) -> Response:
        """Start it and answer at once; how far it is, `/reindex/status` says."""
        self._search.start_reindex(wiki_request().wiki)
        return answer(202, {"status": "started"}, {"Location": f"{request.path}/status"})

    async def reindex_status(self) -> Response:
        return answer(200, answers.reindex_status(await self._search.status(wiki_request().wiki)))
