"""Otter Wiki's search page: sections by words and by meaning, which core finds, for people.

Where core has no answer in time, keyword search in the catalog answers here, and the page says so. Otter Wiki's search
through the text of all pages, for a regular expression or with attention to case, stays; it reads every page for that,
so it has a time limit (`scanning`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from flask import abort, redirect, render_template, request, url_for
from flask_login import current_user
from otterwiki.auth import has_permission

from wikihost import query
from wikihost.child import search_results
from wikihost.child.asking import Asking, asking_of
from wikihost.child.plain import plain_page
from wikihost.child.scanning import Pattern, scan
from wikihost.child.search_form import PERIODS, SECTIONS_PER_PAGE, Asked, read_form
from wikihost.child.search_offers import OfferMaker
from wikihost.child.search_results import Results
from wikihost.content import Content
from wikihost.questions import MAX_OFFSET, Findings, NoAnswer, Question, Search, Similar
from wikihost.values import PageFilter, SearchFilters
from wikihost.worker_protocol import ELSEWHERE_HEADER

ENDPOINT: Final = "search"
ROWS: Final = 20
SIMILAR: Final = 10
_LONGEST_ADDRESS: Final = 8_000
_ALONE: Final = "This wiki cannot be searched by meaning."


def install(app: Any, storage: Any) -> None:
    """Answer in the place of Otter Wiki's own search; before the first request."""
    page = app.jinja_env.from_string((files("wikihost.child") / "search.html").read_text("utf-8"))
    offers = OfferMaker()

    def search(query: str | None = None) -> Any:  # the argument's name is the route's
        if not has_permission("READ"):
            if not current_user.is_authenticated:
                return redirect(url_for("login"))
            abort(403)
        asked = read_form(request.values, query)
        if request.method == "POST" and len(asked.address()) <= _LONGEST_ADDRESS:
            return redirect(asked.address(), 303)  # which can be kept, and come back to
        searcher = _Searcher(storage, asking_of(app))
        if asked.like:
            like = searcher.find_page(asked.like)
            if like is None:
                return plain_page(404, "No such page", f"There is no page {asked.like}.")
            asked = replace(asked, like=like)
        # A page elsewhere would have it searched again and again, and learn what there is from the time that takes.
        is_theirs = ELSEWHERE_HEADER not in request.headers
        shown = render_template(
            page,
            asked=asked,
            results=searcher.find(asked) if is_theirs and not asked.is_empty else None,
            is_theirs=is_theirs,
            offers=offers.make(storage.content, asked),
            periods=PERIODS,
            sections_per_page=SECTIONS_PER_PAGE,
            title=_title(asked),
        )
        # What is found changes with the index too, which no commit tells of.
        return shown, {"Cache-Control": "private, no-cache"}

    app.view_functions[ENDPOINT] = search


def _title(asked: Asked) -> str:
    if asked.like:
        return f"Similar to {asked.like}"
    return f"Search: {asked.query}" if asked.query else "Search"


@dataclass(frozen=True, slots=True)
class _Searcher:
    """Finds for one request."""

    storage: Any
    asking: Asking | None

    @property
    def content(self) -> Content:
        content: Content = self.storage.content
        return content

    def find_page(self, name: str) -> str | None:
        """The page that a name means, as it is written."""
        self.content.sync()
        row = self.content.catalog.read(lambda db: query.find_page(db, name))
        return None if row is None else row.path

    def find(self, asked: Asked) -> Results:
        if asked.is_scan and not asked.like:
            return self._scan(asked)
        results = self._found(asked)
        rows = self.content.catalog.read(lambda db: search_results.with_pages(db, results.rows))
        end = asked.offset + len(rows)
        is_more = rows and end < min(results.total, MAX_OFFSET) and not asked.like
        return replace(results, rows=rows, more=asked.address(offset=end) if is_more else "")

    def _found(self, asked: Asked) -> Results:
        """What core finds, else what keyword search does."""
        try:
            findings = self._ask(self._question(asked))
        except NoAnswer as why:
            if asked.like:  # words alone do not tell
                return Results([], 0, problem=f"{why} Try again in a moment.")
            return replace(self._by_keywords(asked), note=f"{why} Only words were searched; try again in a moment.")
        rows = [search_results.row_of_section(section) for section in findings.sections]
        return Results(rows, findings.total, note=findings.note)

    def _ask(self, question: Question) -> Findings:
        """Raises `NoAnswer`."""
        if self.asking is None:
            raise NoAnswer(_ALONE)
        return self.asking.ask(question)

    def _question(self, asked: Asked) -> Question:
        if asked.like:
            return Similar(asked.like, SIMILAR)
        filters = _filters(asked)
        return Search(
            asked.query,
            ROWS,
            offset=asked.offset,
            words_only=asked.words_only,
            sections_per_page=asked.sections,
            tag=filters.tag,
            category=filters.category,
            folder=filters.prefix,
            updated_since=filters.updated_since.isoformat() if filters.updated_since else "",
        )

    def _by_keywords(self, asked: Asked) -> Results:
        hits = self.content.search(asked.query, ROWS, asked.offset, _filters(asked))
        return Results([search_results.row_of_hit(hit) for hit in hits.hits], hits.total)

    def _scan(self, asked: Asked) -> Results:
        filters = _filters(asked)
        wanted = PageFilter(
            prefix=filters.prefix or None,
            category=filters.category or None,
            tag=filters.tag or None,
            updated_since=filters.updated_since,
        )
        names = [page.path for page in self.content.list_pages(wanted)]
        scanned = scan(Path(self.storage.path), names, Pattern(asked.query, asked.is_regex, asked.is_case_sensitive))
        return self.content.catalog.read(lambda db: search_results.results_of_scan(db, scanned))


def _filters(asked: Asked) -> SearchFilters:
    since = datetime.now(UTC) - asked.period if asked.period else None
    return SearchFilters(asked.tag, asked.category, asked.folder, updated_since=since)
