"""The search service over real wikis: fresh, honest, and never doing work twice."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from robot.search.indexing import steps
from robot.search.model.directory import BUNDLED, bundled_model
from robot.search.model.host import REOPEN_AFTER_S
from robot.search.service import SearchService
from robot.search.values import ReindexRunning, SemanticAnswer
from tests.robot.search_wiki import (
    WatchedModel,
    WikiOnDisk,
    indexed,
    make_service,
    make_wiki,
    running,
    settled,
    until,
    wait_for,
)
from wikihost.content import Content

HARBOUR = {
    "Harbour/Crane": "# Crane\n\nThe crane lifts forty tonnes and rests.\n\n## Brake\n\nGrease the brake weekly.",
    "Harbour/Ferry": "---\ntitle: The ferry\n---\n# Ferry\n\nThe ferry sails at dawn and at dusk.",
    "Tasks": "Paint the lighthouse door.",
}


@pytest.fixture
def wiki(tmp_path: Path) -> Iterator[WikiOnDisk]:
    made = make_wiki(tmp_path)
    made.write(HARBOUR)
    yield made
    made.contents.close_all()


@pytest.fixture
def model() -> WatchedModel:
    return WatchedModel()


def paths(answer: SemanticAnswer) -> list[str]:
    return [passage.path for passage in answer.results]


async def test_finds_the_passage_and_says_where_it_is(wiki: WikiOnDisk, model: WatchedModel) -> None:
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
        answer = await service.query(wiki.wiki, "ferry sails dusk", limit=1)
    (found,) = answer.results
    assert (answer.mode, answer.freshness.head, answer.freshness.indexed_head) == (
        "semantic",
        wiki.git("rev-parse", "HEAD"),
        answer.freshness.head,
    )
    assert (found.path, found.title, found.section, found.anchor) == ("Harbour/Ferry", "The ferry", "Ferry", "ferry")
    assert found.section_path == "The ferry > Ferry"
    assert found.text.startswith("[The ferry > Ferry] # Ferry")
    assert found.snippet == "# Ferry The ferry sails at dawn and at dusk."
    assert 0 < found.distance < 1
    assert (found.chunk_index, found.total_chunks, found.page_word_count) == (0, 1, 10)


async def test_nothing_is_done_before_somebody_asks(wiki: WikiOnDisk, model: WatchedModel) -> None:
    async with running(make_service(model, wiki)) as service:
        await trio.testing.wait_all_tasks_blocked()
        status = await service.status(wiki.wiki)
        assert (status.state, status.pages_total, status.pages_indexed) == ("idle", 4, 0)
    assert model.embedded == []


class OpenedModel(WatchedModel):
    """Tells when it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = threading.Event()

    def open(self) -> OpenedModel:
        self.opened.set()
        return self


async def test_after_a_restart_the_model_is_opened_before_somebody_asks(
    wiki: WikiOnDisk, model: WatchedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robot.search.service.WARM_UP_AFTER_S", 0.0)
    unused, used = OpenedModel(), OpenedModel()
    async with running(make_service(unused, wiki)):
        await trio.testing.wait_all_tasks_blocked(0.05)
    assert not unused.opened.is_set()  # nobody ever searched here
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
    async with running(make_service(used, wiki)):
        await wait_for(used.opened)


async def test_first_query_answers_by_keywords_and_starts_the_index(wiki: WikiOnDisk, model: WatchedModel) -> None:
    async with running(make_service(model, wiki)) as service:
        first = await service.query(wiki.wiki, "lighthouse")
        assert (first.mode, paths(first), first.freshness.indexed_head) == ("lexical", ["Tasks"], None)
        assert first.results[0].page_word_count == 4
        await settled(service, wiki.wiki)
        assert (await service.query(wiki.wiki, "lighthouse")).mode == "semantic"


async def test_saved_page_is_found_and_answers_say_what_is_missing(wiki: WikiOnDisk, model: WatchedModel) -> None:
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
        head = wiki.write({"Tides": "High tide at noon, low tide at six."})
        behind = await service.query(wiki.wiki, "tide noon")
        assert behind.freshness.head == head != behind.freshness.indexed_head
        await settled(service, wiki.wiki)  # the query itself noticed that the head moved
        fresh = await service.query(wiki.wiki, "tide noon", limit=1)
    assert paths(fresh) == ["Tides"]
    assert fresh.freshness.indexed_head == head


async def test_deleted_page_is_gone_at_once(wiki: WikiOnDisk, model: WatchedModel) -> None:
    service = make_service(model, wiki)
    async with running(service):
        await indexed(service, wiki)
        assert "Tasks" in paths(await service.query(wiki.wiki, "lighthouse door"))
    wiki.delete("Tasks")  # while nothing indexes any more
    assert "Tasks" not in paths(await service.query(wiki.wiki, "lighthouse door"))


async def test_renamed_reverted_and_moved_text_is_never_embedded_twice(wiki: WikiOnDisk, model: WatchedModel) -> None:
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
        before = len(model.embedded)
        wiki.rename("Harbour/Crane", "Archive/Old crane")
        wiki.rename("Harbour/Ferry", "Ferry")
        await indexed(service, wiki)
        assert len(model.embedded) == before
        answer = await service.query(wiki.wiki, "crane forty tonnes", limit=1)
        assert paths(answer) == ["Archive/Old crane"]

        wiki.write({"Ferry": "Nothing sails today."})
        await indexed(service, wiki)
        wiki.write({"Ferry": HARBOUR["Harbour/Ferry"]})
        await indexed(service, wiki)
        assert len(model.embedded) == before + 1


async def test_restart_and_reindex_embed_nothing_again(wiki: WikiOnDisk, model: WatchedModel) -> None:
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
    before = len(model.embedded)
    async with running(make_service(model, wiki)) as service:
        status = await service.status(wiki.wiki)
        assert (status.state, status.pages_indexed, status.indexed_head) == ("complete", 4, status.head)
        service.start_reindex(wiki.wiki)
        assert (await settled(service, wiki.wiki)).state == "complete"
        assert len((await service.query(wiki.wiki, "ferry")).results) == 4
    assert len(model.embedded) == before


async def test_lost_catalog_costs_no_embedding(wiki: WikiOnDisk, model: WatchedModel) -> None:
    service = make_service(model, wiki)
    async with running(service):
        await indexed(service, wiki)
        before = len(model.embedded)
        expected = await service.query(wiki.wiki, "crane")
        await wiki.contents.run(wiki.wiki, lambda content: content.catalog.write(forget_pages))
        assert (await service.status(wiki.wiki)).indexed_head is None
        assert (await service.query(wiki.wiki, "crane")).freshness.indexed_head is None
        await settled(service, wiki.wiki)
        assert (await service.query(wiki.wiki, "crane")).results == expected.results
    assert len(model.embedded) == before


def forget_pages(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM chunk")
    db.execute("UPDATE page SET chunked_blob = NULL")


async def test_second_reindex_is_refused_while_the_first_runs(wiki: WikiOnDisk, model: WatchedModel) -> None:
    model.stop_before = 1
    async with running(make_service(model, wiki)) as service:
        service.start_reindex(wiki.wiki)
        with pytest.raises(ReindexRunning):
            service.start_reindex(wiki.wiki)
        assert (await service.status(wiki.wiki)).state == "in_progress"
        await wait_for(model.stopped)
        halfway = await service.status(wiki.wiki)
        assert (halfway.state, halfway.pages_total) == ("in_progress", 4)
        assert halfway.pages_indexed < 4
        assert halfway.started_at is not None
        model.go.set()
        done = await settled(service, wiki.wiki)
        assert (done.state, done.pages_indexed, done.chunks_indexed) == ("complete", 4, done.chunks_total)
        assert done.completed_at is not None
        service.start_reindex(wiki.wiki)
        await settled(service, wiki.wiki)


async def test_reindex_that_is_cancelled_stops_after_the_passage_at_hand(wiki: WikiOnDisk, model: WatchedModel) -> None:
    model.stop_before = 0
    async with running(make_service(model, wiki)) as service:
        assert not service.cancel_reindex(wiki.wiki)
        service.start_reindex(wiki.wiki)
        await wait_for(model.stopped)
        assert service.cancel_reindex(wiki.wiki)
        assert not service.cancel_reindex(wiki.wiki)
        model.stop_before = None
        model.go.set()
        stopped = await settled(service, wiki.wiki)
        assert (stopped.state, stopped.error_message, len(model.embedded)) == ("idle", None, 1)
        service.notify(wiki.wiki.id)
        assert (await settled(service, wiki.wiki)).state == "complete"
        service.start_reindex(wiki.wiki)
        assert service.cancel_reindex(wiki.wiki)
        service.start_reindex(wiki.wiki)
        assert (await settled(service, wiki.wiki)).state == "complete"


async def test_pass_that_ends_while_the_status_is_read_does_not_look_stopped(
    wiki: WikiOnDisk, model: WatchedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.stop_before = 0
    async with running(make_service(model, wiki)) as service:
        service.notify(wiki.wiki.id)
        await wait_for(model.stopped)
        read = wiki.contents.run

        async def read_and_wait_for_the_end(*arguments: Any) -> Any:
            monkeypatch.setattr(wiki.contents, "run", read)
            counts = await read(*arguments)
            model.go.set()
            await settled(service, wiki.wiki)
            return counts

        monkeypatch.setattr(wiki.contents, "run", read_and_wait_for_the_end)
        assert (await service.status(wiki.wiki)).state == "in_progress"
        assert (await service.status(wiki.wiki)).state == "complete"


async def test_cancelled_in_the_middle_goes_on_where_it_was(wiki: WikiOnDisk, model: WatchedModel) -> None:
    model.stop_before = 2
    async with running(make_service(model, wiki)) as service:
        service.notify(wiki.wiki.id)
        await wait_for(model.stopped)
        model.go.set()  # and the service is left with this passage in hand
    assert len(model.embedded) == 3
    model.stop_before = None
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
        resumed = await service.query(wiki.wiki, "crane ferry lighthouse", limit=4)
    assert len(model.embedded) <= 5  # four passages, of which one was in hand

    wiki.data.wiki(wiki.wiki.id).catalog_db.unlink()
    fresh = WatchedModel()
    async with running(make_service(fresh, wiki)) as service:
        await indexed(service, wiki)
        assert len(fresh.embedded) == 4
        assert (await service.query(wiki.wiki, "crane ferry lighthouse", limit=4)).results == resumed.results


async def test_edit_during_indexing_is_in_the_result(wiki: WikiOnDisk, model: WatchedModel) -> None:
    model.stop_before = 0
    async with running(make_service(model, wiki)) as service:
        service.notify(wiki.wiki.id)
        await wait_for(model.stopped)
        wiki.write({"Harbour/Crane": "# Crane\n\nThe crane was sold for scrap.", "Home": "# Home\n\nMoved."})
        wiki.delete("Tasks")
        service.notify(wiki.wiki.id)
        model.stop_before = None
        model.go.set()
        status = await settled(service, wiki.wiki)
        assert (status.state, status.indexed_head) == ("complete", wiki.git("rev-parse", "HEAD"))
        answer = await service.query(wiki.wiki, "crane scrap moved", limit=10)
    assert "sold for scrap" in answer.results[0].text
    assert sorted(paths(answer)) == ["Harbour/Crane", "Harbour/Ferry", "Home"]


async def test_big_wiki_does_not_hold_up_a_small_one(tmp_path: Path, model: WatchedModel) -> None:
    big, small = make_wiki(tmp_path, "big"), make_wiki(tmp_path, "small")
    big.write({f"Page {number}": f"# Page {number}\n\nabout {number}" for number in range(40)})
    model.stop_before = 1
    async with running(make_service(model, big, small)) as service:
        service.notify(big.wiki.id)
        await wait_for(model.stopped)
        service.notify(small.wiki.id)
        model.stop_before = None
        model.go.set()
        await settled(service, small.wiki)
        assert len(model.embedded) < 20
    big.contents.close_all()


async def test_wiki_that_cannot_be_indexed_does_not_hold_up_others(
    tmp_path: Path, model: WatchedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with it: here a fault of ours that nobody foresaw."""
    odd, sound = make_wiki(tmp_path, "odd"), make_wiki(tmp_path, "sound")

    def survey(content: Content, *arguments: Any) -> steps.Survey:
        if content.head() == odd.git("rev-parse", "HEAD"):
            raise RecursionError("too deep")
        return look(content, *arguments)

    odd.write({"Odd": "odd"})
    look = steps.survey
    monkeypatch.setattr(steps, "survey", survey)
    async with running(make_service(model, odd, sound)) as service:
        service.notify(odd.wiki.id)
        assert (
            await settled(service, odd.wiki)
        ).error_message == "Something broke here (RecursionError); it has been recorded."
        service.notify(sound.wiki.id)
        assert (await settled(service, sound.wiki)).state == "complete"
    odd.contents.close_all()


async def test_no_model_means_keywords_and_an_error_that_says_so(wiki: WikiOnDisk, model: WatchedModel) -> None:
    model.missing = "The embedding model is not installed."
    async with running(make_service(model, wiki)) as service:
        answer = await service.query(wiki.wiki, "lighthouse")
        assert (answer.mode, paths(answer)) == ("lexical", ["Tasks"])
        status = await settled(service, wiki.wiki)
        assert (status.state, status.error_message, status.model) == ("error", model.missing, None)


async def test_damaged_model_file_means_keywords(wiki: WikiOnDisk, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\0" * 1000)
    shutil.copy(BUNDLED / "tokenizer.json", tmp_path)
    async with running(make_service(bundled_model(tmp_path), wiki)) as service:
        assert paths(await service.query(wiki.wiki, "lighthouse")) == ["Tasks"]
        status = await settled(service, wiki.wiki)
    assert status.state == "error"
    assert "damaged" in (status.error_message or "")


async def test_model_that_comes_back_is_used(
    wiki: WikiOnDisk, model: WatchedModel, mock_clock: trio.testing.MockClock
) -> None:
    mock_clock.rate = 1
    model.missing = "gone"
    async with running(make_service(model, wiki), deadline_s=300) as service:
        service.notify(wiki.wiki.id)
        assert (await until(lambda: service.status(wiki.wiki), lambda status: status.state == "error")).error_message
        model.missing = None
        mock_clock.jump(2 * REOPEN_AFTER_S)
        status = await until(lambda: service.status(wiki.wiki), lambda status: status.state == "complete")
        assert status.model == model.model_id
        assert status.error_message is None


async def test_one_bad_page_is_named_and_the_rest_is_found(wiki: WikiOnDisk, model: WatchedModel) -> None:
    model.poison = "lighthouse"
    async with running(make_service(model, wiki)) as service:
        service.notify(wiki.wiki.id)
        status = await until(lambda: service.status(wiki.wiki), lambda status: status.error_message is not None)
        assert (status.state, status.pages_indexed, status.error_message) == ("error", 3, "poisoned")
        assert paths(await service.query(wiki.wiki, "ferry sails", limit=1)) == ["Harbour/Ferry"]
        wiki.write({"Tasks": "Paint the door."})
        service.start_reindex(wiki.wiki)
        assert (await settled(service, wiki.wiki)).state == "complete"


async def test_another_model_embeds_everything_again(wiki: WikiOnDisk, model: WatchedModel) -> None:
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
    other = WatchedModel("watched/2")
    async with running(make_service(other, wiki)) as service:
        assert (await service.status(wiki.wiki)).state == "idle"
        await indexed(service, wiki)
    assert sorted(other.embedded) == sorted(model.embedded)


async def test_change_of_model_taken_back_half_way_costs_nothing(wiki: WikiOnDisk, model: WatchedModel) -> None:
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
    other = WatchedModel("watched/2")
    other.poison = "lighthouse"
    async with running(make_service(other, wiki)) as service:
        service.notify(wiki.wiki.id)
        await until(lambda: service.status(wiki.wiki), lambda status: status.state == "error")
    assert other.embedded
    back = WatchedModel(model.model_id)
    async with running(make_service(back, wiki)) as service:
        await indexed(service, wiki)
        assert paths(await service.query(wiki.wiki, "ferry sails", limit=1)) == ["Harbour/Ferry"]
    assert back.embedded == []


async def test_one_long_page_does_not_starve_the_others(wiki: WikiOnDisk, model: WatchedModel) -> None:
    sections = "\n\n".join(f"## Part {number}\n\n{'anchor chain ' * 45}{number}" for number in range(60))
    wiki.write({"Chains": sections} | {f"Note {number}": f"# Note {number}\n\nanchor {number}" for number in range(6)})
    async with running(make_service(model, wiki)) as service:
        await indexed(service, wiki)
        answer = await service.query(wiki.wiki, "anchor chain", limit=5)
        assert len(answer.results) == len(set(paths(answer))) == 5
        everything = await service.query(wiki.wiki, "anchor chain", limit=50, max_chunks_per_page=3)
    assert paths(everything).count("Chains") == 3
    distances = [passage.distance for passage in everything.results]
    assert distances == sorted(distances)


@pytest.mark.parametrize(
    "text", ["", "   ", "\0", "([", "😀😀", "x" * 10_000, "word " * 2_000, '"a AND', "lone \ud800x", "漢字"]
)
async def test_any_query_is_answered(wiki: WikiOnDisk, model: WatchedModel, text: str) -> None:
    async with running(make_service(model, wiki)) as service:
        by_keywords = await service.query(wiki.wiki, text)
        await indexed(service, wiki)
        by_meaning = await service.query(wiki.wiki, text)
    nothing_asked = not text.replace("\0", "").strip()
    assert by_meaning.mode == "semantic"
    assert (not by_meaning.results) is nothing_asked
    assert by_keywords.freshness.head == by_meaning.freshness.head


async def test_wiki_deleted_while_waiting_is_forgotten(wiki: WikiOnDisk, model: WatchedModel) -> None:
    service = SearchService(wiki.contents, lambda wiki_id: None, model)
    async with running(service):
        service.notify("w1")
        service.notify("no-such-wiki")
        assert (await settled(service, wiki.wiki)).state == "idle"
    assert model.embedded == []


async def test_real_model_finds_by_meaning(wiki: WikiOnDisk) -> None:
    async with running(make_service(bundled_model(), wiki)) as service:
        await indexed(service, wiki)
        answer = await service.query(wiki.wiki, "when does the boat leave in the morning?", limit=1)
        assert paths(answer) == ["Harbour/Ferry"]
        status = await service.status(wiki.wiki)
    assert status.model is not None
    assert status.model.startswith("all-minilm-l6-v2/")
