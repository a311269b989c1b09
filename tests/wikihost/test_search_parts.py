"""The pure parts of the search page: its form and addresses, what it offers, and Markdown made readable."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wikihost.child.search_form import PERIODS, Asked, read_form
from wikihost.child.search_offers import MOST, Offer, count_by_folder, most
from wikihost.excerpts import Excerpt, fragments
from wikihost.readable import readable

line = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=20)
optional = st.just("") | line


def form_of(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


@given(
    st.builds(
        Asked,
        query=optional,
        words_only=st.booleans(),
        is_regex=st.booleans(),
        is_case_sensitive=st.booleans(),
        tag=optional,
        category=optional,
        folder=optional.map(lambda name: f"{name.strip('/')}/" if name.strip("/") else ""),
        since=st.sampled_from(["", *PERIODS]),
        sections=st.integers(1, 5),
        offset=st.integers(0, 10_000),
        like=optional,
    )
)
def test_an_address_asks_for_what_it_was_made_from(asked: Asked) -> None:
    assert read_form(form_of(asked.address(offset=asked.offset))) == asked
    assert read_form(form_of(asked.address())).offset == 0


@given(st.dictionaries(st.sampled_from(["query", "offset", "sections", "since", "folder", "tag", "like"]), st.text()))
def test_any_form_is_a_search(values: dict[str, str]) -> None:
    asked = read_form(values)
    assert read_form(form_of(asked.address(offset=asked.offset))) == asked


@pytest.mark.parametrize("offset", ["-1", "x", "9" * 30, "²", "1e3", ""])
def test_an_odd_offset_is_one_that_can_be(offset: str) -> None:
    assert 0 <= read_form({"query": "x", "offset": offset}).offset <= 10_000


def test_each_condition_can_be_let_go_of() -> None:
    asked = Asked("crane", tag="sea", folder="Guides/", since="week", offset=40)
    rest = {words: read_form(form_of(address)) for words, address in asked.filters}
    assert rest == {
        "tag sea": Asked("crane", folder="Guides/", since="week"),
        "folder Guides/": Asked("crane", tag="sea", since="week"),
        "changed in the last week": Asked("crane", tag="sea", folder="Guides/"),
    }


def test_the_path_of_an_address_may_say_the_query() -> None:
    assert read_form({"query": "other"}, "crane").query == "crane"


def test_folders_count_all_pages_below_them() -> None:
    assert count_by_folder(["A", "B/C", "B/D/E", "B/D/F"]) == {"B/": 3, "B/D/": 2}


def test_most_used_values_are_offered_and_the_chosen_one() -> None:
    counts = {f"t{number:02}": number for number in range(1, MOST + 11)}
    offered = most(counts, "t01")
    assert [offer.value for offer in offered] == ["t01", *(f"t{number:02}" for number in range(11, MOST + 11))]
    assert offered[0] == Offer("t01", 1)
    assert most({"Sea": 2, "sea": 1}, "SEA") == [Offer("Sea", 3)]
    assert most({}, "gone") == [Offer("gone", None)]


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("# Harbour ## Crane The **crane** lifts.", "Harbour Crane The crane lifts."),
        ("see [[Guides/Harbour]] and [[the crane|Guides/Crane]].", "see Guides/Harbour and the crane."),
        ("a [link](https://example.org/x) ![plan](/plan.png)", "a link plan"),
        ("| Key | Use | |---|:---:| | `a` | b |", "Key · Use · a · b ·"),
        ("| a | b | | c | d |", "a · b · c · d ·"),
        ("see [[the crane…", "see the crane…"),
        ("see [[the crane|Guides/Cr…", "see the crane…"),
        ("it ends. ##…", "it ends. …"),
        ("- one - two, 5 > 3", "one - two, 5 > 3"),
        ("- [ ] to do", "to do"),
        ("```python x = 1 ```", " x = 1 "),
        ("…alpha|Guides/Al", "…alpha|Guides/Al"),
        ("the *only* one (**here**).", "the only one (here)."),
        ("2**3 * 4, a_b_c, C#, #1, x --- y", "2**3 * 4, a_b_c, C#, #1, x --- y"),
        ("[[cut|Guides/Somewh", "cut"),
        ("…and revert]] and on", "…and revert and on"),
        ("…text|Page]] [[b|c]]", "…text b"),
    ],
)
def test_marks_for_a_renderer_are_left_out(markdown: str, text: str) -> None:
    assert " ".join(readable(Excerpt(markdown, (), None)).text.split()) == " ".join(text.split())


@given(
    st.lists(st.tuples(st.sampled_from(["word", " ", "**", "[[", "]]", "|", "# ", "`", "](x)", "["]), st.booleans()))
)
def test_what_was_found_stays_marked(pieces: list[tuple[str, bool]]) -> None:
    text, highlights = "", []
    for piece, is_marked in pieces:
        if is_marked and piece == "word":
            highlights.append((len(text), len(text) + len(piece)))
        text += piece
    shown = readable(Excerpt(text, tuple(highlights), None))
    marked = [piece for piece, is_marked in fragments(shown) if is_marked]
    assert set(marked) <= {"word"}
    if "[" not in text and "|" not in text:
        assert len(marked) == len(highlights)
