"""A page that stands for another: where it leads, what links to it count for, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wikihost.wikis import ADA, make_wiki
from wikihost.content import Content
from wikihost.errors import Conflict
from wikihost.redirects import MAX_HOPS, follow, redirect_text, target_of

PAGES = {
    "Home": "[[Old]] and [[New Page]]\n",
    "New Page": "The page. [[Old]]\n",
    "Old": redirect_text("New_Page"),
    "Older": "---\nredirect: /Old.md\n---\nMoved twice, says [[Home]].\n",
    "Lost": "---\nredirect: Nowhere\n---\nLeads nowhere.\n",
    "Ring": "---\nredirect: Ring 2\n---\nRound.\n",
    "Ring 2": "---\nredirect: Ring\n---\nAnd round.\n",
    "Self": "---\nredirect: Self\n---\nMyself.\n",
    "Odd": "---\nredirect: [New Page]\n---\nNo name.\n",
}


@pytest.fixture
def content(tmp_path: Path) -> Iterator[Content]:
    opened = Content(make_wiki(tmp_path / "wiki", PAGES))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("told", "target"),
    [
        ("New", "New"),
        (" /A/B.md ", "A/B"),
        ("C# notes", "C# notes"),
        ("", None),
        ("../x", None),
        ("a\nb", None),
        (7, None),
        ([1], None),
        ({"a": "b"}, None),
        (None, None),
    ],
)
def test_a_redirect_names_a_page(told: object, target: str | None) -> None:
    assert target_of({"redirect": told}) == target
    assert target_of(None) is target_of({}) is None


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("Old", "New Page"),
        ("Older", "New Page"),
        ("Lost", "Lost"),
        ("Ring", "Ring"),
        ("Ring_2", "Ring 2"),
        ("Self", "Self"),
        ("Odd", "Odd"),
        ("New_Page", "New Page"),
    ],
)
def test_reading_follows_to_a_page_that_exists(content: Content, asked: str, path: str) -> None:
    page = content.read_page(asked)
    assert (page.path, page.text) == (path, PAGES[path])
    assert page.redirected_from == (asked if asked in ("Old", "Older") else None)
    assert content.read_page(asked, follow_redirect=False).text == PAGES[asked.replace("_", " ")]
    assert content.read_page(asked, content.head()).text == PAGES[asked.replace("_", " ")]


def test_long_chains_are_not_followed() -> None:
    def chain(name: str) -> tuple[str, str | None]:
        return name, f"P{int(name[1:]) + 1}" if name != "P99" else None

    assert follow(f"P{99 - MAX_HOPS}", chain) == "P99"
    assert follow(f"P{98 - MAX_HOPS}", chain) == f"P{98 - MAX_HOPS}"


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([*"abcdefg", None]), min_size=1))
def test_following_ends_at_a_page_that_leads_nowhere_or_does_not_begin(pages: dict[str, str | None]) -> None:
    for name in pages:
        end = follow(name, lambda asked: (asked, pages[asked]) if asked in pages else None)
        assert end == name or pages[end] not in pages


def test_links_to_an_old_name_count_for_the_page(content: Content) -> None:
    assert content.read_page("New Page").linked_from == ["Home", "New Page"]
    assert content.links_around("New Page")[2] == ["Home", "New Page"]
    assert content.read_page("Old", follow_redirect=False).linked_from == ["Home", "New Page"]
    assert content.read_page("Home").linked_from == ["Older"]
    assert content.read_page("Ring").linked_from == []


def test_what_was_read_at_an_old_name_is_not_written_there(content: Content) -> None:
    """Right after a rename both pages have the same revision, and the text of one would be put into the other."""
    base = content.read_page("Old").revision
    with pytest.raises(Conflict, match="redirect to New Page") as caught:
        content.write_page("Old", "More.\n", base=base, author=ADA)
    assert caught.value.current_text == PAGES["New Page"]
    with pytest.raises(Conflict, match="redirect to New Page"):
        content.edit_page("Old", base=base[:7], old="The page", new="This page", author=ADA)
    with pytest.raises(Conflict, match="redirect to New Page"):
        content.write_page("Old", "More.\n", base=None, author=ADA)
    written = content.write_page("Old", "A page again.\n", base=base, author=ADA, follow_redirect=False)
    assert content.read_page("Old").text == "A page again.\n"
    assert content.write_page("Old", "And more.\n", base=written.revision, author=ADA).changed


def test_a_redirect_follows_when_its_page_moves_on(content: Content) -> None:
    content.rename_page("New Page", "Newer", author=ADA)
    assert content.read_page("Old", follow_redirect=False).text == redirect_text("Newer")
    content.rename_page("Newer", "Newest", redirect=False, author=ADA)
    assert content.read_page("New Page", follow_redirect=False).text == redirect_text("Newest")
    assert content.read_page("Older").path == "Newest"
    assert content.rename_page("Newest", "New Page", author=ADA).updated_pages == ["Home", "Old"]
    assert content.read_page("Newest").path == content.read_page("Older").path == "New Page"


def test_a_name_that_no_link_can_hold_is_followed_too(content: Content) -> None:
    content.rename_page("New Page", "C# [x]", author=ADA)
    content.rename_page("C# [x]", "D#", redirect=False, author=ADA)
    assert content.read_page("New Page").path == "D#"
