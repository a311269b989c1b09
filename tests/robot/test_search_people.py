"""What the search pages of wikis are answered: the service's sections, within what a page and a packet hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from robot.model import Wiki
from robot.search.people import SearchForPeople
from tests.robot.search_wiki import WatchedModel, WikiOnDisk, make_service, make_wiki, running, settled
from wikihost.questions import NoAnswer, Search, Similar
from wikihost.worker_protocol import Find, Found, decode, encode

PAGES = {
    "Guides/Harbour": (
        f"---\ntags: [sea]\n---\n# Harbour\n\n{'The pilot waits. ' * 200}\n\n"
        f"## Crane\n\n{'The crane lifts the load. ' * 60}\n"
    ),
    "Crane": "The crane of the harbour lifts a load.\n",
    "Tea": "Water and leaves.\n",
}


@pytest.fixture
def wiki(tmp_path: Path) -> WikiOnDisk:
    made = make_wiki(tmp_path)
    made.write(PAGES)
    return made


async def test_sections_are_found_and_filtered(wiki: WikiOnDisk) -> None:
    async with running(make_service(WatchedModel(), wiki)) as service:
        answer = SearchForPeople(service, {wiki.wiki.id: wiki.wiki}.get)
        await service.find(wiki.wiki, "crane", limit=1)
        await settled(service, wiki.wiki)
        found = await answer(wiki.wiki.id, Search("crane lifts", 20, tag="sea"))
        assert [(each.page, each.title, each.anchor) for each in found.sections] == [
            ("Guides/Harbour", "Harbour", "crane")
        ]
        assert list(found.sections[0].section_path)[-1:] == ["Crane"]
        assert (found.total, found.note) == (1, "")
        by_words = await answer(wiki.wiki.id, Search("crane", 20, words_only=True, folder="Guides/"))
        assert [each.page for each in by_words.sections] == ["Guides/Harbour"]
        old = await answer(wiki.wiki.id, Search("crane", 20, updated_since="2999-01-01T00:00:00+00:00"))
        assert (list(old.sections), old.total) == ([], 0)
        assert decode(encode(Find(1, Search("crane", 20)))) == Find(1, Search("crane", 20))
        carried = decode(encode(Found(1, found)))
        assert isinstance(carried, Found)
        assert [each.page for each in carried.findings.sections] == ["Guides/Harbour"]


async def test_similar_pages_are_others(wiki: WikiOnDisk) -> None:
    async with running(make_service(WatchedModel(), wiki)) as service:
        answer = SearchForPeople(service, {wiki.wiki.id: wiki.wiki}.get)
        await service.find(wiki.wiki, "crane", limit=1)
        await settled(service, wiki.wiki)
        similar = await answer(wiki.wiki.id, Similar("Crane", 2))
        assert similar.sections[0].page == "Guides/Harbour"
        assert "Crane" not in [each.page for each in similar.sections]
        with pytest.raises(NoAnswer):
            await answer(wiki.wiki.id, Similar("Nowhere", 2))


async def test_what_lacks_is_said(wiki: WikiOnDisk) -> None:
    model = WatchedModel()
    model.missing = "The model is on holiday."
    async with running(make_service(model, wiki)) as service:
        answer = SearchForPeople(service, {wiki.wiki.id: wiki.wiki}.get)
        await answer(wiki.wiki.id, Search("crane", 20))
        await settled(service, wiki.wiki)
        found = await answer(wiki.wiki.id, Search("crane", 20))
        assert [each.page for each in found.sections][:1] == ["Crane"]
        assert found.note
        assert (await answer(wiki.wiki.id, Search("crane", 20, words_only=True))).note == ""


async def test_a_wiki_that_is_gone_has_no_answer(wiki: WikiOnDisk) -> None:
    async with running(make_service(WatchedModel(), wiki)) as service:
        with pytest.raises(NoAnswer):
            await SearchForPeople(service, dict[str, Wiki]().get)(wiki.wiki.id, Search("crane", 20))


async def test_long_titles_and_headings_are_cut(wiki: WikiOnDisk) -> None:
    long = "crane > " * 5_000
    wiki.write({"Long": f"---\ntitle: {long!r}\n---\n## {long}\n\nWalrus.\n"})
    async with running(make_service(WatchedModel(), wiki)) as service:
        answer = SearchForPeople(service, {wiki.wiki.id: wiki.wiki}.get)
        (section,) = (await answer(wiki.wiki.id, Search("walrus", 20))).sections
        assert section.page == "Long"
        assert len(section.title) <= 200
        assert len(section.section_path) <= 6
        assert max(len(heading) for heading in section.section_path) <= 200
