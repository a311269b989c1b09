"""Which section of a page is shown, in which order, and what an answer says that it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.search.confined import ConfinedSearch
from robot.search.finding import ranking, sections
from robot.search.finding.fusion import fuse
from robot.search.finding.ranking import Asked
from robot.search.model.directory import bundled_model
from robot.search.service import SearchService
from robot.search.values import FindAnswer, FindMode, Freshness
from tests.robot.search_wiki import WatchedModel, WikiOnDisk, make_service, make_wiki, running, settled
from wikihost.keyword_syntax import KeywordQuery
from wikihost.passage_places import PagePassage, SectionHeading
from wikihost.values import SearchFilters

FILLER = "The harbour clerk writes all of it down in the big ledger every single evening. " * 12
MANUAL = (
    "---\ntags: [manual]\n---\n# Manual\n\n"
    f"## Cranes\n\n{FILLER}\n\n"
    f"## Valves\n\nA stuck valve is freed with warm oil. {FILLER}\n\n"
    "## Small things\n\nPaper and pens.\n\n### Lamps\n\nThe lamp has two wicks.\n\n## Keys\n\nKeys hang at the gate.\n"
)
PAGES = {"Guides/Manual": MANUAL, "Oil": "# Oil\n\nOil comes in barrels.\n", "Word": "ferry"}


@pytest.fixture
def wiki(tmp_path: Path) -> Iterator[WikiOnDisk]:
    made = make_wiki(tmp_path)
    made.write(PAGES)
    yield made
    made.contents.close_all()


async def indexed(service: SearchService, wiki: WikiOnDisk) -> None:
    service.notify(wiki.wiki.id)
    await settled(service, wiki.wiki)


def places(answer: FindAnswer) -> list[tuple[str, str]]:
    return [(each.page.path, each.page.anchor) for each in answer.results]


@pytest.mark.parametrize("mode", ["hybrid", "keyword"])
async def test_the_section_with_the_telling_words_is_shown(wiki: WikiOnDisk, mode: FindMode) -> None:
    async with running(make_service(WatchedModel(), wiki)) as service:
        await indexed(service, wiki)
        valve = (await service.find(wiki.wiki, "how is a stuck valve freed", mode=mode, limit=1)).results[0]
        assert (valve.page.path, valve.page.anchor) == ("Guides/Manual", "valves")
        assert valve.section_path == "Manual > Valves"
        lines = MANUAL.splitlines()[valve.first_line - 1 : valve.last_line]
        assert (lines[0], lines[2][:21]) == ("## Valves", "A stuck valve is freed"[:21])
        shown = [valve.page.snippet[begin:end] for begin, end in valve.page.highlights]
        assert shown == ["Valves", "stuck", "valve", "freed"]
        # Small sections share a passage; the heading above what is shown is the one to lead to.
        lamp = (await service.find(wiki.wiki, "lamp wicks", mode=mode, limit=1)).results[0]
        assert (lamp.page.anchor, lamp.section_path) == ("lamps", "Manual > Small things > Lamps")
        assert places(await service.find(wiki.wiki, "hang gate keys", mode=mode, limit=1)) == [
            ("Guides/Manual", "keys")
        ]


async def test_further_sections_come_after_every_pages_best_and_pages_of_the_list_fit(wiki: WikiOnDisk) -> None:
    async with running(make_service(WatchedModel(), wiki)) as service:
        await indexed(service, wiki)
        text = "valve oil harbour ledger ferry welcome"
        whole = await service.find(wiki.wiki, text, limit=50, max_chunks_per_page=3)
        assert whole.total == len(whole.results) == 6, "four pages, and two more sections of the one that has more"
        names = [each.page.path for each in whole.results]
        assert len(set(names[:4])) == 4
        assert names[4:] == ["Guides/Manual"] * 2
        assert len({(each.page.path, each.first_line) for each in whole.results}) == 6
        parts = [
            (await service.find(wiki.wiki, text, limit=2, offset=at, max_chunks_per_page=3)).results for at in (0, 2, 4)
        ]
        assert [each for part in parts for each in part] == list(whole.results)
        for each in whole.results:
            assert each.score == pytest.approx(0.4 * each.by_words + 0.6 * each.by_meaning, abs=2e-4)
        assert (await service.find(wiki.wiki, text, limit=5, offset=900)).results == []


async def test_an_edited_page_is_shown_as_it_is_where_its_words_are(wiki: WikiOnDisk) -> None:
    service = make_service(WatchedModel(), wiki)
    async with running(service):
        await indexed(service, wiki)
    wiki.write({"Guides/Manual": MANUAL.replace("## Keys\n\nKeys hang", "## Locks\n\nPadlocks hang")})
    found = await service.find(wiki.wiki, "padlocks", limit=1)
    (first,) = found.results
    assert (first.page.path, first.page.anchor, first.section_path) == ("Guides/Manual", "locks", "Manual > Locks")
    assert (first.first_line, first.last_line) == (0, 0), "the lines of the older text lead nowhere"
    assert found.freshness.note == "1 page is not yet found by meaning; words find it already."
    by_meaning = await service.find(wiki.wiki, "where do keys hang", mode="semantic", limit=50)
    (older,) = [each for each in by_meaning.results if each.page.path == "Guides/Manual"]
    assert (older.semantic is not None, older.first_line, older.last_line) == (True, 0, 0)


async def test_filters_hold_for_both_and_do_not_starve(wiki: WikiOnDisk) -> None:
    wiki.write({f"Notes/{number}": f"# Note {number}\n\nstuck valve oil {number}\n" for number in range(400)})
    async with running(make_service(WatchedModel(), wiki), 60) as service:
        await indexed(service, wiki)
        filters = SearchFilters(tag="manual")
        for mode in ("hybrid", "semantic", "keyword"):
            found = await service.find(wiki.wiki, "stuck valve oil", mode=mode, limit=5, filters=filters)
            assert [each.page.path for each in found.results] == ["Guides/Manual"], mode
        answer = await service.query(wiki.wiki, "stuck valve oil", filters=filters)
        assert {each.path for each in answer.results} == {"Guides/Manual"}
        typed = await service.query(wiki.wiki, "stuck valve oil -path:Notes/", limit=50)
        assert {each.path for each in typed.results} == {*PAGES, "Home"}
        weights = [
            (await service.find(wiki.wiki, f"{text}why is a valve stuck", limit=1)).lexical_weight
            for text in ("", "tag:manual ", "-path:a/b ", '"oil" ')
        ]
        assert weights == [0.4, 0.4, 0.4, 0.65], "a condition is no identifier"
        listed = await service.find(wiki.wiki, "", limit=5, filters=filters)
        assert (listed.mode, places(listed)) == ("keyword", [("Guides/Manual", "")])


BAD = [
    "",
    "   ",
    "\0",
    "([",
    "😀😀",
    "x" * 10_000,
    "word " * 2_000,
    '"a AND',
    "lone \ud800x",
    "the of and",
    "tag:",
    "-",
    "NEAR(",
    "*",
    '"" ""',
    "漢字",
    "ั",
]


@pytest.mark.parametrize("text", BAD)
async def test_every_text_is_answered_at_every_entrance(wiki: WikiOnDisk, text: str) -> None:
    async with running(make_service(WatchedModel(), wiki)) as service:
        await indexed(service, wiki)
        for mode in ("hybrid", "keyword", "semantic"):
            found = await service.find(wiki.wiki, text, mode=mode, limit=3, max_chunks_per_page=99, offset=-1)
            assert found.freshness.note is None
            assert len(found.results) <= 3
        await service.query(wiki.wiki, text)
        await service.find_everywhere([wiki.wiki], text)


async def test_pages_of_one_word_of_code_alone_and_in_chinese(tmp_path: Path) -> None:
    wiki = make_wiki(tmp_path)
    service = make_service(WatchedModel(), wiki)
    async with running(service):
        await indexed(service, wiki)
        far = await service.find(wiki.wiki, "ferry", limit=5)
        assert (far.results, far.total, far.mode) == ([], 0, "hybrid"), "the only page says nothing of it"
        assert (await service.find(wiki.wiki, "ferry", mode="semantic", limit=5)).total == 1
        wiki.write(
            {
                "Word": "ferry",
                "Code": "```python\ndef read_note(path):\n    return mcp_read_note(path)\n```\n",
                "Zh": "# 渡轮\n\n渡轮在早上离开港口。\n",
                "Empty": "",
            }
        )
        await indexed(service, wiki)
        for text, path in {"ferry": "Word", "mcp_read_note": "Code", "早上": "Zh", "渡轮什么时候离开？": "Zh"}.items():
            found = await service.find(wiki.wiki, text, limit=5)
            assert found.results[0].page.path == path, text
            assert found.results[0].page.highlights, text
        assert (await service.find(wiki.wiki, "早上", limit=5)).lexical_weight > 0.9


async def test_a_page_called_so_comes_first(tmp_path: Path) -> None:
    wiki = make_wiki(tmp_path)
    wiki.write(
        {
            "Guides/Winch": "# About it\n\nA machine.\n" + "Much is said of other things here. " * 60,
            "Parts": "# Winch\n\nwinch winch winch winch\n",
        }
    )
    service = make_service(WatchedModel(), wiki)
    found = await service.find(wiki.wiki, "winch", limit=2)
    assert [each.page.path for each in found.results] == ["Guides/Winch", "Parts"]


async def test_without_a_model_answers_say_so_unless_words_were_asked_for(wiki: WikiOnDisk) -> None:
    model = WatchedModel()
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
    model.missing = "The embedding model is not installed."
    service = make_service(model, wiki)
    found = await service.find(wiki.wiki, "oil", limit=5)
    assert (found.mode, found.freshness.note) == (
        "keyword",
        "Only words were searched: the embedding model is not installed.",
    )
    assert (await service.find(wiki.wiki, "oil", mode="keyword", limit=5)).freshness.note is None
    assert (await service.query(wiki.wiki, "oil")).freshness.model_problem == model.missing


async def test_what_is_indexed_while_an_answer_is_made_is_in_it(
    wiki: WikiOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(WatchedModel(), wiki)
    async with running(service):
        await indexed(service, wiki)
        embed = service._questions.vector

        async def after_a_page_was_indexed(question: str) -> object:
            """The vectors of the wiki are at hand already."""
            if "New" not in wiki.git("ls-files"):
                wiki.write({"New": "# New\n\nOil of whales.\n"})
                await indexed(service, wiki)
            return await embed(question)

        monkeypatch.setattr(service._questions, "vector", after_a_page_was_indexed)
        found = await service.find(wiki.wiki, "oil of whales", mode="semantic", limit=5)
    assert found.results[0].page.path == "New"
    assert found.freshness == Freshness(found.freshness.head, found.freshness.head)


async def test_what_is_indexed_after_the_vectors_were_taken_is_looked_for_again(
    wiki: WikiOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(WatchedModel(), wiki)
    async with running(service):
        await indexed(service, wiki)
        take, taken = service._shelf.snapshot, 0

        async def then_a_page_is_indexed(*asked: Any, still_changing: bool) -> object:
            nonlocal taken
            snapshot = await take(*asked, still_changing=still_changing)
            taken += 1
            if taken == 2:  # the one with which the answer is made
                wiki.write({"New": "# New\n\nOil of whales.\n"})
                await indexed(service, wiki)
            return snapshot

        monkeypatch.setattr(service._shelf, "snapshot", then_a_page_is_indexed)
        found = await service.find(wiki.wiki, "oil of whales", mode="semantic", limit=5)
    assert taken > 2
    assert found.results[0].page.path == "New"
    assert found.freshness == Freshness(found.freshness.head, found.freshness.head)


async def test_vectors_that_are_older_than_the_catalog_are_told_of(
    wiki: WikiOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(WatchedModel(), wiki)
    async with running(service):
        await indexed(service, wiki)
        old = await service._snapshot(wiki.wiki)
        wiki.write({"New": "# New\n\nOil of whales.\n"})
        await indexed(service, wiki)

    async def the_old_one(*_: object, still_changing: bool) -> object:
        return old

    monkeypatch.setattr(service._shelf, "snapshot", the_old_one)
    monkeypatch.setattr(service._nursery, "is_working_on", lambda wiki_id: True)
    fresh = (await service.find(wiki.wiki, "oil of whales", limit=5)).freshness
    assert (fresh.pages_waiting, fresh.note) == (1, "1 page is not yet found by meaning; words find it already.")
    inside = await ConfinedSearch(service, "Guides/").find(wiki.wiki, "oil of whales", limit=5)
    assert inside.freshness.pages_waiting == 0, "what is outside of the folder is not counted"


async def test_the_real_model_finds_the_section_that_has_none_of_the_words(wiki: WikiOnDisk) -> None:
    async with running(make_service(bundled_model(), wiki), 60) as service:
        await indexed(service, wiki)
        found = await service.find(wiki.wiki, "where can I find what unlocks the entrance?", mode="semantic", limit=3)
    assert places(found)[0] == ("Guides/Manual", "small-things")
    assert found.results[0].lexical is None


async def test_letters_that_mean_nothing_find_nothing_and_totals_count_what_is_found(wiki: WikiOnDisk) -> None:
    async with running(make_service(bundled_model(), wiki), 60) as service:
        await indexed(service, wiki)
        for text in ("zxqvbnm", "asdfgh jkl", "glarb snorf", "best pizza in Naples"):
            found = await service.find(wiki.wiki, text, limit=5)
            assert (found.total, found.results, found.mode, found.freshness.note) == (0, [], "hybrid", None), text
            assert (await service.find_everywhere([wiki.wiki], text)).results == []
        lubricant = await service.find(wiki.wiki, "petroleum", limit=5)
        assert (lubricant.total, [each.page.path for each in lubricant.results]) == (1, ["Oil"])


_NEAR = st.dictionaries(
    st.sampled_from("abcdef"), st.lists(st.floats(-1, 1), min_size=1, max_size=5).map(lambda them: sorted(them)[::-1])
)


@given(_NEAR, st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.01, 9)), st.floats(0, 1), st.integers(1, 5))
def test_no_page_is_starved(
    near: dict[str, list[float]], words: dict[str, float], weight: float, per_page: int
) -> None:
    found = {path: list(enumerate(cosines)) for path, cosines in near.items()}
    fused = fuse(words, {path: cosines[0] for path, cosines in near.items()}, weight, 100)
    asked = Asked(KeywordQuery(), "hybrid", weight, 10, "watched/1", per_page=per_page)
    listed = ranking.spots(fused, found, asked)
    seen: dict[str, int] = {}
    for spot in listed:
        assert spot.nth == seen.get(spot.page.key, 0)
        seen[spot.page.key] = spot.nth + 1
        assert spot.page.score == pytest.approx(weight * spot.page.by_words + (1 - weight) * spot.page.by_meaning)
    assert [spot.nth for spot in listed] == sorted(spot.nth for spot in listed)
    assert seen.keys() == near.keys() | words.keys()
    assert all(count <= per_page for count in seen.values())


def a_passage(ordinal: int, text: str = "", anchor: str = "") -> PagePassage:
    return PagePassage(ordinal, anchor, anchor, anchor, 0, 0, text, bytes([ordinal]), True)


def test_rare_words_tell_more_and_headings_a_little_more() -> None:
    worth = sections.worth_by_words([{0, 1, 2}, {2}], [set(), set()], 3, 9)
    assert worth[2] == 1.0 > worth[0] == worth[1] > 0
    assert sections.worth_by_words([{0, 1}], [{1}], 2, 2)[0] < 1.0
    assert sections.worth_by_words([], [], 2, 2) == sections.worth_by_words([set()], [set()], 2, 2) == [0.0, 0.0]


def test_the_heading_above_a_place_is_found_in_joined_sections() -> None:
    headings = [SectionHeading(*each) for each in [("A", "a", 1), ("B *b*", "b-b", 2), ("C", "c", 3), ("D", "d", 2)]]
    text = "# A\n\none\n\n## B b\n\ntwo\n\nC\n---\nthree"
    passage = a_passage(0, text, "a")._replace(section="A", section_path="A")
    assert sections.heading_at(passage, headings, text.index("one")) == ("A", "a", "A")
    assert sections.heading_at(passage, headings, text.index("two")) == ("B *b*", "b-b", "A > B *b*")
    assert sections.heading_at(passage, headings, text.index("three")) == ("C", "c", "A > B *b* > C")
    assert sections.path_of(headings, 3) == "A > D"


def test_the_fitting_sentence_is_the_one_with_forms_of_the_words() -> None:
    text = "Much is said. Configurations are kept here. The end."
    assert text[sections.fitting_place(text, "where is the configuration kept") :].startswith("Configurations")
    assert sections.fitting_place(text, "") == sections.fitting_place("", "x") == 0
