"""After any history, and after any damage, the index is what a new one would be."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import get_args

import pytest

from robot.search.values import FindMode
from tests.robot.search_wiki import (
    WatchedModel,
    WikiOnDisk,
    indexed,
    make_service,
    make_wiki,
    new_rows,
    rows,
    running,
    settled,
    until,
    wait_for,
)
from wikihost.content import Content
from wikihost.values import Author

ADA = Author("Ada", "ada@robot.test")
ROUNDS = 10
PUSHED = 90  # changes in each commit that is made behind robot's back
WRITTEN = 10  # by robot itself


@pytest.fixture
def wiki(tmp_path: Path) -> Iterator[WikiOnDisk]:
    made = make_wiki(tmp_path)
    yield made
    made.contents.close_all()


@pytest.fixture
def model() -> WatchedModel:
    return WatchedModel()


def a_text(chance: random.Random) -> str:
    parts = [f"## Part {chance.randrange(6)}\n\nrope {chance.randrange(9)} " * chance.randint(1, 3)]
    parts += [f"| a | b |\n|---|---|\n| {chance.randrange(9)} | 2 |"] * chance.randint(0, 1)
    parts += ["quay " * chance.choice([5, 150])] * chance.randint(0, 2)
    front = "---\ntitle: Given\n---\n" if chance.random() < 0.2 else ""
    return front + "\n\n".join(parts)


def a_name(chance: random.Random) -> str:
    return f"{chance.choice(['', 'Pier/', 'Pier/Old/'])}Page {chance.randrange(30)}"


def push(wiki: WikiOnDisk, chance: random.Random) -> None:
    """Many changes in one commit, as a push or an import brings them."""
    for _ in range(PUSHED):
        file = wiki.repo / f"{a_name(chance)}.md"
        if file.exists() and chance.random() < 0.3:
            file.unlink()
        elif file.exists() and chance.random() < 0.3:
            file.rename(wiki.repo / f"Moved {chance.randrange(9)}.md")
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(a_text(chance), "utf-8")
    wiki.write({})


def change(chance: random.Random, content: Content) -> None:
    """One change by robot."""
    names = content.page_names()
    name = chance.choice(names)
    base = content.read_page(name, follow_redirect=False).revision
    match chance.randrange(4):
        case 0 if len(names) > 1:
            content.delete_page(name, author=ADA)
        case 1:
            content.rename_page(name, f"New {chance.randrange(10**6)}", redirect=chance.random() < 0.5, author=ADA)
        case _:
            content.write_page(name, a_text(chance), base=base, author=ADA, follow_redirect=False)


async def test_index_is_the_truth_after_a_thousand_edits(wiki: WikiOnDisk, model: WatchedModel) -> None:
    chance = random.Random(5)
    for _ in range(ROUNDS):
        async with running(make_service(model, wiki)) as service:  # it is left in the middle of its work, or not
            push(wiki, chance)
            service.notify(wiki.wiki.id)
            for _ in range(WRITTEN):
                await wiki.contents.change(wiki.wiki, partial(change, chance))
                service.notify(wiki.wiki.id)
            if chance.random() < 0.5:
                await settled(service, wiki.wiki)
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
        service.start_reindex(wiki.wiki)
        assert (await settled(service, wiki.wiki)).state == "complete"
    found = await rows(wiki)
    assert len(found) > 30
    assert len(model.embedded) == len(set(model.embedded))
    assert found == await new_rows(wiki)


DAMAGE = {
    "flipped": "UPDATE vector SET data = CAST(x'ffff' || substr(data, 3) AS BLOB) WHERE hash = ?",
    "cut": "UPDATE vector SET data = substr(data, 1, 7) WHERE hash = ?",
    "longer": "UPDATE vector SET data = CAST(data || data AS BLOB) WHERE hash = ?",
    "text": "UPDATE vector SET data = data || data WHERE hash = ?",
    "empty": "UPDATE vector SET data = x'' WHERE hash = ?",
    "zeros": "UPDATE vector SET data = zeroblob(length(data)) WHERE hash = ?",
}


def damage(statement: str) -> Callable[[Content], None]:
    """Do it to a third of the vectors."""

    def work(db: sqlite3.Connection) -> None:
        hashes = [row[0] for row in db.execute("SELECT hash FROM vector ORDER BY hash")]
        for digest in hashes[::3]:
            db.execute(statement, (digest,))

    return lambda content: content.catalog.write(work)


@pytest.mark.parametrize("statement", DAMAGE.values(), ids=DAMAGE)
async def test_damaged_vectors_are_noticed_by_a_search_and_made_again(
    wiki: WikiOnDisk, model: WatchedModel, statement: str
) -> None:
    wiki.write({f"Page {number}": f"# Rope {number}\n\nrope of {number} strands" for number in range(8)})
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
    expected = await rows(wiki)
    await wiki.contents.run(wiki.wiki, damage(statement))
    before = len(model.embedded)
    async with running(make_service(model, wiki)) as service:
        answer = await service.query(wiki.wiki, "rope of strands", limit=20)
        assert 0 < len(answer.results) < 9  # what is left
        await until(lambda: service.status(wiki.wiki), lambda status: len(model.embedded) == before + 3)
        assert (await settled(service, wiki.wiki)).state == "complete"
        assert len((await service.query(wiki.wiki, "rope of strands", limit=20)).results) == 9
    assert await rows(wiki) == expected


async def test_reindex_mends_whatever_is_not_as_it_was_stored(wiki: WikiOnDisk, model: WatchedModel) -> None:
    wiki.write({f"Page {number}": f"# Rope {number}\n\nrope of {number} strands" for number in range(8)})

    def spoil(db: sqlite3.Connection) -> None:
        db.execute("UPDATE chunk SET text = 'something else' WHERE page_id = 2")
        db.execute("UPDATE chunk SET anchor = 'nowhere', first_line = 7 WHERE page_id = 3")
        db.execute("DELETE FROM chunk WHERE page_id = 4")
        db.execute("UPDATE vector SET data = zeroblob(8)")  # all of them of one length, as another model's

    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
        expected = await rows(wiki)
        await wiki.contents.run(wiki.wiki, lambda content: content.catalog.write(spoil))
        await service.query(wiki.wiki, "rope")  # no crash
        service.start_reindex(wiki.wiki)
        assert (await settled(service, wiki.wiki)).state == "complete"
    assert await rows(wiki) == expected
    assert expected == await new_rows(wiki)


async def test_unchanged_wiki_is_not_done_again_by_a_reindex(
    wiki: WikiOnDisk, model: WatchedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    wiki.write({f"Page {number}": f"# Rope {number}" for number in range(8)})
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
        monkeypatch.setattr(model, "count_tokens", None)  # nothing is cut
        monkeypatch.setattr(model, "embed_passages", None)
        service.start_reindex(wiki.wiki)
        assert (await settled(service, wiki.wiki)).state == "complete"


async def test_old_name_never_appears_again(wiki: WikiOnDisk, model: WatchedModel) -> None:
    wiki.write({"Old": "mooring rope of hemp", "Gone": "mooring rope of steel"})
    rename = partial(Content.rename_page, old="Old", new="New", redirect=True, author=ADA)
    delete = partial(Content.delete_page, name="Gone", author=ADA)
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
        for work in (rename, delete):
            await wiki.contents.run(wiki.wiki, work)  # nothing is told of it
        for _ in range(2):
            found = (await service.query(wiki.wiki, "mooring rope", limit=50)).results
            assert not {"Old", "Gone"} & {passage.path for passage in found}
            both = (await service.find(wiki.wiki, "mooring rope", mode="hybrid", limit=50)).results
            assert not {"Old", "Gone"} & {finding.page.path for finding in both}
            await indexed(service, wiki)
        assert "New" in {passage.path for passage in found}


async def test_old_name_stays_away_when_the_renamed_page_is_deleted(wiki: WikiOnDisk, model: WatchedModel) -> None:
    wiki.write({"Old": "mooring rope", "Lost": "---\nredirect: Nowhere\n---\nmooring rope is now by the pier"})
    steps = (
        partial(Content.rename_page, old="Old", new="New", redirect=True, author=ADA),
        partial(Content.delete_page, name="New", author=ADA),
    )
    async with running(make_service(model, wiki)) as service:
        for step in steps:
            await wiki.contents.run(wiki.wiki, step)
        await indexed(service, wiki)
        for text in ("this page is now new", "Old", "redirect"):
            found = [each.path for each in (await service.query(wiki.wiki, text, limit=50)).results]
            for mode in get_args(FindMode):
                answer = await service.find(wiki.wiki, text, mode=mode, limit=50)
                found += [each.page.path for each in answer.results]
            found += [each.page.path for _, each in (await service.find_everywhere([wiki.wiki], text)).results]
            found += [each.page.path for each in (await service.similar(wiki.wiki, "Lost", limit=50)).results]
            assert not {"Old", "New"} & set(found)
        # What a person wrote is a page, wherever it leads.
        for mode in get_args(FindMode):
            answer = await service.find(wiki.wiki, "mooring pier", mode=mode, limit=50)
            assert "Lost" in [each.page.path for each in answer.results]


async def test_vector_that_is_lost_while_its_page_is_embedded_is_made_again(
    wiki: WikiOnDisk, model: WatchedModel
) -> None:
    kept = "rope " * 190
    wiki.write({"Tides": f"# Tides\n\n{kept}"})
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
        wiki.write({"Tides": f"# Tides\n\n{kept}\n\n## New\n\n{'chain ' * 190}"})
        model.stop_before = len(model.embedded)
        service.notify(wiki.wiki.id)
        await wait_for(model.stopped)
        await wiki.contents.run(
            wiki.wiki, lambda content: content.catalog.write(lambda db: db.execute("DELETE FROM vector"))
        )
        model.stop_before = None
        model.go.set()
        assert (await settled(service, wiki.wiki)).state == "complete"
        stored = [vector for path, *_, vector in await rows(wiki) if path == "Tides"]
        assert len(stored) > 1
        assert None not in stored
        service.start_reindex(wiki.wiki)
        await settled(service, wiki.wiki)
    assert await rows(wiki) == await new_rows(wiki)
