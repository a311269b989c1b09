"""What Otter Wiki renders a second time, or for nothing.

It parses the HTML that it made of a page and writes it out anew, which is half the work of showing a large page and
depends on nothing but the text: that is done once. It renders a whole page to learn its headings: for those the HTML is
left as it is, and code is not coloured.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wikihost.child.kept import Kept

# In characters, mostly of one byte each.
_ROOM = 2_000_000


def remember_clean_html(renderer: Any) -> None:
    """Give Otter Wiki's module `renderer` a parser that remembers."""
    parse = renderer.BeautifulSoup
    kept: Kept[str] = Kept(_ROOM)

    class RememberedSoup:
        """A document that is parsed when more than its clean text is wanted."""

        def __init__(self, html: str, features: str) -> None:
            self._html = html
            self._features = features

        def __getattr__(self, name: str) -> Any:
            return getattr(parse(self._html, self._features), name)

        def __str__(self) -> str:
            if _wanted.headings_only:
                return self._html
            key = (self._features, hashlib.sha256(self._html.encode("utf-8", "surrogatepass")).digest())
            clean = kept.find(key)
            if clean is None:
                clean = str(parse(self._html, self._features))
                kept.keep(key, clean, len(clean))
            return clean

    renderer.BeautifulSoup = RememberedSoup


def find_headings_only(renderer: Any, *modules: Any) -> None:
    """Make `get_ftoc`, which these modules have copied, do no more than it needs; after `remember_clean_html`."""
    get_ftoc, colour = modules[0].get_ftoc, renderer.pygments_render

    def find_headings(*arguments: Any, **options: Any) -> Any:
        with _headings_only():
            return get_ftoc(*arguments, **options)

    def colour_what_is_shown(*arguments: Any, **options: Any) -> Any:
        return "" if _wanted.headings_only else colour(*arguments, **options)

    renderer.pygments_render = colour_what_is_shown
    for module in modules:
        module.get_ftoc = find_headings


class _Wanted(threading.local):
    """What the thread renders a page for."""

    headings_only = False


_wanted = _Wanted()


@contextmanager
def _headings_only() -> Iterator[None]:
    before = _wanted.headings_only
    _wanted.headings_only = True
    try:
        yield
    finally:
        _wanted.headings_only = before
