"""Search by keywords: what a query means, what is found, and what is shown of it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wikihost.wikis import ADA, make_wiki
from wikihost.content import Content
from wikihost.excerpts import BEGIN, END, excerpt, fragments, without_controls
from wikihost.keyword_syntax import MAX_TERMS, MAX_WORDS, all_of, any_of, parse
from wikihost.values import SearchHit

PAGES = {
    "Home": "# Welcome\n[[On_Call]], [[gone|Missing Page]] and [[Home]]\n",
    "On Call": "---\ntitle: On-call duty\ncategory: Guide\ntags: [Ops, people]\n---\nWho is on call? [[Home]]\n",
    "Städte/Zürich": "---\ncategory: ÜBER\ntags: ops\n---\nA city of bridges and bridges.\n",
    "Guides/Harbour": (
        "# Harbour\nThe pilot waits.\n\n## Crane\nThe crane lifts.\n\n## Crane\nIt lifts the *keel* again.\n"
    ),
    "Guides/Crane": "crane " * 20 + "\n",
    "Guides/Keel_100%": "---\ntags: [Release Notes, 2026, null, {a: b}]\ntitle: 42\n---\nNothing of note.\n",
    "Old/Haven": "---\nredirect: Guides/Harbour\n---\n\nThis page is now [[Guides/Harbour]], with a crane.\n",
    "Old/Lost": "---\nredirect: Nowhere\n---\n\nThe lost crane.\n",
}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Content]:
    opened = Content(make_wiki(tmp_path_factory.mktemp("keywords") / "wiki", PAGES))
    yield opened
    opened.close()


def found(content: Content, query: str) -> list[str]:
    return [hit.path for hit in content.search(query, 20).hits]


def marked(hit: SearchHit) -> list[str]:
    return [hit.snippet[begin:end] for begin, end in hit.highlights]


class TestSyntax:
    def test_a_query_is_taken_apart(self) -> None:
        query = parse('crane lift* "two words" -old -"so it goes" title:Pilot TAG:Ops -tag:"a b" path:G_x/ the')
        assert any_of(query.words) == '"crane" OR "lift" *'
        assert all_of(query.required) == '("two words") AND (title : "Pilot")'
        assert any_of(query.excluded) == '"old" OR "so it goes"'
        assert [(each.field, each.value, each.excluded) for each in query.filters] == [
            ("tag", "ops", False),
            ("tag", "a b", True),
            ("path", "g x/%", False),
        ]

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("the lock of a file", '"lock" OR "file"'),
            ("to be", '"to" OR "be"'),
            (
                "foo-bar http://x.y tag: note:5 --verbose 5 - 3",
                '"foo-bar" OR "http://x.y" OR "tag:" OR "note:5" OR "--verbose" OR "5" OR "3"',
            ),
            ('say "unclosed words', '"say" OR "unclosed" OR "words"'),
            ("?! -- ** *", ""),
        ],
    )
    def test_what_is_no_syntax_is_words(self, query: str, words: str) -> None:
        assert any_of(parse(query).words) == words

    @pytest.mark.parametrize(
        ("value", "pattern"),
        [("Guides", "guides%"), ("*ab*", "%ab%"), ("a**b", "a%b"), (r"50%\x_y", r"50\%\\x y%"), ("*" * 99, "%")],
    )
    def test_paths_are_beginnings_or_look_so(self, value: str, pattern: str) -> None:
        assert parse(f"path:{value}").filters[0].value == pattern

    def test_a_query_is_bounded(self) -> None:
        query = parse(" ".join(f'w{n} "q{n}" -x{n} tag:{n}' for n in range(500)))
        assert {len(query.words), len(query.required), len(query.excluded), len(query.filters)} == {MAX_TERMS}

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ('"' + "ab " * 600 + '"', "ab " * MAX_WORDS),
            ("ab." * 600, "ab." * MAX_WORDS),
            ('"' + "ab_" * 600 + '"*', "ab_" * MAX_WORDS),
            ('"' + "船" * 600 + '"', "船" * (2 * MAX_WORDS)),
            ('"' + "ab " * 20 + '" "' + "cd " * 20 + '"', "ab " * 20 + "cd " * (MAX_WORDS - 20)),
        ],
        ids=["spaces", "dots", "underscores", "no spaces", "two"],
    )
    def test_of_long_phrases_the_first_words_count(self, typed: str, kept: str) -> None:
        """A phrase takes FTS5 as long as it has words, on every page that repeats its first ones."""
        assert " ".join(term.text.strip() for term in parse(typed).wanted) == kept.rstrip(" ._")

    @given(st.text(alphabet="ab\"*:^()-+{}\0 ANDOR'titlegpah\ud800é漢_%\\", max_size=40))
    def test_no_text_is_a_syntax_error(self, text: str) -> None:
        query = parse(text)
        with sqlite3.connect(":memory:") as database:
            database.execute("CREATE VIRTUAL TABLE t USING fts5 (title, body)")
            for terms in (query.wanted, query.required, query.excluded):
                for expression in (any_of(terms), all_of(terms)):
                    if expression:
                        database.execute("SELECT * FROM t WHERE t MATCH ?", (expression,)).fetchall()


class TestSearch:
    def test_the_best_page_has_score_one_and_a_snippet(self, content: Content) -> None:
        hits = content.search("who is on call duty", 10).hits
        assert (hits[0].path, hits[0].title, hits[0].score) == ("On Call", "On-call duty", 1.0)
        assert hits[0].snippet == "Who is on call? [[Home]]"
        assert marked(hits[0]) == ["call"]
        assert all(0 <= hit.score <= 1 for hit in hits)

    def test_no_word_is_required_and_all_of_them_come_first(self, content: Content) -> None:
        assert found(content, "crane pilot")[0] == "Guides/Harbour"
        assert set(found(content, "crane pilot bridges")) == {
            "Guides/Harbour",
            "Guides/Crane",
            "Old/Lost",
            "Städte/Zürich",
        }

    @pytest.mark.parametrize(
        ("query", "pages"),
        [
            ("bridge", {"Städte/Zürich"}),
            ("zurich", {"Städte/Zürich"}),
            ("städte", {"Städte/Zürich"}),
            ("bridg*", {"Städte/Zürich"}),
            ('"city of bridges"', {"Städte/Zürich"}),
            ('"bridges of city"', set()),
            ('"pilot" bridges', {"Guides/Harbour"}),
            ("crane -pilot", {"Guides/Crane", "Old/Lost"}),
            ('crane -"pilot waits" -lost', {"Guides/Crane"}),
            ("title:crane", {"Guides/Crane"}),
            ("title:cran* lifts", {"Guides/Crane"}),
            ("title:keel", {"Guides/Keel_100%"}),
            ("42", {"Guides/Keel_100%"}),
            ('"release notes"', {"Guides/Keel_100%"}),
            ("tag:ops", {"On Call", "Städte/Zürich"}),
            ("tag:OPS -tag:people", {"Städte/Zürich"}),
            ('tag:"release notes"', {"Guides/Keel_100%"}),
            ("tag:release*", {"Guides/Keel_100%"}),
            ("tag:2026", {"Guides/Keel_100%"}),
            ("category:über", {"Städte/Zürich"}),
            ("-category:guide bridges duty", {"Städte/Zürich"}),
            ("-category:guide -path:*/* -title:lost", {"Home"}),
            ("path:guides/", {"Guides/Harbour", "Guides/Crane", "Guides/Keel_100%"}),
            ("path:*/cr*", {"Guides/Crane"}),
            ("path:Guides/Keel_100%", {"Guides/Keel_100%"}),
            ("path:Guides/Kee%", set()),
            ("crane path:guides -path:*harbour", {"Guides/Crane"}),
            ("crane tag:ops", set()),
            ("haven", set()),
            ("lost", {"Old/Lost"}),
        ],
    )
    def test_what_a_query_finds(self, content: Content, query: str, pages: set[str]) -> None:
        assert set(found(content, query)) == pages
        assert content.search(query, 1).total == len(pages)

    def test_a_query_of_conditions_lists_pages_by_name(self, content: Content) -> None:
        assert found(content, "-tag:ops -path:old -path:guides") == ["Home"]
        hits = content.search("path:Guides", 10).hits
        assert [(hit.path, hit.score) for hit in hits][:2] == [("Guides/Crane", 1.0), ("Guides/Harbour", 1.0)]
        assert hits[1].snippet.startswith("# Harbour The pilot waits.")

    def test_hits_come_in_parts(self, content: Content) -> None:
        everything = content.search("crane lost", 20).hits
        parts = [content.search("crane lost", 1, offset) for offset in range(4)]
        assert [part.total for part in parts] == [3, 3, 3, 3]
        assert [hit for part in parts for hit in part.hits] == everything

    def test_a_hit_knows_its_section(self, content: Content) -> None:
        (hit,) = content.search("keel -title:keel", 5).hits
        assert (hit.path, hit.section, hit.anchor, marked(hit)) == ("Guides/Harbour", "Crane", "crane-1", ["keel"])
        (hit,) = content.search('"pilot"', 5).hits
        assert (hit.section, hit.anchor) == ("Harbour", "harbour")
        (hit,) = content.search("bridges", 5).hits
        assert (hit.section, hit.anchor, marked(hit)) == ("", "", ["bridges", "bridges"])

    @given(st.text(alphabet="ab\"*:^()-+{}\0 ANDOR'titlegpah\ud800é漢_%\\", max_size=30))
    @settings(max_examples=60)
    def test_every_text_is_a_query(self, content: Content, query: str) -> None:
        result = content.search(query, 5)
        assert len(result.hits) <= result.total


@pytest.mark.parametrize(
    "text",
    ["word " * 100_000, "x" * 500_000, "\x02\x03word" * 20_000, "word\n" * 100_000, "🙂 word " * 50_000],
    ids=["words", "one word", "marks", "lines", "wide characters"],
)
def test_one_absurd_page_does_not_make_search_slow(tmp_path: Path, text: str) -> None:
    """FTS5's own excerpts would take minutes here, and its own marks seconds."""
    content = Content(make_wiki(tmp_path / "wiki", {"Home": "# Home\n"}))
    content.write_page("Absurd", text, base=None, author=ADA)
    began = time.process_time()
    (hit,) = content.search("word x*", 5).hits
    assert time.process_time() - began < 2
    assert len(hit.snippet) < 300
    assert all(hit.snippet[begin:end] in ("word", "x" * (end - begin)) for begin, end in hit.highlights)
    content.close()


def test_a_long_page_is_shown_as_a_short_one_is(tmp_path: Path) -> None:
    filler = "".join(f"Line {number} says nothing of it.\n" for number in range(2_000))
    text = f"# Long\n{filler}\n## Far down\nHere the keel lies.\n{filler}"
    content = Content(make_wiki(tmp_path / "wiki", {"Long": text, "Short": text[-len(filler) - 40 :][:60]}))
    hits = {hit.path: hit for hit in content.search("keels lies", 5).hits}
    assert (hits["Long"].section, hits["Long"].anchor) == ("Far down", "far-down")
    assert marked(hits["Long"]) == marked(hits["Short"]) == ["keel", "lies"]
    assert "Here the keel lies. Line 0 says" in hits["Long"].snippet
    content.close()


class TestExcerpts:
    def test_the_place_with_the_most_different_words_is_shown(self) -> None:
        text = f"{BEGIN}one{END} " + "gap " * 100 + f"here {BEGIN}one{END} and {BEGIN}two{END}\n\nthe end"
        shown = excerpt(text)
        assert shown.text.endswith("here one and two the end")
        assert [shown.text[begin:end] for begin, end in shown.highlights] == ["one", "two"]
        plain = text.replace(BEGIN, "").replace(END, "")
        assert shown.start is not None
        assert plain[shown.start :].startswith("one and two")

    def test_fragments_are_the_text(self) -> None:
        shown = excerpt(f"a {BEGIN}b{END}{BEGIN}c{END} d")
        assert fragments(shown) == [("a ", False), ("b", True), ("c", True), (" d", False)]

    @given(st.lists(st.tuples(st.text(max_size=60), st.booleans()), max_size=30))
    def test_any_text_has_an_excerpt(self, pieces: list[tuple[str, bool]]) -> None:
        clean = [(without_controls(text), is_hit) for text, is_hit in pieces if text]
        shown = excerpt("".join(f"{BEGIN}{text}{END}" if is_hit else text for text, is_hit in clean))
        assert len(shown.text) < 300
        assert not {BEGIN, END} & set(shown.text)
        assert "".join(text for text, _ in fragments(shown)) == shown.text
        assert (shown.start is not None) == any(is_hit for _, is_hit in clean)
