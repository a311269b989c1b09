"""One search over all wikis in which a person has a role."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from quart import Blueprint, Response, request

from robot.address import PublicAddress, page_address
from robot.model import User, Wiki
from robot.search.values import EverywhereAnswer, Finding
from robot.web.answers import error_page
from robot.web.page import render
from robot.web.site import Site
from robot.web.visitor import signed_in
from robot.wikis import wikis_of
from wikihost import keyword_syntax
from wikihost.excerpts import Excerpt, fragments
from wikihost.readable import readable

MAX_SHOWN = 20
# Each looks into all wikis of a person, who has two windows open at most.
MAX_AT_ONCE = 2

# A page of another site, or of a wiki here, which anybody may write, could have a person's browser search for it and
# learn from the time it takes whether there is something to find.
_OWN_SITES = frozenset({"same-origin", "none"})


class Finder(Protocol):
    """What the page needs of `robot.search.service.SearchService`."""

    async def find_everywhere(self, wikis: Sequence[Wiki], text: str, *, limit: int) -> EverywhereAnswer: ...


@dataclass(frozen=True, slots=True)
class _Row:
    """A section on the list; `pieces` are its words, and whether they are what was looked for."""

    wiki: Wiki
    address: str
    title: str
    place: Sequence[str]
    pieces: Sequence[tuple[str, bool]]


class _TooManySearches(Exception):
    """The person's earlier searches are still running."""


def search_pages(site: Site, *, finder: Finder) -> Blueprint:
    """`/app/search`"""
    db, address, sessions = site
    pages = Blueprint("search", __name__, url_prefix="/app/search")
    running: Counter[str] = Counter()

    @contextmanager
    def turn(user: User) -> Iterator[None]:
        if running[user.id] >= MAX_AT_ONCE:
            raise _TooManySearches
        running[user.id] += 1
        try:
            yield
        finally:
            running[user.id] -= 1
            if not running[user.id]:
                del running[user.id]

    @pages.get("")
    async def search() -> str | Response:
        user = signed_in(sessions)
        text, slug = request.args.get("q", "").strip(), request.args.get("wiki", "")
        wikis = [wiki for wiki, _ in wikis_of(db, user)]  # as it is now: who lost a role searches there no more
        chosen = [wiki for wiki in wikis if wiki.slug == slug] or wikis
        is_theirs = request.headers.get("Sec-Fetch-Site", "none") in _OWN_SITES
        found = None
        if text and chosen and is_theirs:
            try:
                with turn(user):
                    found = await finder.find_everywhere(chosen, text, limit=MAX_SHOWN)
            except _TooManySearches:
                return _too_many()
        return render(
            "search.html",
            user=user,
            here="search",
            text=text,
            wikis=wikis,
            chosen=chosen[0] if len(chosen) < len(wikis) else None,
            is_asked=bool(text) and not is_theirs,
            rows=None if found is None else [_row(wiki, each, address) for wiki, each in found.results],
            unsearched=() if found is None else found.unsearched,
            note=None if found is None else found.note,
            has_words=bool(keyword_syntax.parse(text).wanted),
            more=[(wiki, _own_search(wiki, text, address)) for wiki in _distinct(found)],
            most=MAX_SHOWN,
        )

    return pages


def _row(wiki: Wiki, found: Finding, address: PublicAddress) -> _Row:
    hit = found.page
    return _Row(
        wiki,
        page_address(address.origin_of(wiki), hit.path, hit.anchor),
        hit.title,
        [*hit.path.split("/")[:-1], *found.headings],
        fragments(readable(Excerpt(hit.snippet, tuple(hit.highlights), None))),
    )


def _own_search(wiki: Wiki, text: str, address: PublicAddress) -> str:
    """The wiki's own search page, for everything that it has."""
    return f"{address.origin_of(wiki)}/-/search?{urlencode({'query': text})}"


def _distinct(found: EverywhereAnswer | None) -> list[Wiki]:
    """The wikis that something was found in, each once, in the order of their best."""
    return [] if found is None else list(dict.fromkeys(wiki for wiki, _ in found.results))


def _too_many() -> Response:
    answer = error_page(
        429, "One search at a time", "Your last searches are still running.", "Wait a few seconds, then reload."
    )
    answer.headers["Retry-After"] = "5"
    return answer
