"""The judge of search is judged: measures against values made by hand, halves, texts, and a tiny wiki end to end."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import search_quality
from bench.quality.documents import Option, first_sentence, html_sections, manual_sections, one_liner, plain
from bench.quality.judging import MODES, SetResult, ask_all, judge
from bench.quality.losers import losers
from bench.quality.measures import ndcg, paired_bootstrap, recall
from bench.quality.packages import packages
from bench.quality.product import Answer, KeptVectors, asked_wikis
from bench.quality.sources import SOURCES
from bench.quality.tables import report, verdict
from bench.quality.tuning import both_lists, grid
from bench.quality.values import Place, Question, QuestionSet, half_of, merged, part
from tests.robot.search_wiki import WatchedModel

PAGES = {
    "Pump": "# Pump\n\nThe pump lifts water.\n\n## Seal\n\n" + "The seal keeps oil inside the pump. " * 60,
    "Harbour": "# Harbour\n\nShips enter before noon.\n",
    "Crane": "# Crane\n\nA crane loads ships.\n",
}


def question(text: str, *pages: str, line: int = 0) -> Question:
    return Question(text, frozenset(Place(page, line) for page in pages))


def result(words: list[list[str]], meaning: list[list[str]], both: list[list[str]]) -> SetResult:
    """A set whose every question is answered by the page "right"."""
    questions = [question(f"question {number}", "right") for number in range(len(words))]
    modes = {
        mode: judge(questions, [Answer(found, found[:1] == ["right"]) for found in answers])
        for mode, answers in zip(MODES, (words, meaning, both), strict=True)
    }
    return SetResult(QuestionSet("set", "asked → answered", "nothing", "en", questions), 9, questions, modes)


def test_ndcg_by_hand() -> None:
    assert ndcg(["a", "b", "c"], {"a"}) == 1.0
    assert ndcg(["a", "b", "c"], {"c"}) == pytest.approx(1 / math.log2(4))
    assert ndcg(["a", "b", "c"], {"b", "c"}) == pytest.approx((1 / math.log2(3) + 1 / 2) / (1 + 1 / math.log2(3)))
    assert ndcg(["x"] * 10 + ["a"], {"a"}) == 0.0
    assert ndcg([], {"a"}) == 0.0


def test_recall_by_hand() -> None:
    assert recall(["x", "a", "b"], {"a", "b", "c", "d"}) == 0.5
    assert recall(["1", "2", "3", "4", "5", "a"], {"a"}) == 0.0


def test_bootstrap_is_seeded_and_knows_a_sure_difference_from_an_unsure_one() -> None:
    sure = paired_bootstrap([([1.0, 0.9, 1.0, 0.8] * 9, [0.5, 0.4, 0.6, 0.3] * 9)])
    assert sure == paired_bootstrap([([1.0, 0.9, 1.0, 0.8] * 9, [0.5, 0.4, 0.6, 0.3] * 9)])
    assert sure.mean == pytest.approx(0.475)
    assert 0 < sure.low < sure.mean < sure.high < 1
    unsure = paired_bootstrap([([1.0, 0.0], [0.0, 1.0])])
    assert unsure.low < unsure.mean == 0 < unsure.high


def test_sets_weigh_the_same_however_large_they_are() -> None:
    assert paired_bootstrap([([1.0], [0.0]), ([0.0] * 99, [0.0] * 99)]).mean == 0.5


_QUESTIONS = st.builds(
    lambda text, pages: question(text, *pages),
    st.text("abc", min_size=1, max_size=3),
    st.sets(st.text("pqr", min_size=1, max_size=3), min_size=1, max_size=2),
)


@given(st.lists(_QUESTIONS))
def test_no_page_is_asked_for_in_both_halves(asked: list[Question]) -> None:
    questions = merged(asked)
    halves = [part(questions, half, 1000) for half in ("tuning", "test")]
    tuning, test = ({page for each in half for page in each.pages} for half in halves)
    assert not tuning & test
    assert sorted(each.text for half in halves for each in half) == sorted(each.text for each in questions)


def test_the_same_question_about_two_pages_has_two_answers() -> None:
    one, other = [page for page in map(str, range(99)) if half_of(page) == "test"][:2]
    assert merged([question("Why?", one), question("Why?", other)]) == [question("Why?", one, other)]
    tuning = next(page for page in map(str, range(99)) if half_of(page) == "tuning")
    assert merged([question("Why?", one), question("Why?", tuning)]) == []


MANUAL = """\
LS(1)                     User Commands                     LS(1)

NAME
       ls - list things

OPTIONS
       Few.

       -a, --all
              Show all of them. Hidden ones come first.

       -x     Show none.

   More options
       Text.
       More text.

coreutils                  July 2026                        LS(1)
"""


def test_a_manual_is_taken_apart() -> None:
    name, options, more = manual_sections(MANUAL)
    assert (name.heading, one_liner(name)) == ("NAME", "list things")
    assert (options.level, more.level, more.heading) == (2, 3, "More options")
    described = "Show all of them. Hidden ones come first."
    assert options.blocks == ["Few.", Option("-a, --all", described), Option("-x", "Show none.")]
    assert more.blocks == ["Text.\nMore text."]
    assert first_sentence(described) == ("Show all of them.", "Hidden ones come first.")


def test_html_is_taken_apart(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<h1>A.1. Why?<a class='headerlink'>¶</a></h1><p>Since\n so.</p><ul><li><p>One</p></li></ul><pre>a\n b</pre>"
        "<h2>How?</h2><p>So.</p>"
    )
    why, how = html_sections(page)
    assert (why.level, why.heading, how.heading) == (1, "Why?", "How?")
    assert why.text == "Since so.\n\nOne\n\n```\na\n b\n```"


def test_text_is_never_taken_for_a_heading() -> None:
    assert plain("one\n# two\n---\n#") == "one\n\\# two\n\\---\n\\#"


def test_packages_do_not_say_what_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = tmp_path / "status"
    long = " The program moves things about.\n .\n" + " Some more words of it.\n" * 9
    status.write_text(
        f"Package: mover\nStatus: install ok installed\nDescription: carries what is heavy\n{long}\n"
        f"Package: gone\nStatus: deinstall ok config-files\nDescription: carries nothing\n{long}\n"
    )
    monkeypatch.setattr("bench.quality.packages.STATUS", status)
    collection = packages(9)
    assert collection is not None
    assert list(collection.pages) == ["Packages/mover"]
    assert "heavy" not in collection.pages["Packages/mover"]
    assert "about.\n\nSome more" in collection.pages["Packages/mover"]
    assert collection.sets[0].questions == [question("carries what is heavy", "Packages/mover")]
    monkeypatch.setattr("bench.quality.packages.STATUS", tmp_path / "none")
    assert packages(9) is None


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("bench.quality.manuals.MANUALS", Path("/nowhere"))
    assert search_quality.collections(["manuals"], said.append) == []
    assert said == [f"manuals: left out, since it needs {SOURCES[0].needs}"]


def test_collections_can_be_asked_for_alone() -> None:
    assert search_quality.names("faq,library") == ["faq", "library"]
    with pytest.raises(argparse.ArgumentTypeError, match="no such collection: fax; there are manuals, "):
        search_quality.names("faq,fax")


def test_the_verdict_is_of_means_and_of_each_set() -> None:
    better = result([["x", "right"]] * 9, [["x", "right"]] * 9, [["right"]] * 9)
    worse = result([["right"]] * 9, [["right"]] * 9, [["x", "right"]] * 9)
    assert verdict([better])[0]
    kept, sentence = verdict([better, worse])
    assert not kept
    assert "significantly worse on set." in sentence
    assert "**-0.369 [-0.369, -0.369]**" in report(["Machine: one"], [worse])
    assert losers([worse], 1).startswith("set: question 0\n    1.00 1.00 0.63  wanted right; first x, right")
    assert losers([better], 1) == ""


async def test_a_wiki_is_made_indexed_and_asked(tmp_path: Path) -> None:
    model, said = WatchedModel(), list[str]()
    source = KeptVectors(model, tmp_path / "vectors.db")
    asked = [question("crane", "Crane"), question("oil seal", "Pump", line=7)]
    for attempt in ("first", "again"):
        async with asked_wikis(tmp_path / attempt, {"things": PAGES}, source, said.append) as wikis:
            modes = await ask_all(wikis["things"], asked, MODES)
            lists = await both_lists(wikis["things"], asked)
        assert [list(modes[mode].ndcg) for mode in MODES] == [[1.0, 1.0]] * 3
        assert list(modes["semantic"].place) == [1.0, 1.0]
        table = grid({"set": lists})
        assert "| set | 1 | 1.000 |" in table
        assert "| **all questions** | 2 | 1.000 |" in table
    assert len(model.embedded) == len(set(model.embedded))
    assert said[0].startswith("things: 3 pages, ")
