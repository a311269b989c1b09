"""Searching as agents do it: the same conditions everywhere, and an answer that says what it lacks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from robot.search.values import Freshness
from tests.robot.agent_doors import Doors, a_passage, open_doors
from tests.robot.mcp_client import done
from wikihost.content import Content
from wikihost.values import NO_FILTERS, SearchFilters


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return open_doors(tmp_path)


async def test_every_search_takes_the_same_conditions(doors: Doors) -> None:
    conditions = {"tag": "x", "category": "y", "prefix": "Guides/", "updated_since": "2026-01-31"}
    meant = SearchFilters("x", "y", "Guides/", datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 1, 1, tzinfo=UTC))
    for tool in ("search", "semantic_search"):
        await done(doors, tool, query="otter", **conditions, updated_before="2026-02-01T02:00+01:00")
        await done(doors, tool, query="otter")
    assert doors.search.filters == [meant, NO_FILTERS, meant, NO_FILTERS]
    await doors.seed({"Guides/On Call": "---\ntags: [pager]\n---\nRing twice.", "Pager": "Ring once."})
    for narrow in ({"tag": "PAGER"}, {"prefix": "Guides/"}, {"updated_since": "2100-01-01"}):
        _, found = await done(doors, "search_notes", query="ring", **narrow)
        expected = [] if "updated_since" in narrow else ["Guides/On Call"]
        assert [hit["path"] for hit in found["results"]] == expected


async def test_what_is_not_yet_in_an_answer_is_said_in_our_own_words(doors: Doors) -> None:
    """In the text before the line after which nothing is ours, and in the structured result."""
    doors.search.answers = (a_passage("Page", "Text."),)
    doors.search.freshness = Freshness("f" * 40, None, pages_waiting=3)
    note = doors.search.freshness.note
    assert note is not None
    for tool, asked in (
        ("search", {"query": "x"}),
        ("semantic_search", {"query": "x"}),
        ("get_links", {"path": "Welcome", "similar": 3}),
    ):
        text, found = await done(doors, tool, **asked)
        assert found["note"] == note
        assert text.index(note) < text.index("Page")
        assert "indexed_head" not in found
    _, found = await done(doors, "search_notes", query="welcome")
    head = await doors.contents.run(doors.wiki, Content.head)
    assert (found["indexed_head"], "note" in found) == (head, False)
    doors.search.freshness = Freshness("f" * 40, "f" * 40)
    for tool in ("search", "semantic_search"):
        text, found = await done(doors, tool, query="x")
        assert (found["indexed_head"], "note" in found, "not yet" in text) == ("f" * 40, False, False)


async def test_pages_about_the_same_are_named_beside_the_links(doors: Doors) -> None:
    doors.search.answers = tuple(a_passage(f"Page {number}", "Text.") for number in range(5))
    text, links = await done(doors, "get_links", path="Welcome", similar=2)
    assert [page["path"] for page in links["similar"]] == ["Page 0", "Page 1"]
    assert links["similar"][0] == {"path": "Page 0", "title": "Page 0", "section": "Use", "score": 0.5}
    assert text.endswith("About the same (2):\n  - Page 0 (score: 0.50)\n  - Page 1 (score: 0.50)")
    text, links = await done(doors, "get_links", path="Welcome")
    assert ("similar" in links, "About the same" in text) == (False, False)
