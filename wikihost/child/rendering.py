"""What Otter Wiki renders a second time, or for nothing.

It parses the HTML that it made of a page and writes it out anew, which is half the work of showing a large page and
depends on nothing but the text: that is done once. It renders a whole page to learn its headings: for those the HTML is
left as it is, and code is not coloured.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from wikihost.child.kept import Kept
from wikihost.child.skeleton import skeleton

# In characters, mostly of one byte each.
_ROOM = 2_000_000

# What Otter Wiki's renderers have learnt of the page at hand.
_OF_THE_TEXT = ("requires_mermaid", "requires_mathjax")
_OF_THE_HEADINGS = ("toc_count", "toc_tree", "toc_anchors")


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


def find_headings_only(renderer: Any, plugins: Any, app_renderer: Any, *modules: Any) -> None:
    """Make `get_ftoc`, which these modules have copied, do no more than it needs; after `remember_clean_html`.

    `plugins` is Otter Wiki's module of Markdown plugins.
    """
    get_ftoc, render = modules[0].get_ftoc, app_renderer.markdown

    def find_headings(*arguments: Any, **options: Any) -> Any:
        with headings_only():
            return get_ftoc(*arguments, **options)

    def render_what_is_wanted(text: str, *arguments: Any, **options: Any) -> Any:
        if not _wanted.headings_only:
            return render(text, *arguments, **options)
        with _set_aside(app_renderer, _OF_THE_TEXT), _set_aside(app_renderer.md_renderer, _OF_THE_HEADINGS):
            return render(skeleton(text), *arguments, **options)

    app_renderer.markdown = render_what_is_wanted
    _leave_out_what_is_no_heading(renderer, plugins)
    for module in modules:
        module.get_ftoc = find_headings


def _leave_out_what_is_no_heading(renderer: Any, plugins: Any) -> None:
    """While headings are looked for, code is not coloured, nothing embedded, and no other text read than theirs."""
    colour, embed, parser = renderer.pygments_render, plugins.call_hook, renderer.OtterwikiMdParser
    iterate = parser._iter_render

    def colour_what_is_shown(*arguments: Any, **options: Any) -> Any:
        return "" if _wanted.headings_only else colour(*arguments, **options)

    def embed_what_is_shown(*arguments: Any, **options: Any) -> Any:
        return "" if _wanted.headings_only else embed(*arguments, **options)

    def iterate_headings(self: Any, tokens: Any, state: Any) -> Iterator[Any]:
        # Text refers to footnotes, which may have headings.
        if _wanted.headings_only and not state.env.get("def_footnotes"):
            tokens = [_without_text(token) for token in tokens]
        yield from iterate(self, tokens, state)

    renderer.pygments_render = colour_what_is_shown
    plugins.call_hook = embed_what_is_shown
    parser._iter_render = iterate_headings


def _without_text(token: dict[str, Any]) -> dict[str, Any]:
    return token if token["type"] == "heading" or "text" not in token else {**token, "text": ""}


@contextmanager
def _set_aside(thing: Any, names: Sequence[str]) -> Iterator[None]:
    """Keep what these attributes are: headings are also looked for in the midst of a page that is being rendered."""
    before = {name: getattr(thing, name) for name in names}
    try:
        yield
    finally:
        vars(thing).update(before)


class _Wanted(threading.local):
    """What the thread renders a page for."""

    headings_only = False


_wanted = _Wanted()


@contextmanager
def headings_only() -> Iterator[None]:
    """Whatever this thread renders in the block is to tell the page's headings, and nothing else."""
    before = _wanted.headings_only
    _wanted.headings_only = True
    try:
        yield
    finally:
        _wanted.headings_only = before
