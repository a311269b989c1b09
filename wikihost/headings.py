"""The headings of a page, with the ids that Otter Wiki gives them in the rendered page. Pure, and never raises.

The rule is CommonMark's, read by markdown-it. Most pages have their headings at the beginning of lines and nothing that
could be read otherwise; those are read line by line, which takes a tenth of the time and says the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

# Longer headings are absurd, and inline Markdown can cost the square of its length.
MAX_HEADING_CHARS = 300

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
# Whatever may make a line mean something else than it looks: HTML, and headings and fences that are indented or inside
# of lists and quotes; or a line of dashes that makes the line above it a heading.
_NOT_PLAIN = re.compile(
    r"(?:[ \t\-*+>]|\d{1,9}[.)])*<"
    r"|(?:[ \t\-*+>]|\d{1,9}[.)])+(?:\#|`{3}|~{3})"
)
UNDERLINE = re.compile(r"[ \t>]*(?:=+|-+)[ \t]*")
_PLAIN_HEADING = re.compile(r"(#{1,6})(?:[ \t](.*))?", re.DOTALL)
_CLOSING = re.compile(r"(?:^|[ \t])#+[ \t]*$")
_FENCE = re.compile(r"(`{3,}(?!.*`)|~{3,})")
_WIKILINK = re.compile(r"\[\[([^\[\]|]+)(?:\|[^\[\]]*)?\]\]")
_MARKUP = re.compile(r"[\\`*_\[\]<>&~!]")
_SLUG_REFUSED = re.compile(r"[^\w\s\-]")
_SLUG_SPACE = re.compile(r"[-\s]+")

_Found = tuple[int, str, int, bool]  # level, inline Markdown, line, whether it is nested


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: its text as it is read, its id in the rendered page, and the offset in the body where its line begins.

    One inside of a list or a quote has an id too, but begins no section: `is_nested`.
    """

    level: int
    title: str
    anchor: str
    start: int
    is_nested: bool = False


class Anchors:
    """Ids of one page's headings, in order; a repeated one gets `-1`, `-2`, … as Otter Wiki's renderer counts them."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def of(self, markdown: str) -> tuple[str, str]:
        """The text and the id of a heading with this inline Markdown."""
        text = _shown(markdown[:MAX_HEADING_CHARS])
        slug = slugify(text)
        times = self._seen[slug] = self._seen.get(slug, -1) + 1
        return text, f"{slug}-{times}" if times else slug


def headings(body: str) -> list[Heading]:
    """All headings of a page's body (without frontmatter), in order."""
    found_lines = list(_LINE.finditer(body))
    lines = [match[0].rstrip("\r\n") for match in found_lines]
    found = _read_lines(lines)
    if found is None:
        found = _read_blocks("\n".join(lines))
    anchors = Anchors()
    return [
        Heading(level, *anchors.of(inline), found_lines[line].start(), is_nested)
        for level, inline, line, is_nested in found
    ]


def heading_lines(lines: Sequence[str]) -> list[str] | None:
    """Those of a body's lines that are headings; None for a body that cannot be read line by line."""
    found = _read_lines(lines)
    return None if found is None else [lines[number] for _, _, number, _ in found]


def block_tokens(text: str) -> list[Token]:
    """The blocks of a body whose lines end in line feeds; what is in them is left alone."""
    return _block_parser().parse(text.replace("\0", "\ufffd"))


def slugify(text: str) -> str:
    """The id that Otter Wiki gives a heading (otterwiki.util.slugify)."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").strip().lower()
    return _SLUG_SPACE.sub("-", _SLUG_REFUSED.sub("", plain))


def _read_blocks(text: str) -> list[_Found]:
    """The headings as CommonMark has them."""
    return [
        (int(token.tag[1:]), inline.content, token.map[0] if token.map else 0, token.level > 0)
        for token, inline in pairwise(block_tokens(text))
        if token.type == "heading_open"
    ]


def _read_lines(lines: Sequence[str]) -> list[_Found] | None:
    """The same, where headings are lines that begin with `#`, and fences such that begin with theirs; else None."""
    found: list[_Found] = []
    fence = above = ""
    for number, line in enumerate(lines):
        if fence:
            # Closed by at least as many of the same character and nothing else on the line (CommonMark 4.5).
            if line.lstrip(" \t").startswith(fence) and not line.strip(" \t").strip(fence[0]):
                if line[0] != fence[0]:
                    return None
                fence = ""
            continue
        if _NOT_PLAIN.match(line) or (above.strip(" \t") and UNDERLINE.fullmatch(line)):
            return None
        if (heading := _PLAIN_HEADING.fullmatch(line)) is not None:
            found.append((len(heading[1]), _CLOSING.sub("", heading[2] or "").strip(), number, False))
        elif (opened := _FENCE.match(line)) is not None:
            fence = opened[1]
        above = line
    return found


@cache
def _block_parser() -> MarkdownIt:
    """Finds blocks and leaves what is in them alone, at a third of the price."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - 50 ms that a start need not pay

    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


@cache
def _inline_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415

    return MarkdownIt("commonmark").enable("strikethrough")


def _shown(markdown: str) -> str:
    """Inline Markdown as its reader sees it."""
    if _MARKUP.search(markdown) is None:
        return " ".join(markdown.split())
    inline = _inline_parser().parseInline(_WIKILINK.sub(r"\1", markdown))
    children = inline[0].children or []
    shown = (
        " " if token.type in ("softbreak", "hardbreak") else token.content
        for token in children
        if token.type not in ("html_inline", "image")
    )
    return " ".join("".join(shown).split())
