"""The handbook and the seed pages: no dead link, no page that cannot be found, nothing that renders broken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from wikihost.headings import headings
from wikihost.markdown import outline, split_frontmatter
from wikihost.names import file_of, name_of_file, page_key, parse_page_name

ROOT = Path(__file__).parents[2]
HANDBOOK = ROOT / "robot" / "handbook"
SEEDS = ROOT / "wikihost" / "seeds"

_PLACEHOLDER = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_FENCE = re.compile(r"(`{3,}|~{3,})\s*(\S*)")
_LINK_TO_HEADING = re.compile(r"\[\[[^\[\]|]*\|([^\[\]|#]*)#([^\[\]]+)\]\]")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9 /-]+")


def pages_below(root: Path) -> dict[str, str]:
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.md"))
    return {file.removesuffix(".md"): (root / file).read_text("utf-8") for file in files}


PAGES = pages_below(HANDBOOK)
SEED_PAGES = pages_below(SEEDS)
ALL = {f"handbook/{name}": text for name, text in PAGES.items()} | {
    f"seeds/{name}": text for name, text in SEED_PAGES.items()
}


def links_of(name: str, pages: dict[str, str]) -> tuple[str, ...]:
    return outline(name, pages[name]).links


def fenced_lines(text: str) -> Iterator[tuple[str, str]]:
    """Each line inside a fence with the fence's language; ends with ("", "unclosed") when one stays open."""
    fence = language = ""
    for line in text.splitlines():
        match = _FENCE.match(line)
        if fence:
            if match and match[1].startswith(fence) and not match[2]:
                fence = ""
            else:
                yield language, line
        elif match:
            fence, language = match[1], match[2]
    if fence:
        yield "", "unclosed"


def test_handbook_has_the_size_of_a_handbook() -> None:
    assert 30 <= len(PAGES) <= 60


@pytest.mark.parametrize("name", ALL)
def test_names_are_plain_and_legal(name: str) -> None:
    page = name.partition("/")[2]
    assert parse_page_name(page) == page == name_of_file(file_of(page))
    assert _PLAIN_NAME.fullmatch(page)


def test_names_stay_apart_under_the_naming_rule() -> None:
    assert len({page_key(name).casefold() for name in PAGES}) == len(PAGES)


@pytest.mark.parametrize("pages", [PAGES, SEED_PAGES], ids=["handbook", "seeds"])
def test_every_wikilink_leads_to_a_page(pages: dict[str, str]) -> None:
    dead = [(name, link) for name in pages for link in links_of(name, pages) if link not in pages]
    assert dead == []


@pytest.mark.parametrize("pages", [PAGES, SEED_PAGES], ids=["handbook", "seeds"])
def test_every_page_is_reached_from_home(pages: dict[str, str]) -> None:
    reached, waiting = {"Home"}, ["Home"]
    while waiting:
        fresh = [link for link in links_of(waiting.pop(), pages) if link in pages and link not in reached]
        reached.update(fresh)
        waiting += fresh
    assert set(pages) - reached == set()


@pytest.mark.parametrize("name", PAGES)
def test_frontmatter_says_what_kind_of_page_it_is(name: str) -> None:
    page = outline(name, PAGES[name])
    assert page.frontmatter is not None
    assert page.category
    assert page.tags
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(page.frontmatter.get("last_updated")))


@pytest.mark.parametrize("name", SEED_PAGES)
def test_frontmatter_of_seeds_parses(name: str) -> None:
    assert SEED_PAGES[name].startswith("---\n") == (split_frontmatter(SEED_PAGES[name])[0] is not None)


@pytest.mark.parametrize("name", ALL)
def test_one_title_and_no_skipped_heading_level(name: str) -> None:
    levels = [heading.level for heading in headings(split_frontmatter(ALL[name])[1])]
    assert levels[0] == 1
    assert levels.count(1) == 1 or name == "handbook/People/Blocks and diagrams"  # shows blocks with heads
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", ALL)
def test_fences_are_closed_and_show_wikilinks_whole(name: str) -> None:
    for language, line in fenced_lines(ALL[name]):
        assert line != "unclosed"
        # Otter Wiki's highlighter loses the bar of a wikilink; blocks without a language keep it.
        assert not (language and re.search(r"\[\[[^\]]*\|", line)), line


@pytest.mark.parametrize("name", PAGES)
def test_links_to_headings_find_them(name: str) -> None:
    for page, anchor in _LINK_TO_HEADING.findall(re.sub(r"`[^`\n]*`", "", PAGES[name])):
        if page in PAGES:
            anchors = {heading.anchor for heading in headings(split_frontmatter(PAGES[page])[1])}
            assert anchor in anchors


def test_handbook_has_no_placeholders() -> None:
    assert [name for name, text in PAGES.items() if _PLACEHOLDER.search(text)] == []


def test_seeds_are_the_four_pages_of_a_new_wiki() -> None:
    assert set(SEED_PAGES) == {"Home", "Getting Started", "Agent Guide", "Administration"}


@pytest.mark.parametrize("name", SEED_PAGES)
def test_seeds_name_their_wiki_and_ask_for_nothing_else(name: str) -> None:
    asked = set(_PLACEHOLDER.findall(SEED_PAGES[name]))
    assert "name" in asked
    assert asked <= {"name", "description"}


def test_an_empty_description_leaves_a_page_that_reads_well() -> None:
    assert "\n\n{{ description }}\n\n" in SEED_PAGES["Home"]
