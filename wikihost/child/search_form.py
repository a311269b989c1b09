"""What the form of the search page says, and the addresses of searches that differ in one thing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from wikihost.questions import MAX_LABEL_CHARS, MAX_NAME_CHARS, MAX_OFFSET, MAX_TEXT_CHARS

PATH: Final = "/-/search"
SECTIONS_PER_PAGE: Final = (1, 3, 5)
PERIODS: Final[Mapping[str, tuple[str, timedelta]]] = {
    "day": ("in the last day", timedelta(days=1)),
    "week": ("in the last week", timedelta(days=7)),
    "month": ("in the last month", timedelta(days=31)),
    "year": ("in the last year", timedelta(days=366)),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A search. Empty filters let everything pass; `folder` ends in a slash, `since` is a key of `PERIODS`.

    `like` is a page, whose like is looked for in place of everything else.
    """

    query: str = ""
    words_only: bool = False
    is_regex: bool = False
    is_case_sensitive: bool = False
    tag: str = ""
    category: str = ""
    folder: str = ""
    since: str = ""
    sections: int = 1
    offset: int = 0
    like: str = ""

    @property
    def is_scan(self) -> bool:
        """Whether the text itself is looked through."""
        return self.is_regex or self.is_case_sensitive

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked."""
        return not (self.query or self.like or (not self.is_scan and self.filters))

    @property
    def period(self) -> timedelta | None:
        return PERIODS[self.since][1] if self.since else None

    @property
    def filters(self) -> list[tuple[str, str]]:
        """Each filter that is set: in words, and the address of the same search without it."""
        words = {
            "tag": f"tag {self.tag}",
            "category": f"category {self.category}",
            "folder": f"folder {self.folder}",
            "since": f"changed {PERIODS[self.since][0]}" if self.since else "",
        }
        return [(text, self.address(**{name: ""})) for name, text in words.items() if getattr(self, name)]

    def address(self, **changes: Any) -> str:
        """The address of this search with some of its values changed, from the first result on."""
        other = replace(self, **{"offset": 0, **changes})
        fields = {
            "query": other.query,
            "mode": "words" if other.words_only else "",
            "is_regexp": "y" if other.is_regex else "",
            "is_casesensitive": "y" if other.is_case_sensitive else "",
            "tag": other.tag,
            "category": other.category,
            "folder": other.folder,
            "since": other.since,
            "sections": other.sections if other.sections > 1 else "",
            "like": other.like,
            "offset": other.offset or "",
        }
        query = urlencode({name: value for name, value in fields.items() if value})
        return f"{PATH}?{query}" if query else PATH


def read_form(values: Mapping[str, str], in_path: str | None = None) -> Asked:
    """The search that a form asks for. Never raises: what cannot be is as if it was not said."""

    def text(name: str, limit: int = MAX_LABEL_CHARS) -> str:
        return values.get(name, "").strip()[:limit].strip()

    folder, since = text("folder", MAX_NAME_CHARS - 1).strip("/"), text("since")
    return Asked(
        query=(in_path or values.get("query", "")).strip()[:MAX_TEXT_CHARS].strip(),
        words_only=values.get("mode") == "words",
        is_regex=values.get("is_regexp") == "y",
        is_case_sensitive=values.get("is_casesensitive") == "y",
        tag=text("tag"),
        category=text("category"),
        folder=f"{folder}/" if folder else "",
        since=since if since in PERIODS else "",
        sections=_number(values, "sections", SECTIONS_PER_PAGE[-1]) or 1,
        offset=_number(values, "offset", MAX_OFFSET),
        like=text("like", MAX_NAME_CHARS),
    )


def _number(values: Mapping[str, str], name: str, highest: int) -> int:
    text = values.get(name, "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    return min(number, highest)
