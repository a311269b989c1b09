"""Links in Markdown: where they are, and putting others in their place. Pure; what they mean is not decided here.

Wikilinks and embeds are taken whole. Of Markdown's links, images and definitions, and of `<img src>`, it is the
address alone, so that labels stay as they are, whatever is nested in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import quote, unquote

from wikihost.markdown import split_frontmatter, text_outside_code

_WIKI = re.compile(r"!?\[\[([^\[\]\n]+)\]\]")
# CommonMark 6.3: in angle brackets, or without spaces and with balanced parentheses.
_ADDRESS = r"(<[^<>\n]*>|[^\s<>()]+(?:\([^\s<>()]*\)[^\s<>()]*)*|(?:\([^\s<>()]*\)[^\s<>()]*)+)"
_INLINE = re.compile(r"\]\([ \t]*" + _ADDRESS)
_DEFINITION = re.compile(r"^ {0,3}\[(?!\^)[^\[\]\n]+\]:[ \t]*" + _ADDRESS, re.MULTILINE)
_IMAGE_TAG = re.compile(r"""<img\b[^<>]*?\bsrc=["']([^"'<>\n]+)["']""", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class Kind(Enum):
    WIKI = auto()
    EMBED = auto()
    ADDRESS = auto()


@dataclass(frozen=True, slots=True)
class Link:
    """`text[start:end]` is the whole wikilink or embed, or an address alone; `inside` what it says."""

    kind: Kind
    start: int
    end: int
    inside: str


@dataclass(frozen=True, slots=True)
class Address:
    """An address within the source, decoded; the query and the fragment as they were, without `?` and `#`."""

    path: str
    query: str
    fragment: str


def find_links(text: str) -> Iterator[Link]:
    """The links of a page's text, outside frontmatter and code."""
    _, body = split_frontmatter(text)
    start = len(text) - len(body)
    for offset, block in text_outside_code(body, "[["):
        for match in _WIKI.finditer(block):
            at = start + offset + match.start()
            kind = Kind.EMBED if match[0].startswith("!") else Kind.WIKI
            inside = text[start + offset + match.start(1) : start + offset + match.end(1)]
            yield Link(kind, at, start + offset + match.end(), inside)
    for pattern, mark in ((_INLINE, "]("), (_DEFINITION, "]:"), (_IMAGE_TAG, "src=")):
        for offset, block in text_outside_code(body, mark):
            for match in pattern.finditer(block):
                yield Link(Kind.ADDRESS, start + offset + match.start(1), start + offset + match.end(1), match[1])


def replace_links(text: str, decide: Callable[[Link], str | None]) -> tuple[str, int]:
    """The text with each link replaced by what `decide` says (None: as it is), and how many were."""
    kept: list[str] = []
    position = count = 0
    for link in sorted(find_links(text), key=lambda each: each.start):
        if link.start < position:
            continue
        new = decide(link)
        if new is None or new == text[link.start : link.end]:
            continue
        kept += [text[position : link.start], new]
        position = link.end
        count += 1
    return "".join([*kept, text[position:]]), count


def parse_address(inside: str) -> Address | None:
    """An address that stays within the source; None for other sites, for anchors of the page itself, for nothing."""
    plain = inside[1:-1] if inside.startswith("<") else _ESCAPED.sub(r"\1", inside)
    if not plain or plain.startswith(("#", "//", "?")) or _SCHEME.match(plain):
        return None
    plain, _, fragment = plain.partition("#")
    path, _, query = plain.partition("?")
    return Address(unquote(path), query, unquote(fragment)) if path else None


def address_of(path: str) -> str:
    """The address of a page or a file from the top of the wiki."""
    return "/" + quote(path, safe="/")


def normal_path(folder: str, path: str) -> str | None:
    """`path` as seen from `folder`, without `.` and `..`; None when it leaves the source."""
    parts = [] if path.startswith("/") else [part for part in folder.split("/") if part]
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
