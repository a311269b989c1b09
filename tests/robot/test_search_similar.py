"""Pages like a page, and one question to several wikis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from robot.model import Wiki
from robot.search.confined import ConfinedSearch
from robot.search.finding import everywhere, joining, shelf
from robot.search.finding.ranking import Asked
from robot.search.service import SearchService
from robot.search.values import SimilarAnswer
from tests.robot.search_wiki import WatchedModel, WikiOnDisk, make_service, make_wiki, running, settled
from wikihost.content import Content
from wikihost.errors import OutsideReach, PageNotFound
from wikihost.keyword_syntax import KeywordQuery
from wikihost.keywords import TermCount

PAGES = {
    "Harbour/Crane": "# Crane\n\nThe crane lifts forty tonnes of iron.\n\n## Brake\n\ngrease grease brake",
    "Harbour/Winch": "---\ntags: [iron]\n---\n# Winch\n\nThe winch lifts ten tonnes of iron.",
    "Copy": "# Hoist\n\nThe hoist lifts two tonnes of iron.",
    "Copy of the copy": "# Hoist\n\nThe hoist lifts two tonnes of iron.",
    "Kitchen": "# Bread\n\nflour water salt",
    "Old crane": "---\nredirect: Harbour/Crane\n---\nThe crane lifts forty tonnes of iron.",
}


@pytest.fixture
def wiki(tmp_path: Path) -> Iterator[WikiOnDisk]:
    made = make_wiki(tmp_path)
    made.write(PAGES)
    yield made
    made.contents.close_all()


async def indexed(service: SearchService, *wikis: WikiOnDisk) -> None:
    for each in wikis:
        service.notify(each.wiki.id)
        await settled(service, each.wiki)


def paths(answer: SimilarAnswer) -> list[str]:
    return [each.page.path for each in answer.results]


async def test_similar_pages_are_the_nearest_others_without_redirects_and_copies_of_each_other(
    wiki: WikiOnDisk,
) -> None:
    model = WatchedModel()
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
        model.missing = "no model is needed"
        found = await service.similar(wiki.wiki, "Harbour/Crane", limit=3)
        assert set(paths(found)[:2]) == {"Harbour/Winch", "Copy"}, "its copy says the same"
        assert not {"Harbour/Crane", "Old crane"} & set(paths(found))
        scores = [each.score for each in found.results]
        assert scores == sorted(scores, reverse=True)
        winch = found.results[paths(found).index("Harbour/Winch")]
        assert (winch.page.anchor, winch.section_path, winch.first_line) == ("winch", "Winch", 4)
        assert found.freshness.note is None
        assert paths(await service.similar(wiki.wiki, "Old crane", limit=3)) == paths(found)
        with pytest.raises(PageNotFound):
            await service.similar(wiki.wiki, "No such page")
        inside = await ConfinedSearch(service, "Harbour/").similar(wiki.wiki, "Harbour/Crane")
        assert paths(inside) == ["Harbour/Winch"]
        with pytest.raises(PageNotFound):
            await ConfinedSearch(service, "Harbour/").similar(wiki.wiki, "Kitchen")


async def test_pages_like_one_that_is_not_indexed_have_the_words_of_its_title(wiki: WikiOnDisk) -> None:
    service = make_service(WatchedModel(), wiki)
    found = await service.similar(wiki.wiki, "Harbour/Winch")
    assert set(paths(found)) == {"Harbour/Crane", "Copy"}, "which are about iron, as its tag says"
    assert found.freshness.pages_waiting == 7
    assert found.freshness.note == "7 pages are not yet found by meaning; words find them already."


def second_wiki(root: Path, first: WikiOnDisk) -> WikiOnDisk:
    made = make_wiki(root, "w2")
    return WikiOnDisk(
        made.data, Wiki("w2", "kitchen", "Kitchen", "", first.wiki.visibility, first.wiki.created), first.contents
    )


async def test_one_question_to_several_wikis_has_one_list(tmp_path: Path, wiki: WikiOnDisk) -> None:
    other = second_wiki(tmp_path, wiki)
    other.write({"Salt": "# Salt\n\n## Sea\nsalt comes from the sea"})
    service = make_service(WatchedModel(), wiki, other)
    async with running(service):
        by_words = await service.find_everywhere([wiki.wiki, other.wiki], "sea salt")
        assert [(where.slug, each.page.path) for where, each in by_words.results] == [
            ("kitchen", "Salt"),
            ("notes", "Kitchen"),
        ]
        await indexed(service, wiki, other)
        found = await service.find_everywhere([wiki.wiki, other.wiki], "sea salt", limit=1)
        where, first = found.results[0]
        assert (where.slug, first.page.path) == ("kitchen", "Salt")
        assert (first.page.anchor, first.score, first.by_words, first.by_meaning) == ("sea", 1.0, 1.0, 1.0)
        assert len(found.results) == 1
        assert found.unsearched == []
        alone = await service.find_everywhere([wiki.wiki], "sea salt")
        assert {where.slug for where, _ in alone.results} == {"notes"}
        assert (await service.find_everywhere([wiki.wiki], "([")).results == ()
        assert (await service.find_everywhere([wiki.wiki, other.wiki], "qwfpg")).results == [], (
            "all are near, none enough"
        )
        with pytest.raises(OutsideReach):
            await ConfinedSearch(service, "Harbour/").find_everywhere([wiki.wiki], "salt")


async def test_a_wiki_that_fails_or_is_slow_leaves_the_others(
    tmp_path: Path, wiki: WikiOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = second_wiki(tmp_path, wiki)
    broken.git("update-ref", "-d", "HEAD")
    service = make_service(WatchedModel(), wiki, broken)
    found = await service.find_everywhere([broken.wiki, wiki.wiki], "crane")
    assert [each.page.path for _, each in found.results] == ["Harbour/Crane"]
    assert [where.id for where, _ in found.unsearched] == ["w2"]

    bring = joining.bring

    def fail_in_the_second(content: Content, *asked: Any) -> joining.Brought:
        if content.head() == broken.git("rev-parse", "HEAD"):
            raise RecursionError("a fault of ours")
        return bring(content, *asked)

    broken.write({"Odd": "crane"})
    with monkeypatch.context() as patch:
        patch.setattr(joining, "bring", fail_in_the_second)
        found = await service.find_everywhere([broken.wiki, wiki.wiki], "crane")
    assert [each.page.path for _, each in found.results] == ["Harbour/Crane"]
    assert found.unsearched == [(broken.wiki, everywhere.BROKEN)]

    monkeypatch.setattr(everywhere, "ASKING_S", 0.0)
    late = await service.find_everywhere([wiki.wiki], "crane")
    assert late.unsearched == [(wiki.wiki, everywhere.TOO_SLOW)]


def test_how_rare_a_word_is_is_counted_over_all_wikis() -> None:
    """`port` is on fewer pages of either wiki than `quay` is on in one, and on more of both."""

    def brought(pages: int, name: str, port: TermCount, quay: TermCount) -> joining.Brought:
        return joining.Brought(pages, {name: 1.0}, [port, quay], {}, False, None)

    nowhere = TermCount(0, frozenset())
    wikis = {
        0: brought(50, "Port", TermCount(50, frozenset({"Port"})), nowhere),
        1: brought(100, "Quay", TermCount(40, frozenset()), TermCount(60, frozenset({"Quay"}))),
    }
    pages, _ = joining.join(wikis, Asked(KeywordQuery(), "hybrid", 1.0, 10, "model"))
    assert [page.key for page in pages] == [(1, "Quay"), (0, "Port")]
    assert pages[0].score > pages[1].score > 0


async def test_memory_for_vectors_is_bounded(tmp_path: Path, wiki: WikiOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    other = second_wiki(tmp_path, wiki)
    service = make_service(WatchedModel(), wiki, other)
    async with running(service):
        await indexed(service, wiki, other)
        held = service._shelf
        for each in (wiki, other):
            await service.find(each.wiki, "iron", limit=1)
        assert [each in held for each in ("w1", "w2")] == [True, True]
        monkeypatch.setattr(shelf, "MOST_VECTORS", 2)
        wiki.write({"Anchor": "# Anchor\n\nAn anchor of iron."})
        await indexed(service, wiki)
        await service.find(wiki.wiki, "iron", limit=1)
        assert [each in held for each in ("w1", "w2")] == [True, False]
        assert (await service.find(other.wiki, "welcome", limit=1)).mode == "hybrid", "it is loaded again"
