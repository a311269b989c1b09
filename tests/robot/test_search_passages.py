"""What holds for the passages of any page: their lines, what is never cut, and where their links lead."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from otterwiki.renderer import OtterwikiRenderer

from robot.search.chunk import HARD_TOKENS, MOST_CHARS_PER_TOKEN, PREFIX_TOKENS, TARGET_TOKENS, chunk_page
from robot.search.indexing import steps
from wikihost.excerpts import without_controls
from wikihost.markdown import split_frontmatter
from wikihost.passages import PendingPage, StoredPassage

FITS = HARD_TOKENS - PREFIX_TOKENS
SETTINGS = settings(max_examples=30)

words = st.lists(st.sampled_from(["rope", "harbour", "two\u2028lines", "a.", "ends!", "漢字。", "`x_y`", "*so*"]))
few = words.filter(bool).map(" ".join)
many = st.builds(lambda text, times: " ".join([text] * times), few, st.integers(1, 60))
heading = st.builds(lambda level, text: f"{'#' * level} {text}", st.integers(1, 6), few)
setext = st.builds(lambda text, line: f"{text}\n{line}", few, st.sampled_from(["===", "---"]))
fence = st.builds(
    lambda lines: "```python\n" + "\n".join(lines) + "\n```",
    st.lists(st.sampled_from(["# no heading", "x = 1", "", "| a | b |"]), min_size=1, max_size=40),
)
table = st.builds(
    lambda rows: "| a | b |\n|---|---|\n" + "\n".join(rows),
    st.lists(st.sampled_from(["| 1 | 2 |", "| rope | chain |"]), min_size=1, max_size=40),
)
other = st.sampled_from(
    [
        "<div>\n<h2>html</h2>\n</div>",
        "> ## quoted\n> text",
        "- one\n- two\n\n  # in list",
        "[x]: /url",
        "***",
        "\0",
        "\x0b",
    ]
)
block = st.one_of(many, heading, setext, fence, table, other)
bodies = st.builds(
    lambda blocks, gap: gap.join(blocks), st.lists(block, max_size=12), st.sampled_from(["\n\n", "\n\n\n"])
)
frontmatters = st.sampled_from(["", "---\ntitle: Bee\ntags: [a, b]\n---\n", "---\nno: yaml: at all\n---\n", "---\n"])
line_ends = st.sampled_from(["\n", "\r\n", "\r"])


def count_words(text: str) -> int:
    return len(text.split())


def passages_of(text: str) -> list[StoredPassage]:
    _, body = split_frontmatter(text)
    page = PendingPage(1, "Page", "Page", True, "0" * 40)
    return list(steps.plan(page, steps.body_in(text, without_controls(body)), count_words).passages)


def visible(text: str) -> str:
    return "".join(without_controls(text).split())


@SETTINGS
@given(frontmatters, bodies, line_ends)
def test_lines_are_those_where_the_text_stands(frontmatter: str, body: str, line_end: str) -> None:
    text = (frontmatter + body).replace("\n", line_end)
    lines = text.splitlines()
    last = 0
    for passage in passages_of(text):
        assert last <= passage.first_line <= passage.last_line <= len(lines)
        where = lines[passage.first_line - 1 : passage.last_line]
        wanted = visible(passage.text)
        assert wanted in visible("\n".join(where))
        if "\u2028" not in text:  # which ends a line for those who count them, and none in Markdown
            # And no more: each of the two has some of it.
            assert visible(where[0]) == "" or wanted[0] in visible(where[0])
            assert visible(where[-1]) == "" or wanted[-1] in visible(where[-1])
        last = passage.first_line


@SETTINGS
@given(bodies)
@example("[x]: /url")
def test_nothing_is_lost_and_nothing_is_too_long(body: str) -> None:
    chunks = chunk_page(body, "Page", title_is_name=False, count=count_words)
    assert visible("".join(chunk.text for chunk in chunks)) == visible(body.replace("\0", "\ufffd"))
    assert all(count_words(chunk.embedded) <= HARD_TOKENS for chunk in chunks)


@SETTINGS
@given(st.lists(many, max_size=4), st.one_of(fence, table), st.lists(many, max_size=4))
def test_fence_or_table_that_fits_is_never_cut(before: list[str], whole: str, after: list[str]) -> None:
    body = "\n\n".join([*before, whole, *after])
    chunks = chunk_page(body, "Page", title_is_name=False, count=count_words)
    if count_words(whole) <= FITS:
        assert sum(whole in chunk.text for chunk in chunks) >= 1


@SETTINGS
@given(bodies)
def test_anchor_is_an_id_of_the_rendered_page(body: str) -> None:
    html, *_ = OtterwikiRenderer({}).markdown(body)
    ids = {"", *re.findall(r'<h\d id="([^"]*)"', html)}
    assert {chunk.anchor for chunk in chunk_page(body, "Page", title_is_name=False, count=count_words)} <= ids


def test_chinese_is_cut_at_the_ends_of_its_sentences() -> None:
    sentences = [f"第{number}条：船在黎明时离港，黄昏时回来{'！' if number % 2 else '。”'}" for number in range(40)]
    chunks = chunk_page("".join(sentences), "港口", title_is_name=False, count=len)
    assert len(chunks) > 1
    assert "".join(chunk.text for chunk in chunks) == "".join(sentences)
    assert all(chunk.text.endswith(("！", "。”")) for chunk in chunks)
    assert all(len(chunk.text) <= TARGET_TOKENS for chunk in chunks)


def test_page_of_code_only_is_cut_at_its_lines() -> None:
    code = "```c\n" + "\n".join(f"int f{number}(void) {{ return {number}; }}" for number in range(200)) + "\n```"
    chunks = chunk_page(code, "main.c", title_is_name=True, count=count_words)
    assert len(chunks) > 1
    assert all(chunk.text.startswith(("```c", "int f")) for chunk in chunks)
    assert chunks[0].embedded.startswith("main.c\n")


def test_block_of_many_kilobytes_is_never_counted_as_a_whole() -> None:
    longest = 0

    def count(text: str) -> int:
        nonlocal longest
        longest = max(longest, len(text))
        return count_words(text)

    chunks = chunk_page("rope " * 40_000 + "\n\n" + "x" * 300_000, "Page", title_is_name=False, count=count)
    assert len(chunks) > 200
    assert longest <= (HARD_TOKENS + 1) * MOST_CHARS_PER_TOKEN


@pytest.mark.parametrize("body", ["", "\n\n", "   ", "\t\n"])
def test_empty_page_has_no_passages_whatever_its_frontmatter(body: str) -> None:
    assert passages_of(f"---\ntitle: Bee\n---\n{body}") == []
