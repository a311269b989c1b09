"""Which of some texts have a word, by the catalog's own tokenizer, whichever way they are looked through."""

from __future__ import annotations

import sqlite3
import time

from hypothesis import given
from hypothesis import strategies as st

from wikihost.excerpts import BEGIN, END
from wikihost.keyword_syntax import parse
from wikihost.marking import _TABLE, Scratch, mark

WORDS = st.sampled_from(
    """
    search searching searched Searches research index indices indexes run running runner ran os.path snake_case état
    etat café cafe x86 2026 the a-b harbour's HARBOUR generalizations general generous relate relational
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
TEXTS = st.lists(st.lists(WORDS, max_size=8).map(" ".join), max_size=6)
JOINTS = st.sampled_from([" ", ", ", "\n", "_", "("])
QUERIES = st.lists(st.one_of(WORDS, WORDS.map(lambda word: f"{word[:4]}*")), min_size=1, max_size=4).map(" ".join)


@given(texts=TEXTS, query=QUERIES, joint=JOINTS)
def test_each_word_is_found_where_the_full_text_search_finds_it(texts: list[str], query: str, joint: str) -> None:
    wanted = parse(query).wanted
    numbered = {number: text.replace(" ", joint) for number, text in enumerate(texts)}
    with Scratch() as scratch:
        found = scratch.having(numbered, wanted)
    whole = sqlite3.connect(":memory:")
    whole.execute(_TABLE)
    whole.executemany("INSERT INTO part (rowid, body) VALUES (?, ?)", numbered.items())
    by_fts5 = [
        {row for (row,) in whole.execute("SELECT rowid FROM part WHERE part MATCH ?", (term.expression,))}
        for term in wanted
    ]
    whole.close()
    assert found == by_fts5


def test_a_table_that_is_used_again_is_empty() -> None:
    wanted = parse("harbour").wanted
    with Scratch() as scratch:
        assert scratch.having({1: "the harbour"}, wanted) == [{1}]
    with Scratch() as scratch:
        assert scratch.having({2: "the crane"}, wanted) == [set()]
        assert scratch.highlighted({3: "the crane"}, wanted) == {}


def test_a_page_of_one_letter_is_marked_as_soon_as_any() -> None:
    """Each of its places looked like a beginning of a word that was sought: a minute for a page of a result."""
    wanted = parse("zebra " + " ".join(f"aaa{letter}" for letter in "bcdefghijklmnopqrstuvwxyz")).wanted
    began = time.process_time()
    found = mark({1: "zebra " + "a" * 250_000}, wanted)
    assert time.process_time() - began < 0.5
    assert found[1].text.startswith(f"{BEGIN}zebra{END} ")
