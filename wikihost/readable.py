"""A piece of Markdown as people read it in a list of results: without the marks that only a renderer needs. Pure."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Final

from wikihost.excerpts import Excerpt

# What stands in groups goes. A piece is one line, which may begin and end within anything.
_MARKUP: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(\[\[)[^\[\]|]*(\|[^\[\]]*\]\]|\]\])",  # [[Text|Page]]
        r"(\[\[)[^\[\]|]*(\|[^\[\]…]*)?…?$",  # its beginning
        r"^[^\[\]]*?((?:\|[^\[\]|]*)?\]\])",  # its end
        r"(!?\[)[^\[\]]+(\]\([^()\s]*\))",  # [text](address)
        r"(?:^|(?<=\s))(#{1,6}(?: |(?=…?$)))",
        r"^((?:- \[[ x]\]|[-*+>]|·) )",
        r"(```+\w*)",
        r"(`)",
        r"(?:^|(?<=[\s(|]))(\*\*|\*)(?=\S)",
        r"(?<=\S)(\*\*|\*)(?=$|[\s.,;:!?)|])",
        r"([·|](?: ?:?-{2,}:? ?[·|])+[ ·]*)",  # below the head of a table
        r"· ((?:· )+)",  # where a row ends and the next begins
    )
)
_CELL: Final = re.compile(r"(?:^|(?<=\s))\|(?=\s|$)")


def readable(shown: Excerpt) -> Excerpt:
    """The excerpt without marks, and with its highlights where their words are now."""
    text = _CELL.sub("·", shown.text)
    kept = [1] * len(text)
    for pattern in _MARKUP:
        for match in pattern.finditer(text):
            for group in range(1, pattern.groups + 1):
                begin, end = match.span(group)
                kept[begin:end] = [0] * (end - begin)
    before = [0, *accumulate(kept)]
    highlights = ((before[begin], before[end]) for begin, end in shown.highlights)
    return Excerpt(
        "".join(character for character, keep in zip(text, kept, strict=True) if keep),
        tuple((begin, end) for begin, end in highlights if begin < end),
        shown.start,
    )
