"""Links of a vault become Otter Wiki's; everything else in a page stays as it is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wikihost.imports.links import find_links, replace_links
from wikihost.imports.otter import OtterLinks, OtterWiki
from wikihost.imports.placed import Placed
from wikihost.imports.vault import Vault, VaultLinks

PAGES = {
    "Home.md": "Home",
    "Note.md": "Note",
    "A/Note.md": "A/Note",
    "A/Page.md": "A/Page",
    "B/C/Deep.md": "B/C/Deep",
    "B/C/D/Deep.md": "B/C/D/Deep",
    "C# x.md": "C# x",
    "-odd.md": "odd",
    "v1.2.md": "v1.2",
    "a|b.md": "a|b",
}
FILES = {"img/pic one.png": "Home/pic one.png", "A/doc.pdf": "A/Page/doc.pdf", "x.svg": "Home/x.svg"}
VAULT = VaultLinks(
    Vault([*PAGES, *FILES], {"The Alias": "A/Page.md"}), Placed(PAGES, FILES, included=frozenset({"A/Page.md"}))
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[[Note]]", "[[Note]]"),
        ("[[note]]", "[[note|Note]]"),
        ("[[Page]]", "[[Page|A/Page]]"),
        ("[[A/Page]]", "[[A/Page]]"),
        ("[[A/Page.md]]", "[[A/Page]]"),
        ("[[/A/Page]]", "[[/A/Page|A/Page]]"),
        ("[[Page|shown]]", "[[shown|A/Page]]"),
        ("[[Page#A Heading]]", "[[Page > A Heading|A/Page#A Heading]]"),
        ("[[Page#One#Two|shown]]", "[[shown|A/Page#Two]]"),
        ("[[Page#^block|shown]]", "[[shown|A/Page]]"),
        ("[[Page^block]]", "[[Page|A/Page]]"),
        ("[[#Here]]", "[[Here|#Here]]"),
        ("[[Deep]]", "[[Deep|B/C/Deep]]"),
        ("[[D/Deep]]", "[[D/Deep|B/C/D/Deep]]"),
        ("[[-odd]]", "[[-odd|odd]]"),
        ("[[v1.2]]", "[[v1.2]]"),
        ("[[The alias]]", "[[The alias|A/Page]]"),
        ("[[Nowhere]]", "[[Nowhere]]"),
        ("[[Nowhere|shown]]", "[[shown|Nowhere]]"),
        ("| [[Page\\|shown]] |", "| [[shown|A/Page]] |"),
        ("[[doc.pdf]]", "[doc.pdf](/A/Page/doc.pdf)"),
        ("[[doc.pdf|the [one]]]", "[[doc.pdf|the [one]]]"),
        ("![[pic one.png]]", "![](./pic%20one.png)"),
        ("![[pic one.png|300]]", "![](./pic%20one.png?width=300)"),
        ("![[pic one.png|300x200]]", "![](./pic%20one.png?width=300&height=200)"),
        ("![[pic one.png|A view]]", "![A view](./pic%20one.png)"),
        ("![[x.svg|300]]", "![](./x.svg)"),
        ("![[doc.pdf]]", "[doc.pdf](/A/Page/doc.pdf)"),
        ("![[Page]]", "{{Include|src=/A/Page}}"),
        ("![[Page#A Heading]]", "{{Include|src=/A/Page|section=a-heading}}"),
        ("![[Page#^block]]", "[[Page|A/Page]]"),
        ("![[nowhere.png]]", "![[nowhere.png]]"),
        ("[x](A/Page.md)", "[x](/A/Page)"),
        ("[x](A/Page)", "[x](/A/Page)"),
        ("[x](./A/Page.md#A%20Heading)", "[x](/A/Page#a-heading)"),
        ("[x](Page.md)", "[x](/A/Page)"),
        ("[x](<img/pic one.png>)", "[x](./pic%20one.png)"),
        ("![x](img/pic%20one.png 'title')", "![x](./pic%20one.png 'title')"),
        ("[![x](img/pic%20one.png)](A/Page.md)", "[![x](./pic%20one.png)](/A/Page)"),
        ("[x](C%23%20x.md)", "[x](/C%23%20x)"),
        ("[r]: img/pic%20one.png", "[r]: ./pic%20one.png"),
        ('<img alt="x" src="x.svg">', '<img alt="x" src="./x.svg">'),
        ("[x](../../up.md)", "[x](../../up.md)"),
        ("[x](https://example.org/Note.md)", "[x](https://example.org/Note.md)"),
        ("[x](mailto:a@b.c) [y](#here) [z]()", "[x](mailto:a@b.c) [y](#here) [z]()"),
        ("`[[Page]]` ``![[x.svg]]``", "`[[Page]]` ``![[x.svg]]``"),
        ("```\n[[Page]]\n```\n[[Page]]", "```\n[[Page]]\n```\n[[Page|A/Page]]"),
        ("---\na: '[[Page]]'\n---\n[[Page]]", "---\na: '[[Page]]'\n---\n[[Page|A/Page]]"),
        ("[^1]: Note.md", "[^1]: Note.md"),
        ("[[Page]] and [[Note]] [[", "[[Page|A/Page]] and [[Note]] [["),
    ],
)
def test_links_of_a_vault_at_the_top(before: str, after: str) -> None:
    assert VAULT.rewrite(before, "Home.md")[0] == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[[Note]]", "[[Note]]"),  # the one at the top, as its whole path is meant first
        ("[[./Note]]", "[[./Note|A/Note]]"),
        ("[[../Note|x]]", "[[x|Note]]"),
        ("[x](Note.md)", "[x](/A/Note)"),
        ("[x](../Note.md)", "[x](/Note)"),
        ("[x](doc.pdf)", "[x](/A/Page/doc.pdf)"),  # others show this page within themselves
        ("![x](../img/pic%20one.png)", "![x](/Home/pic%20one.png)"),
    ],
)
def test_links_of_a_vault_in_a_folder(before: str, after: str) -> None:
    assert VAULT.rewrite(before, "A/Page.md")[0] == after


def test_a_name_that_no_wikilink_can_hold() -> None:
    vault = Vault(["Home.md", "odd.md"])
    links = VaultLinks(vault, Placed({"Home.md": "Home", "odd.md": "a|b #1"}))
    assert links.rewrite("[[odd]] [[odd#Top|x]] ![[odd]]", "Home.md")[0] == (
        "[odd](/a%7Cb%20%231) [x](/a%7Cb%20%231#top) [odd](/a%7Cb%20%231)"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[[shown|Old]] [[Old#part]] [[Old]]", "[[shown|New]] [[New#part]] [[New]]"),
        ("[x](/Old) [y](/Old/pic.png?width=3) [z](/Old#h)", "[x](/New) [y](/New/pic.png?width=3) [z](/New#h)"),
        ("[[Page]] [[Page|Old page]] ![a](./f.png) [b](f.md)", "[[Page]] [[Page|Old page]] ![a](./f.png) [b](f.md)"),
        ("`[[Old]]`", "`[[Old]]`"),
    ],
)
def test_links_of_an_otter_wiki_follow_what_was_renamed(before: str, after: str) -> None:
    pages = {"Old.md": "New", "Page.md": "Page"}
    files = {"Old/pic.png": "New/pic.png", "Page/f.png": "Page/f.png"}
    links = OtterLinks(OtterWiki([*pages, *files]), Placed(pages, files))
    assert links.rewrite(before, "Page.md")[0] == after


def test_short_addresses_stay_when_the_file_moves_with_its_page() -> None:
    links = OtterLinks(OtterWiki(["Old.md", "Old/f.png"]), Placed({"Old.md": "New"}, {"Old/f.png": "New/f.png"}))
    assert links.rewrite("![a](./f.png) ![a](/Old/f.png)", "Old.md")[0] == "![a](./f.png) ![a](/New/f.png)"
    links = OtterLinks(OtterWiki(["Old.md", "Old/f.png"]), Placed({"Old.md": "New"}, {"Old/f.png": "New/f 2.png"}))
    assert links.rewrite("![a](./f.png)", "Old.md")[0] == "![a](/New/f%202.png)"


@settings(max_examples=100)
@given(st.text(alphabet="[]()!|#`~<>\n \\/.^abNote-Page.md%20", max_size=200))
def test_any_text_is_read_and_only_links_change(text: str) -> None:
    spans = sorted((link.start, link.end) for link in find_links(text))
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert replace_links(text, lambda link: None) == (text, 0)
    VAULT.rewrite(text, "A/Page.md")
    untouched, count = OtterLinks(OtterWiki(PAGES), Placed({path: path[:-3] for path in PAGES})).rewrite(
        text, "Home.md"
    )
    assert (untouched, count) == (text, 0)


@settings(max_examples=100)
@given(st.lists(st.sampled_from(["[[Note]]", "[[Page|x]]", "`a`", "text", "![[x.svg]]", "[x](Note.md)"]), max_size=20))
def test_what_was_rewritten_once_means_the_same_to_otter_wiki(parts: list[str]) -> None:
    text, _ = VAULT.rewrite(" ".join(parts), "Home.md")
    otter = OtterLinks(OtterWiki([f"{name}.md" for name in PAGES.values()]), Placed({"Home.md": "Home"}))
    assert otter.rewrite(text, "Home.md") == (text, 0)


@pytest.mark.parametrize("piece", ["[", "[[", "[x](", "](", "![[", "<img ", "[x]: ", "[a](b(", "](<", "[[a|", "\\["])
def test_hostile_text_takes_no_time(piece: str) -> None:
    began = time.process_time()
    VAULT.rewrite(piece * (60_000 // len(piece)), "Home.md")
    assert time.process_time() - began < 1
