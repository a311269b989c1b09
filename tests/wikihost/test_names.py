from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.names_corpus import LEGAL, REFUSED
from wikihost.errors import InvalidPageName
from wikihost.names import MAX_NAME_BYTES, file_of, name_of_file, page_key, parse_page_name


@pytest.mark.parametrize("name", LEGAL)
def test_legal_names_round_trip(name: str) -> None:
    assert parse_page_name(name) == name
    assert parse_page_name(name + ".md") == name
    assert file_of(name) == name + ".md"
    assert name_of_file(file_of(name)) == name


@pytest.mark.parametrize(("name", "rule"), REFUSED.items(), ids=ascii)
def test_refused_names_say_which_rule_they_break(name: str, rule: str) -> None:
    with pytest.raises(InvalidPageName, match=rule):
        parse_page_name(name)
    assert name_of_file(name + ".md") is None


def test_names_are_kept_in_composed_form() -> None:
    assert parse_page_name(unicodedata.normalize("NFD", "Zürich")) == "Zürich"


def test_underscore_and_space_mean_the_same_page_but_case_does_not() -> None:
    assert page_key("On_Call/Night_Shift") == page_key("On Call/Night Shift")
    assert page_key("On Call") != page_key("on call")


@pytest.mark.parametrize("path", ["Home.txt", "Home", "Foo/picture.png", "Home.md.md", "a/../b.md", "-x.md"])
def test_files_that_hold_no_page(path: str) -> None:
    assert name_of_file(path) is None


@given(st.text(max_size=40))
def test_what_is_accepted_is_canonical_and_safe_to_join(raw: str) -> None:
    try:
        name = parse_page_name(raw)
    except InvalidPageName:
        return
    assert parse_page_name(name) == name
    assert name_of_file(file_of(name)) == name
    assert len(name.encode()) <= MAX_NAME_BYTES
    assert not name.startswith("/")
    assert all(part not in ("", ".", "..", ".git") and "\0" not in part for part in name.split("/"))
