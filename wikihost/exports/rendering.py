"""A page's Markdown as HTML that holds no script and works without one. Pure.

markdown-it renders it, not Otter Wiki: that renderer runs only inside a worker, and what it makes leans on scripts. So
blocks that only Otter Wiki knows, and HTML within Markdown, are shown as they were typed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from urllib.parse import parse_qs, quote, unquote

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from wikihost.headings import Anchors, slugify

Resolve = Callable[[str], str | None]
"""The address, relative to the page, of a path from the top of the wiki; None when nothing is there."""

_WIKILINK = re.compile(r"\[\[([^\[\]\n]+)\]\]")
_INCLUDE = re.compile(r"\{\{\s*include\s*\|\s*src\s*=\s*/?([^|{}\n]+)[^{}\n]*\}\}", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_ALERT = re.compile(r"\[!([A-Za-z]{1,20})\][ \t]*")
_TASK = re.compile(r"\[([ xX])\] ")
_WIDTH = re.compile(r"[1-9]\d{0,3}")


class PageRenderer:
    """Renders pages one after the other. `render` is given how to find what each page links to."""

    def __init__(self) -> None:
        self._parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
        self._parser.inline.ruler.before("link", "wikilink", _wikilink)
        self._parser.inline.ruler.before("link", "include", _include)
        self._parser.core.ruler.push("anchors", _anchors)
        self._parser.core.ruler.push("marks", _marks)
        self._parser.core.ruler.push("addresses", _addresses)

    def render(self, body: str, name: str, resolve: Resolve) -> str:
        """HTML of a page's body (without frontmatter); `name` is the page's."""
        return str(self._parser.render(body, {"page": name, "resolve": resolve}))


def _wikilink(state: StateInline, silent: bool) -> bool:
    match = _WIKILINK.match(state.src, state.pos) if state.src.startswith("[[", state.pos) else None
    if match is None:
        return False
    if not silent:
        shown, _, target = match[1].rpartition("|")
        name, _, heading = target.partition("#")
        anchor = f"#{slugify(heading)}" if heading else ""
        address = "/" + quote(name.strip().lstrip("/"), safe="/") if name.strip() else ""
        _push_link(state, shown or target, address + anchor)
    state.pos = match.end()
    return True


def _include(state: StateInline, silent: bool) -> bool:
    """What Otter Wiki shows of another page in place is a link here."""
    match = _INCLUDE.match(state.src, state.pos) if state.src.startswith("{{", state.pos) else None
    if match is None:
        return False
    if not silent:
        name = match[1].strip()
        _push_link(state, name, "/" + quote(name, safe="/"))
    state.pos = match.end()
    return True


def _push_link(state: StateInline, shown: str, address: str) -> None:
    state.push("link_open", "a", 1).attrs = {"href": address}
    state.push("text", "", 0).content = shown
    state.push("link_close", "a", -1)


def _anchors(state: StateCore) -> None:
    """Headings get the ids that Otter Wiki gives them."""
    anchors = Anchors()
    for opening, inline in pairwise(state.tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", anchors.of(inline.content)[1])


def _marks(state: StateCore) -> None:
    """Alerts (`> [!NOTE]`) and tasks (`- [x]`), whose marks stand first in a quote or an item."""
    for outer, paragraph, inline in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        first = inline.children[0] if inline.children else None
        if paragraph.type != "paragraph_open" or first is None or first.type != "text":
            continue
        if outer.type == "blockquote_open" and (match := _ALERT.match(first.content)):
            outer.attrSet("class", "alert")
            first.content = f"{match[1].capitalize()}: {first.content[match.end() :]}"
        elif outer.type == "list_item_open" and (match := _TASK.match(first.content)):
            first.content = f"{'☐' if match[1] == ' ' else '☑'} {first.content[match.end() :]}"


def _addresses(state: StateCore) -> None:
    """Links and images of the wiki lead to where things lie in the site; what leads nowhere is no link."""
    page: str = state.env["page"]
    resolve: Resolve = state.env["resolve"]
    for inline in state.tokens:
        open_links: list[bool] = []
        for token in inline.children or ():
            if token.type == "link_open":
                open_links.append(_lead(token, "href", page, resolve))
            elif token.type == "link_close" and not open_links.pop():
                token.tag = "span"
            elif token.type == "image":
                _lead(token, "src", page, resolve)


def _lead(token: Token, attribute: str, page: str, resolve: Resolve) -> bool:
    """Point a link or an image at its target; False when there is none."""
    address = str(token.attrGet(attribute) or "")
    if not address or address.startswith("#") or _SCHEME.match(address):
        return True
    path, _, fragment = address.partition("#")
    path, _, query = path.partition("?")
    found = resolve(_whole_path(unquote(path), page))
    if found is None:
        if attribute == "href":
            token.tag, token.attrs = "span", {"class": "missing"}
            return False
        return True
    token.attrSet(attribute, found + (f"#{fragment}" if fragment else ""))
    width = parse_qs(query).get("width", [""])[0]
    if attribute == "src" and _WIDTH.fullmatch(width):
        token.attrSet("width", width)
    return True


def _whole_path(path: str, page: str) -> str:
    """From the top of the wiki; `./` is the page's own folder, other relative paths are beside the page."""
    if path.startswith("/"):
        return path.lstrip("/")
    if path.startswith("./"):
        return f"{page}/{path[2:]}"
    folder = page.rpartition("/")[0]
    return f"{folder}/{path}" if folder else path
