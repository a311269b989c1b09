"""One rule for headings and their ids, which is what Otter Wiki renders, read in two ways that must agree."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from otterwiki.renderer import OtterwikiRenderer
from otterwiki.util import slugify as otterwiki_slugify

from wikihost import headings as reading
from wikihost.headings import headings, slugify

ODD = """\
text

One & *two* `code`
# One & *two* `code`
Setext x
-------
> ## Same

- # In list

## Ünïcode — dash [[Page Name]] [[shown|Target]]
## [link](http://x) ![alt](x.png) <b>bold</b> &amp;
## Same ##
## Same
```
# not a heading
```
## 概要
## 概要
### a_b  c - d
"""


@pytest.mark.parametrize(
    "body",
    [ODD, "# Über uns!\ntext\n## Plan #\n```\n# no heading\n```\n## Plan\n#hashtag\n####### seven\n# \n"],
    ids=["odd", "plain"],
)
def test_ids_are_those_that_the_wiki_renders(body: str) -> None:
    html, *_ = OtterwikiRenderer({}).markdown(body)
    assert [heading.anchor for heading in headings(body)] == re.findall(r'<h\d id="([^"]*)"', html)


@pytest.mark.parametrize("text", ["A  b--c", "Ünï_cödé", "概要", " x? (y) / z ", "٣ ²", ""])
def test_slugs_are_the_wikis(text: str) -> None:
    assert slugify(text) == otterwiki_slugify(text)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_heading_knows_where_it_stands(line_end: str) -> None:
    body = line_end.join(["intro", "# One", "text", "> # Two", "", "Three", "---"])
    found = headings(body)
    assert [(heading.level, heading.title, heading.is_nested) for heading in found] == [
        (1, "One", False),
        (1, "Two", True),
        (2, "Three", False),
    ]
    assert [body[heading.start :].splitlines()[0] for heading in found] == ["# One", "> # Two", "Three"]


@pytest.mark.parametrize("closing", [" ```", "   ````", "\t```", "    ```", "``", "```x"])
def test_a_fence_ends_where_it_does(closing: str) -> None:
    found = headings(f"```\n{closing}\n# a\n")
    assert [heading.title for heading in found] == (["a"] if closing in (" ```", "   ````") else [])


_PIECES = [
    *("#", "##", "#x", "##_", "a", "b", "-", "---", "===", "```", "\n ```", "~~~", "````", "`", ">", "-", "1."),
    *("<", "<b>", "|", "\\", "*", "_", "0", ")", "+", *" \t\n\n\r", "\n\n", "\r\n", "\x0c", "\u2028", "\xa0"),
]


@given(st.lists(st.sampled_from(_PIECES)).map("".join))
def test_reading_lines_and_reading_blocks_agree(body: str) -> None:
    lines = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    plain = reading._read_lines(lines)
    if plain is not None:
        assert plain == reading._read_blocks("\n".join(lines))


@pytest.mark.parametrize("piece", ["#", "# ", " ", "- ", "1.", "=\n", "<", "`", "~~~\n", "# [\n", "x\n\t"])
def test_time_grows_with_length_only(piece: str) -> None:
    began = time.process_time()
    headings(piece * (100_000 // len(piece)))
    assert time.process_time() - began < 3
