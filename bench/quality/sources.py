"""What there may be to ask about, and which Debian packages it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench.quality.answers import frequently_asked, handbook
from bench.quality.library import standard_library
from bench.quality.manuals import english_manuals, translated_manuals
from bench.quality.packages import packages
from bench.quality.values import Collection


@dataclass(frozen=True, slots=True)
class Source:
    """Makes a collection of at most `pages` pages, or None where what it `needs` is not installed."""

    name: str
    needs: str
    pages: int
    make: Callable[[int], Collection | None]


SOURCES = (
    Source("manuals", "man-db, manpages", 200, english_manuals),
    Source("packages", "dpkg", 300, packages),
    Source("library", "the source of Python's standard library", 120, standard_library),
    Source("faq", "python3-doc, debian-faq, perl-doc and man-db", 400, frequently_asked),
    Source("handbook-en", "debian-handbook", 250, partial(handbook, "en-US", "en")),
    Source("handbook-de", "debian-handbook", 150, partial(handbook, "de-DE", "de")),
    Source("handbook-zh", "debian-handbook", 150, partial(handbook, "zh-CN", "zh")),
    Source("manuals-de", "manpages-de, man-db", 80, partial(translated_manuals, "de", "de")),
    Source("manuals-zh", "manpages-zh, man-db", 80, partial(translated_manuals, "zh_CN", "zh")),
)
