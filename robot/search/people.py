"""Answers what the search pages of wikis ask, which are made by workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from robot.model import Wiki
from robot.search.service import SearchService
from robot.search.values import Finding, SearchError
from wikihost.errors import ContentError
from wikihost.questions import Findings, NoAnswer, Question, Search, Section, Similar
from wikihost.values import SearchFilters

# A page shows a line of each, and its packet has room for many of them.
_MAX_HEADING_CHARS: Final = 200
_MAX_HEADINGS: Final = 6


class SearchForPeople:
    """A `questions.Answer` by the search service. `find_wiki` gives None for a wiki that is being deleted."""

    def __init__(self, search: SearchService, find_wiki: Callable[[str], Wiki | None]) -> None:
        self._search = search
        self._find_wiki = find_wiki

    async def __call__(self, wiki_id: str, question: Question) -> Findings:
        """What the wiki's readers are shown. Raises `NoAnswer`."""
        wiki = self._find_wiki(wiki_id)
        if wiki is None:
            raise NoAnswer("This wiki is being deleted.")
        try:
            match question:
                case Search():
                    return await self._find(wiki, question)
                case Similar(page, limit):
                    answer = await self._search.similar(wiki, page, limit=limit)
                    return Findings(_sections(answer.results), len(answer.results), answer.freshness.note or "")
        except (ContentError, SearchError) as error:
            raise NoAnswer(str(error)) from error

    async def _find(self, wiki: Wiki, asked: Search) -> Findings:
        answer = await self._search.find(
            wiki,
            asked.text,
            mode="keyword" if asked.words_only else "hybrid",
            limit=asked.limit,
            offset=asked.offset,
            filters=SearchFilters(
                tag=asked.tag,
                category=asked.category,
                prefix=asked.folder,
                updated_since=datetime.fromisoformat(asked.updated_since) if asked.updated_since else None,
            ),
            max_chunks_per_page=asked.sections_per_page,
        )
        note = "" if asked.words_only else answer.freshness.note or ""
        return Findings(_sections(answer.results), answer.total, note)


def _sections(found: Sequence[Finding]) -> list[Section]:
    return [_section(finding) for finding in found]


def _section(finding: Finding) -> Section:
    hit = finding.page
    return Section(
        page=hit.path,
        title=hit.title[:_MAX_HEADING_CHARS],
        snippet=hit.snippet,
        highlights=hit.highlights,
        section_path=[heading[:_MAX_HEADING_CHARS] for heading in finding.headings[-_MAX_HEADINGS:]],
        anchor=hit.anchor,
    )
