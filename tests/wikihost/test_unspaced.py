"""Search in scripts that put no spaces between words, and conditions that a query or a form asks for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wikihost.wikis import make_wiki
from wikihost import unspaced
from wikihost.content import Content
from wikihost.keyword_syntax import parse
from wikihost.values import SearchFilters, SearchHit

PAGES = {
    "大学/北京": (
        "---\ntags: [中国]\n---\n# 北京大学\n\n北京大学是中国的一所大学。学生使用iPhone手机学习。\n\n"
        "## 图书馆\n\n图书馆里有很多书。\n"
    ),
    "Shanghai": "# Shanghai\n\nThe city 上海 lies at the sea; its harbour is large.\n",
    "Tokyo": "# 東京\n\n東京タワーは高いです。ラーメンを食べます。\n",
    "Bangkok": "# กรุงเทพ\n\nสวัสดีครับ เรือออกตอนเช้า\n",
    "Seoul": "# 서울\n\n서울에서 배가 떠난다.\n",
    "Plain": "# Plain\n\nNothing but the harbour.\n",
}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Content]:
    opened = Content(make_wiki(tmp_path_factory.mktemp("unspaced") / "wiki", PAGES))
    yield opened
    opened.close()


def found(content: Content, query: str, filters: SearchFilters | None = None) -> list[str]:
    return [hit.path for hit in content.search(query, 20, filters=filters or SearchFilters()).hits]


def marked(hit: SearchHit) -> list[str]:
    return [hit.snippet[begin:end] for begin, end in hit.highlights]


@pytest.mark.parametrize(
    ("query", "first", "words"),
    [
        ("大学", "大学/北京", ["大学"]),
        ("书", "大学/北京", ["书", "书"]),
        ("图书馆里有什么？", "大学/北京", ["图书馆", "图书馆里有"]),
        ('"中国的一所"', "大学/北京", ["中国的一所"]),
        ("iphone", "大学/北京", []),
        ("iPhone手机", "大学/北京", ["手机"]),
        ("title:北京", "大学/北京", []),
        ("tag:中国", "大学/北京", []),
        ("上海", "Shanghai", ["上海"]),
        ("上海 harbour", "Shanghai", ["上海", "harbour"]),
        ("タワー", "Tokyo", ["タワー"]),
        ("เรือ", "Bangkok", ["เรือ"]),
        ("서울", "Seoul", ["서울"]),
        ("배", "Seoul", ["배"]),
    ],
)
def test_words_are_found_inside_of_runs(content: Content, query: str, first: str, words: list[str]) -> None:
    hit = content.search(query, 5).hits[0]
    assert hit.path == first
    assert marked(hit)[: len(words)] == words


@pytest.mark.parametrize("query", ['"学大"', '"北京的大学"', "上海 -harbour", "龍", "-大学 path:大学"])
def test_what_does_not_stand_there_is_not_found(content: Content, query: str) -> None:
    assert found(content, query) == []


def test_the_section_of_a_run_is_known(content: Content) -> None:
    hit = content.search("图书馆里", 1).hits[0]
    assert (hit.section, hit.anchor) == ("图书馆", "-1"), "the id that it has on the page"


def test_text_with_spaces_has_nothing_in_the_index_of_pairs(content: Content) -> None:
    rows = content.catalog.read(
        lambda db: db.execute("SELECT path, pairs FROM page_text JOIN page ON page.id = page_text.rowid").fetchall()
    )
    assert {path for path, pairs in rows if not pairs} == {"Plain"}


@given(st.text(st.sampled_from("北京大学カナกขั서울 ab1,。"), max_size=30), st.data())
def test_every_part_of_a_run_is_among_what_is_indexed(text: str, data: st.DataObject) -> None:
    for run in unspaced.RUN.findall(text):
        letters = "".join(filter(str.isalnum, run))
        if not letters:
            continue
        start = data.draw(st.integers(0, len(letters) - 1))
        part = letters[start : data.draw(st.integers(start + 1, len(letters)))]
        pairs = unspaced.indexed(text).split()
        assert all(any(each.startswith(pair) for each in pairs) for pair in unspaced.pairs(part))


@pytest.mark.parametrize(
    ("text", "expected"), [("北京", True), ("北京 abcdef", True), ("北京 abcdefg", False), ("", False), ("?", False)]
)
def test_what_counts_as_such_a_script(text: str, expected: bool) -> None:
    assert unspaced.is_unspaced(text) is expected


class TestFilters:
    def test_forms_ask_what_can_be_typed(self, content: Content) -> None:
        now = datetime.now(UTC)
        tomorrow, long_ago = now + timedelta(days=1), now - timedelta(days=400)
        assert found(content, "大学", SearchFilters(tag="中国")) == ["大学/北京"]
        assert found(content, "harbour", SearchFilters(prefix="pla")) == ["Plain"]
        assert found(content, "harbour", SearchFilters(category="none")) == []
        assert len(found(content, "harbour", SearchFilters(updated_since=long_ago, updated_before=tomorrow))) == 2
        assert found(content, "harbour", SearchFilters(updated_since=tomorrow)) == []
        assert found(content, f"harbour after:{tomorrow:%Y-%m-%d}") == []
        assert len(found(content, f"harbour after:{long_ago:%Y-%m-%d} -after:{tomorrow:%Y-%m-%d}")) == 2
        assert found(content, "", SearchFilters(prefix="大学/")) == ["大学/北京"]

    def test_days_begin_in_utc_and_what_is_no_day_is_words(self) -> None:
        query = parse("after:2026-01-31 before:2026-02-01T12:00:00+02:00 -after:2027-01-01 before:lunch")
        assert [(each.field, each.value, each.excluded) for each in query.filters] == [
            ("after", datetime(2026, 1, 31, tzinfo=UTC).timestamp(), False),
            ("before", datetime(2026, 2, 1, 10, tzinfo=UTC).timestamp(), False),
            ("after", datetime(2027, 1, 1, tzinfo=UTC).timestamp(), True),
        ]
        assert [term.text for term in query.words] == ["before:lunch"]

    def test_a_question_keeps_its_common_words_and_loses_its_conditions(self) -> None:
        assert parse("how is the crane tag:ops -old title:Pilot").question == "how is the crane Pilot"


def test_a_long_word_beside_such_a_script_is_read_once() -> None:
    """It took hours, in the transaction in which a page with an embedded image and one such letter is saved."""
    began = time.process_time()
    assert unspaced.indexed("船 " + "a" * 1_000_000) == "船"
    assert unspaced.indexed("a" * 1_000_000 + "船") == "船 " + "a" * 1_000_000
    assert time.process_time() - began < 1
    assert unspaced.indexed("x86船arm64 plain 2026年") == "船 年 x86 arm64 2026"
