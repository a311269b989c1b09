"""Pages cut into passages: what stays together, what is named how, and which links lead there."""

from __future__ import annotations

import re
import time

import pytest
from otterwiki.renderer import OtterwikiRenderer

from robot.search.chunk import HARD_TOKENS, MOST_CHARS_PER_TOKEN, TARGET_TOKENS, Chunk, chunk_page, place

ODD_HEADINGS = """\
text

# One & *two* `code`
text
## Same
text
## Same
text

Setext x
-------
text

> ## Same

- # In list

## Ünïcode — dash [[Page Name]] [[shown|Target]]
text
## [link](http://x) ![alt](x.png) <b>bold</b> &amp;
text
## Same ##
text
## 概要
text
## 概要
```
# not a heading
```

text
### a_b  c - d
text
"""


def count_words(text: str) -> int:
    return len(text.split())


def cut(body: str, title: str = "Page", *, title_is_name: bool = False) -> list[Chunk]:
    return chunk_page(body, title, title_is_name=title_is_name, count=count_words)


def words(number: int, word: str = "word") -> str:
    return " ".join([word] * number)


def test_anchors_are_the_ids_that_the_wiki_renders() -> None:
    long = re.sub(r"^text$", words(100), ODD_HEADINGS, flags=re.MULTILINE)
    html, *_ = OtterwikiRenderer({}).markdown(long)
    rendered = re.findall(r'<h\d id="([^"]*)"', html)
    anchors = [chunk.anchor for chunk in cut(long)]
    assert anchors[0] == ""
    # Headings inside quotes and lists start no section, but they count among the repeated ones.
    assert anchors[1:] == [anchor for anchor in rendered if anchor not in ("same-2", "in-list")]


def test_sections_know_their_place() -> None:
    chunks = cut(f"# Harbour\n{words(90)}\n\n## Crane\n{words(90)}\n\n### Brake\n{words(90)}\n\n## Gate\n{words(90)}")
    assert [(chunk.section, chunk.section_path, chunk.anchor) for chunk in chunks] == [
        ("Harbour", "Harbour", "harbour"),
        ("Crane", "Harbour > Crane", "crane"),
        ("Brake", "Harbour > Crane > Brake", "brake"),
        ("Gate", "Harbour > Gate", "gate"),
    ]
    assert chunks[2].embedded.startswith("Page > Harbour > Crane > Brake\n### Brake")


def test_small_neighbours_share_a_passage_and_keep_their_headings() -> None:
    (chunk,) = cut("# Log\n\n## Monday\nfog\n\n## Tuesday\nsun\n")
    assert chunk.section == "Monday"  # the first that says more than its heading
    assert all(heading in chunk.text for heading in ("# Log", "## Monday", "## Tuesday"))


def test_long_section_is_cut_between_blocks_and_a_fence_that_fits_stays_whole() -> None:
    fence = "```\n" + "\n".join(f"line {number}" for number in range(90)) + "\n```"
    chunks = cut(f"# Code\n\n{words(120)}\n\n{fence}\n\n{words(120)}")
    assert [fence in chunk.text for chunk in chunks].count(True) == 1
    assert {chunk.section for chunk in chunks} == {"Code"}


@pytest.mark.parametrize(
    "body",
    [
        "```\n" + "\n".join(f"line {number} of code" for number in range(400)) + "\n```",
        "| a | b |\n|---|---|\n" + "\n".join(f"| {number} | row |" for number in range(400)),
        ". ".join(words(15, "sentence") for _ in range(60)),
        words(1000),
        "\n".join(f"- item {number}" for number in range(700)),
    ],
    ids=["fence", "table", "sentences", "no-sentences", "list"],
)
def test_nothing_is_too_long_and_nothing_is_lost(body: str) -> None:
    chunks = cut(f"# Long\n\n{body}")
    assert len(chunks) > 1
    assert all(count_words(chunk.text) <= TARGET_TOKENS for chunk in chunks)
    assert all(count_words(chunk.embedded) <= HARD_TOKENS for chunk in chunks)
    assert " ".join(" ".join(chunk.text for chunk in chunks).split()) == " ".join(f"# Long {body}".split())


def test_text_without_spaces_is_cut_all_the_same() -> None:
    chunks = chunk_page("漢" * 5_000, "Page", title_is_name=False, count=len)
    assert max(len(chunk.text) for chunk in chunks) <= TARGET_TOKENS
    assert "".join(chunk.text for chunk in chunks) == "漢" * 5_000


def test_run_that_the_tokenizer_takes_for_one_word_is_cut_by_its_length() -> None:
    chunks = cut("QUJD" * 10_000)
    assert max(len(chunk.text) for chunk in chunks) <= TARGET_TOKENS * MOST_CHARS_PER_TOKEN
    assert "".join(chunk.text for chunk in chunks) == "QUJD" * 10_000


@pytest.mark.parametrize(
    "page",
    ["# " + "[" * 100_000, ">" * 100_000, "# a\n" * 20_000, "|" * 100_000, "`" * 100_000],
    ids=["brackets", "quotes", "headings", "pipes", "ticks"],
)
def test_hostile_page_costs_seconds_at_most(page: str) -> None:
    began = time.process_time()
    assert cut(page)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("body", ["", "\n \n", "\t"])
def test_empty_page_has_no_passages(body: str) -> None:
    assert cut(body) == []


@pytest.mark.parametrize("body", ["word", "# Only a heading", "\0", "<!-- note -->", "😀"])
def test_tiny_page_is_one_passage(body: str) -> None:
    assert len(cut(body)) == 1


def test_edit_changes_only_its_own_passage() -> None:
    sections = [f"## Section {number}\n{words(100, f'w{number}')}\n" for number in range(10)]
    before = {chunk.embedded for chunk in cut("\n".join(sections))}
    sections[4] += "one more sentence"
    assert len({chunk.embedded for chunk in cut("\n".join(sections))} - before) == 1


def test_name_as_title_stays_out_where_a_heading_speaks_for_the_page() -> None:
    body = f"# Crane\n{words(50)}"
    assert cut(body, "Old", title_is_name=True)[0].embedded == cut(body, "New", title_is_name=True)[0].embedded
    assert cut(words(50), "Old", title_is_name=True)[0].embedded.startswith("Old\n")
    assert cut(body, "Chosen title")[0].embedded.startswith("Chosen title > Crane\n")


def test_prefix_stays_short() -> None:
    heading = words(60, "heading")
    (chunk,) = cut(f"# {heading}\n\n## {heading}\n\nshort")
    assert count_words(chunk.embedded) <= HARD_TOKENS


def test_place_says_a_repeated_title_once() -> None:
    assert place("Crane", "") == "Crane"
    assert place("Crane", "Brake") == "Crane > Brake"
    assert place("Crane", "crane > Brake") == "crane > Brake"


def test_line_endings_make_no_difference() -> None:
    body = f"# A\n\n{words(150)}\n\n## B\n\n{words(150)}\n"
    assert cut(body) == cut(body.replace("\n", "\r\n")) == cut(body.replace("\n", "\r"))
