from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wikihost.markdown import outline, split_frontmatter, wikilinks


def page(frontmatter: str) -> str:
    return f"---\n{frontmatter}\n---\nbody words here\n"


@pytest.mark.parametrize(
    ("body", "links"),
    [
        ("[[Home]] and [[Home]]", ["Home"]),
        ("[[shown|Real Page]]", ["Real Page"]),
        ("[[/Städte/Zürich#Altstadt]]", ["Städte/Zürich"]),
        ("[[#here]] [[ ]] []", []),
        ("`[[Code]]` [[Text]]", ["Text"]),
        ("``a ` [[Code]]`` [[Text]]", ["Text"]),
        ("`unclosed [[Text]]", ["Text"]),
        ("`one\n[[Code]] two` [[Text]]", ["Text"]),
        ("`ends with the paragraph\n\n[[Text]]`", ["Text"]),
        ("\\`[[Text]]\\`", ["Text"]),
        ("```\n[[Code]]\n```\n[[Text]]", ["Text"]),
        ("~~~~ md\n[[Code]]\n~~~\n[[Code]]\n~~~~\n[[Text]]", ["Text"]),
        ("```\n[[Code, never closed]]", []),
        ("``` not a `fence\n[[Text]]", ["Text"]),
        ("- item\n  ```\n  [[Code]]\n  ```\n- [[Text]]", ["Text"]),
        ("[[Page.md]]", ["Page"]),
    ],
)
def test_wikilinks_outside_of_code(body: str, links: list[str]) -> None:
    assert wikilinks(body) == links


def test_frontmatter_is_json_with_iso_dates() -> None:
    frontmatter, body = split_frontmatter(page("title: T\ndate: 2026-12-01\nat: 2026-12-01T10:00:00Z\nn: .nan"))
    assert frontmatter == {"title": "T", "date": "2026-12-01", "at": "2026-12-01T10:00:00+00:00", "n": "nan"}
    assert body == "body words here\n"


@pytest.mark.parametrize(
    "source",
    [
        "a: [1",
        "just text",
        "- a list",
        "d: 2026-13-45",
        "!!python/object/apply:os.system ['true']",
        "? [a]\n: b\n? {c: d}\n: e",
        "a: &a [*a]",
        "n: " + "9" * 5000 + "\nx: [",
        "[" * 20_000,
        "- " * 20_000,
        "a: " + "{a: " * 20_000,
        "\n".join([f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10) if i else '1'}]" for i in range(12)]),
        "x" * 70_000 + ": 1",
    ],
    ids=range(13),
)
def test_broken_or_hostile_frontmatter_leaves_a_readable_page(source: str) -> None:
    started = time.process_time()
    frontmatter, body = split_frontmatter(page(source))
    assert frontmatter is None or source.startswith("?")
    assert body.endswith("body words here\n")
    assert time.process_time() - started < 2.0


def test_a_merge_key_is_a_key_like_any_other() -> None:
    told, _ = split_frontmatter(page("base: &base {x: 1}\nnote: {<<: *base, y: 2}"))
    assert told == {"base": {"x": 1}, "note": {"<<": {"x": 1}, "y": 2}}


@pytest.mark.parametrize("nesting", ["", "- " * 500], ids=["loader in C", "loader in Python"])
def test_merge_keys_do_not_multiply(nesting: str) -> None:
    """If they were followed there would be 4 to the power of 400 pairs."""
    levels = [f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 4)}]}}" for n in range(1, 400)]
    text = page("\n".join([f"nested: [{nesting.replace('- ', '[],')}]", "a0: &a0 {x: 1}", *levels]))
    assert split_frontmatter(text) == (None, text)


def test_odd_values_never_break_what_the_catalog_wants() -> None:
    found = outline("A/B", page("category: 7\ntitle: 42\ntags: [2026, null, x, x, [y]]"))
    assert (found.title, found.category, found.tags, found.words) == ("42", "7", ("2026", "x"), 3)
    found = outline("A/B", page("category: [x]\ntitle: {a: b}\ntags: one, two ,"))
    assert (found.title, found.category, found.tags) == ("B", None, ("one", "two"))
    # So many lists that the loader is the one in Python, which takes the escape of half a character.
    found = outline("A/B", page('title: "\\ud800"\ntags: {a: b}\nlists: [' + "[], " * 500 + "]"))
    assert (found.title, found.tags) == ("?", ())


@pytest.mark.parametrize("text", ["", "---", "---\n", "---\n---", "---\n---\n", "text\n---\na: b\n---\n"])
def test_no_frontmatter(text: str) -> None:
    frontmatter, body = split_frontmatter(text)
    assert frontmatter is None
    assert body == text


def test_carriage_returns_and_no_body() -> None:
    assert split_frontmatter("---\r\na: b\r\n---\r\nx") == ({"a": "b"}, "x")
    assert split_frontmatter("---\na: b\n---") == ({"a": "b"}, "")


@given(st.text(alphabet="-:#`~[]|\n\r\\ aü1{}*&!", max_size=200))
def test_no_text_raises_and_all_results_are_storable(text: str) -> None:
    found = outline("Name", text)
    json.dumps(found.frontmatter, allow_nan=False).encode()
    assert found.title
    assert text.endswith(found.body)


@pytest.mark.parametrize("piece", ["`", "``` ", "[[", "~~~\n", "# ", "`\n", "[[a|", "---\n"])
def test_time_grows_with_length_only(piece: str) -> None:
    started = time.process_time()
    outline("Name", "[[x]]" + piece * (200_000 // len(piece)))
    assert time.process_time() - started < 2.0
