"""The HTML of a page is put in order once, and not again as long as it is the same.

Otter Wiki parses what it rendered and writes it out anew, which is half the work of showing a large page. The result
depends on nothing but the text.
"""

from __future__ import annotations

import hashlib
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
            key = (self._features, hashlib.sha256(self._html.encode("utf-8", "surrogatepass")).digest())
            clean = kept.find(key)
            if clean is None:
                clean = str(parse(self._html, self._features))
                kept.keep(key, clean, len(clean))
            return clean

    renderer.BeautifulSoup = RememberedSoup
