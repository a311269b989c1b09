"""Search by words and by meaning in one list: how scores are joined, and what scripts get."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.rest.app import create_rest_app
from robot.search.finding.fusion import Weights, fuse
from robot.search.service import SearchService
from tests.robot.agent_doors import DOMAIN, open_doors
from tests.robot.search_wiki import WatchedModel, make_service, make_wiki, running, settled
from tests.robot.test_rest import script

PAGES = {
    "Guides/Pump": "# Pump\n\n## Seal\nthe seal keeps oil inside\n",
    "Guides/Oil": "# Oil\n\noil oil oil for machines\n",
    "Notes/Seal": "---\ntags: [animal]\n---\n# Seal\n\nthe animal lives in water\n",
    "Old": "---\nredirect: Guides/Pump\n---\nseal seal seal oil\n",
}


@pytest.mark.parametrize(
    "text",
    ["find_page", "ERR-4012", "why os.path.join", "readFile twice", 'say "so it goes"', "pump", "x86 y()"],
)
def test_words_count_more_for_identifiers_quotations_and_single_words(text: str) -> None:
    assert Weights().of(text) == Weights().identifier


@pytest.mark.parametrize(
    "text",
    [
        "why does the pump stop at night?",
        "How are seals kept",
        "I am new here",
        "GNU core utilities",
        "X11 on the road",
        "",
    ],
)
def test_words_count_less_for_questions(text: str) -> None:
    assert Weights().of(text) == Weights().question


def test_scores_are_stretched_and_added() -> None:
    fused = fuse({"a": 1.0, "b": 0.5, "c": 0.0}, {"b": 0.9, "d": 0.8, "c": 0.4}, 0.4, 3)
    assert [(page.key, round(page.score, 3), page.lexical, page.semantic) for page in fused] == [
        ("b", 0.8, 0.5, 0.9),
        ("d", 0.48, None, 0.8),
        ("a", 0.4, 1.0, None),
        ("c", 0.0, 0.0, 0.4),
    ]
    assert [page.key for page in fuse({}, {"x": 0.1}, 0.4, 3)] == ["x"]
    assert fuse({}, {}, 0.4, 3) == []


def test_a_list_that_was_not_cut_is_measured_from_no_words_at_all() -> None:
    """The last of two pages with the word is worth something; the last of all that were looked at, nothing more."""
    assert [page.by_words for page in fuse({"a": 1.0, "b": 0.5}, {}, 1.0, 3)] == [1.0, 0.5]
    assert [page.by_words for page in fuse({"a": 1.0, "b": 0.5}, {}, 1.0, 2)] == [1.0, 0.0]
    assert [page.by_meaning for page in fuse({}, {"a": 0.6, "b": 0.5}, 0.0, 3)] == [1.0, 0.0]


def test_what_meaning_alone_leads_to_is_near_or_left_out() -> None:
    near, words = {"a": 0.5, "b": 0.33, "c": 0.2, "d": 0.1}, {"d": 2.0}
    fused = fuse(words, near, 0.4, 100, 0.33)
    assert {page.key for page in fused} == {"a", "b", "d"}
    assert fuse({}, near, 0.4, 100, 0.6) == []
    # Their scores are what they were, whatever is left out.
    before = {page.key: page for page in fuse(words, near, 0.4, 100)}
    assert [before[page.key] for page in fused] == fused


_SCORES = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-1, 1))


@given(_SCORES, _SCORES, st.floats(0, 1))
def test_every_page_is_once_on_the_list_with_a_score_of_0_to_1(
    lexical: dict[str, float], semantic: dict[str, float], weight: float
) -> None:
    fused = fuse(lexical, semantic, weight, 4)
    assert sorted(page.key for page in fused) == sorted(lexical | semantic)
    assert all(-1e-9 <= page.score <= 1 + 1e-9 for page in fused)
    assert [page.score for page in fused] == sorted((page.score for page in fused), reverse=True)


async def test_pages_are_found_either_way_and_conditions_hold_for_both(tmp_path: Path) -> None:
    on_disk = make_wiki(tmp_path)
    on_disk.write(PAGES)
    service = make_service(WatchedModel(), on_disk)
    wiki = on_disk.wiki
    before = await service.find(wiki, "seal oil", mode="hybrid", limit=5)
    assert (before.mode, before.results[0].page.path, before.results[0].semantic) == ("keyword", "Guides/Pump", None)
    async with running(service):
        service.start_reindex(wiki)
        await settled(service, wiki)
        found = await service.find(wiki, "seal oil", mode="hybrid", limit=5)
        first = found.results[0]
        assert (found.mode, first.page.path, first.page.section) == ("hybrid", "Guides/Pump", "Seal")
        assert first.lexical == 1.0
        assert first.semantic is not None
        assert {each.page.path for each in found.results} == {"Guides/Pump", "Guides/Oil", "Notes/Seal"}
        tagged = await service.find(wiki, "seal oil -tag:animal path:notes", mode="hybrid", limit=5)
        assert (tagged.total, tagged.mode) == (0, "hybrid")
        near = await service.find(wiki, "animal water -title:pump", mode="semantic", limit=1)
        assert (near.mode, near.total, near.lexical_weight) == ("semantic", 3, 0.0)
        assert near.results[0].page.path == "Notes/Seal"
        rest = await service.find(wiki, "animal water -title:pump", mode="semantic", limit=5, offset=1)
        assert {each.page.path for each in rest.results} == {"Guides/Oil", "Home"}
        listed = await service.find(wiki, "tag:animal", mode="hybrid", limit=5)
        assert (listed.mode, [each.page.path for each in listed.results]) == ("keyword", ["Notes/Seal"])


async def test_without_a_model_words_answer(tmp_path: Path) -> None:
    on_disk = make_wiki(tmp_path)
    on_disk.write(PAGES)
    model = WatchedModel()
    model.missing = "no model here"
    service = make_service(model, on_disk)
    async with running(service):
        found = await service.find(on_disk.wiki, "seal", mode="semantic", limit=5)
        assert (found.mode, found.total) == ("keyword", 2)


async def test_a_script_finds_and_asks_why(tmp_path: Path) -> None:
    doors = open_doors(tmp_path)
    await doors.seed({name: text for name, text in PAGES.items() if name != "Old"})
    service = SearchService(doors.contents, {doors.wiki.id: doors.wiki}.get, WatchedModel())
    doors.rest = create_rest_app(
        contents=doors.contents, search=service, domain=DOMAIN, spool=tmp_path, witness=doors.noted
    )
    async with running(service, 60), script(doors) as http:
        service.start_reindex(doors.wiki)
        await settled(service, doors.wiki)
        body = (await http.get("find", params={"q": "seal oil", "limit": 1, "explain": 1})).json()
        assert (body["mode"], body["total"], body["cursor"]) == ("hybrid", 3, "1")
        assert body["weights"] == {"keyword": 0.4, "semantic": 0.6}
        (hit,) = body["results"]
        assert (hit["path"], hit["anchor"], hit["explain"]["keyword"]) == ("Guides/Pump", "seal", 1.0)
        said, weights = hit["explain"], body["weights"]
        joined = weights["keyword"] * said["by_words"] + weights["semantic"] * said["by_meaning"]
        assert hit["score"] == pytest.approx(joined, abs=0.01)
        assert [hit["snippet"][begin:end] for begin, end in hit["highlights"]] == ["Seal", "seal", "oil"]
        rest = (await http.get("find", params={"q": "seal oil", "cursor": "1"})).json()
        assert (len(rest["results"]), "cursor" in rest, "weights" in rest) == (2, False, False)
        assert "explain" not in rest["results"][0]
        await refused(http, "find", 422)
        await refused(http, "find?q=x&mode=magic", 422)
        words = (await http.get("find", params={"q": '"seal" ((', "mode": "keyword"})).json()
        assert (words["mode"], words["total"]) == ("keyword", 2)


async def refused(http: httpx2.AsyncClient, path: str, status: int) -> None:
    assert (await http.get(path)).status_code == status
