"""What is left of a page when only its headings matter has the headings that Otter Wiki finds in the whole page."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from otterwiki.renderer import OtterwikiRenderer

from wikihost.child.skeleton import skeleton

PLAIN = """---
title: A
tags: [b]
---

# One *of* `two`

- item
  1. item
> quote
## Two ##
```python
# no heading
```
| a | b |
|---|---|
| c | d |
## Two
#hashtag
"""
ODD = [
    "text {{Figure\n# In a figure\n}}\n",
    "::: info\n# In a block\n:::\n# After\n",
    "$$\n# formula\n$$\n# After\n",
    "[a]:\n# b\n\n# [a]\n",
    "# H[^1]\n\n[^1]: note\n",
    "# HTML\n\n*[HTML]: HyperText\n",
    ">| # fold\n>| # heading\n\n> [!NOTE]\n> # In a note\n",
    "One\n=-=\n",
    "a | b\n---|---\n# c | d\n# e\n",
    "---\na: b\n---x\n\n# One\n",
    "<div>\n# no heading\n</div>\n",
]
_PIECES = [
    *("# ", "## ", "#", "a", "b c", "-", "- ", "1. ", "---", "===", "=-", "```", "~~~", ">", "> ", ">|", ">!"),
    *(
        "[!NOTE]",
        "{{",
        "}}",
        "{{A",
        ":::",
        "$$",
        "[a]",
        "[^a]",
        "]:",
        "[[",
        "]]",
        "*[",
        "|",
        "|-|",
        "<b>",
        "<!--",
        "-->",
    ),
    *("`", "*", "_", "\\", ":", "=", "==", " ", "  ", "    ", "\t", "\n", "\n", "\n\n", "\r\n", "\r", "\x0c", "\u2028"),
    *("\n# x\n", "\n---\n", "\n```\n", "\n\n    # y\n", "\n- z\n", "\n> q\n", "\na|b\n-|-\n"),
]
_render = OtterwikiRenderer({}).markdown


@pytest.mark.parametrize("text", [PLAIN, *ODD])
def test_it_has_the_headings_of_the_page(text: str) -> None:
    assert _render(skeleton(text))[1] == _render(text)[1]


def test_most_pages_are_read_line_by_line() -> None:
    assert skeleton(PLAIN) == "# One *of* `two`\n\n## Two ##\n\n## Two"


@given(st.lists(st.sampled_from(_PIECES)).map("".join), st.booleans())
def test_it_has_the_headings_of_any_page(body: str, fronted: bool) -> None:
    text = f"---\n{body}" if fronted else body
    assert _render(skeleton(text))[1] == _render(text)[1]


@pytest.mark.parametrize("piece", ["#", "# ", " ", "> ", "- ", "]", "[", "=", "---\n", "\t>"])
def test_time_grows_with_length_only(piece: str) -> None:
    began = time.process_time()
    skeleton(piece * (100_000 // len(piece)))
    assert time.process_time() - began < 1
