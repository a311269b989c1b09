"""What of a page can have a say in its headings, as Otter Wiki's renderer reads them.

Of most pages that is the lines that begin with `#`, outside of code. Whether a page is such a one is decided by what it
has not: whatever may make Otter Wiki's Markdown read a line otherwise, by itself or from elsewhere on the page.
"""

from __future__ import annotations

import re
from typing import Final

from wikihost.headings import heading_lines

_FRONTMATTER: Final = "---\n"
_END_OF_FRONTMATTER: Final = "\n---"
# Embeddings, fancy blocks, formulas, definitions (of links, footnotes, abbreviations), quotes that are more than that,
# and underlines that only Otter Wiki's parser takes for such.
_MEANS_MORE: Final = re.compile(
    r"\{\{|:::|~~~|\$\$|\]:|>[ \t]*[|!\[]"
    r"|^[ \t>]*(?:=+-|-+=)"
    r"|\A\n[ \t>]*[=\-]",
    re.MULTILINE,
)


def skeleton(text: str) -> str:
    """A text with the same headings and as little else as is certain; the text itself where nothing is."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    body = _without_frontmatter(plain)
    if body is None or _MEANS_MORE.search(body) is not None:
        return text
    lines = heading_lines(body.split("\n"))
    # A heading with a bar in it may as well be a row of a table.
    if lines is None or any("|" in line for line in lines):
        return text
    return "\n\n".join(lines)


def _without_frontmatter(text: str) -> str | None:
    """The text after what Otter Wiki takes for frontmatter; None where it is not sure that others do."""
    if not text.startswith(_FRONTMATTER):
        return text
    end = text.find(_END_OF_FRONTMATTER, len(_FRONTMATTER))
    if end < 0:
        return None
    rest = text[end + len(_END_OF_FRONTMATTER) :]
    return rest if rest[:1] in ("", "\n") else None
