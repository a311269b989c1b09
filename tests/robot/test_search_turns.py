"""Whose turn it is while wikis are indexed: edits first, long pages in parts, and what a restart goes on with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from robot.search.finding.shelf import IDLE_S
from robot.search.indexing import run_record
from robot.search.indexing.page_work import PASSAGES_PER_TURN
from robot.search.indexing.workload import EDITS_AT_ONCE, Workload
from robot.search.service import SearchService
from robot.search.values import ReindexRunning
from tests.robot.search_wiki import (
    DEADLINE_S,
    WatchedModel,
    WikiOnDisk,
    indexed,
    make_service,
    make_wiki,
    running,
    settled,
    wait_for,
)
from wikihost.passages import PendingPage

LONG = "\n\n".join(f"## Part {number}\n\n{'anchor chain ' * 45}{number}" for number in range(60))
MANY = {f"Page {number}": f"# Page {number}\n\nharbour {number}" for number in range(EDITS_AT_ONCE + 8)}


@pytest.fixture
def model() -> WatchedModel:
    return WatchedModel()


@pytest.fixture
def big(tmp_path: Path) -> Iterator[WikiOnDisk]:
    made = make_wiki(tmp_path, "big")
    yield made
    made.contents.close_all()


@pytest.fixture
def small(tmp_path: Path) -> WikiOnDisk:
    made = make_wiki(tmp_path, "small")
    made.write({"Home": "high water"})
    return made


def a_page(number: int, blob: str = "a") -> PendingPage:
    return PendingPage(number, f"Page {number}", f"Page {number}", True, blob)


def position(model: WatchedModel, text: str) -> int:
    """How many passages were embedded before that with this text."""
    return next(at for at, embedded in enumerate(model.embedded) if text in embedded)


def taken(work: Workload) -> list[int]:
    found = []
    while work:
        found.append(work.first.id)
        work.done(work.first)
    return found


def test_edits_go_before_the_backfill_and_an_edited_page_of_it_becomes_one() -> None:
    work = Workload()
    pages = [a_page(number) for number in range(EDITS_AT_ONCE + 1)]
    work.take_stock(pages)
    assert not work.has_edits
    edited = [a_page(7, "b"), a_page(1_000)]
    work.take_stock([*edited, *(page for page in pages if page.id != 7)])
    assert work.has_edits
    assert taken(work) == [7, 1_000, *(page.id for page in pages if page.id != 7)]


def test_what_is_not_pending_any_more_is_not_worked_on() -> None:
    work = Workload()
    work.take_stock([a_page(1), a_page(2)])
    assert a_page(2) in work
    work.take_stock([a_page(1)])
    assert taken(work) == [1]


async def test_edit_does_not_wait_for_another_wikis_long_page(
    big: WikiOnDisk, small: WikiOnDisk, model: WatchedModel
) -> None:
    big.write(MANY)  # with these it is no edit
    big.write({"Page 0": LONG})
    model.stop_before = 2
    async with running(make_service(model, big, small)) as service:
        service.notify(big.wiki.id)
        await wait_for(model.stopped)
        service.notify(small.wiki.id)
        model.stop_before = None
        model.go.set()
        await settled(service, small.wiki)
    assert position(model, "high water") == 3  # one was in hand


async def test_edit_does_not_wait_for_its_own_wikis_backfill(big: WikiOnDisk, model: WatchedModel) -> None:
    big.write(MANY)
    model.stop_before = 2
    async with running(make_service(model, big)) as service:
        service.notify(big.wiki.id)
        await wait_for(model.stopped)
        big.write({"Home": "The ferry moved."})
        service.notify(big.wiki.id)
        model.stop_before = None
        model.go.set()
        await settled(service, big.wiki)
    assert position(model, "ferry moved") == 3  # one was in hand
    assert len(model.embedded) == len(set(model.embedded))


async def test_long_page_that_is_an_edit_too_has_turns(big: WikiOnDisk, small: WikiOnDisk, model: WatchedModel) -> None:
    big.write({"Chains": LONG})
    model.stop_before = 2
    async with running(make_service(model, big, small)) as service:
        service.notify(big.wiki.id)
        await wait_for(model.stopped)
        service.notify(small.wiki.id)
        model.stop_before = None
        model.go.set()
        await settled(service, big.wiki)
    assert position(model, "high water") <= 2 * PASSAGES_PER_TURN
    assert len(model.embedded) == len(set(model.embedded))


async def test_cancel_takes_effect_within_a_long_page(big: WikiOnDisk, model: WatchedModel) -> None:
    big.write({"Chains": LONG})
    model.stop_before = 4
    async with running(make_service(model, big)) as service:
        service.start_reindex(big.wiki)
        await wait_for(model.stopped)
        assert service.cancel_reindex(big.wiki)
        model.stop_before = None
        model.go.set()
        assert (await settled(service, big.wiki)).state == "idle"
        assert len(model.embedded) == 5  # with the one in hand
        service.notify(big.wiki.id)
        assert (await settled(service, big.wiki)).state == "complete"
    assert len(model.embedded) == len(set(model.embedded))  # what was embedded before was kept


async def test_stop_does_not_wait_until_a_long_page_is_cut(big: WikiOnDisk, model: WatchedModel) -> None:
    big.write({"Long": "anchor " * 5_000})
    model.stop_before_counting = True
    async with trio.open_nursery() as nursery:
        service = make_service(model, big)
        await nursery.start(service.run)
        service.notify(big.wiki.id)
        await wait_for(model.stopped)
        nursery.cancel_scope.cancel()
        model.go.set()
    assert model.counted == 1


async def test_cancel_forgets_no_edit(big: WikiOnDisk, small: WikiOnDisk, model: WatchedModel) -> None:
    await index(make_service(model, small), small)
    big.write({"Chains": LONG})
    model.stop_before = len(model.embedded)
    async with running(make_service(model, big, small)) as service:
        service.notify(big.wiki.id)
        await wait_for(model.stopped)
        small.write({"Home": "low water"})
        service.notify(small.wiki.id)
        service.start_reindex(small.wiki)
        assert service.cancel_reindex(small.wiki)
        model.stop_before = None
        model.go.set()
        await settled(service, big.wiki)
        status = await settled(service, small.wiki)
    assert (status.state, status.pages_indexed) == ("complete", 1)
    assert any("low water" in text for text in model.embedded)


@pytest.mark.parametrize("is_edited", [False, True])
async def test_cancelled_reindex_does_not_seem_to_begin_again(
    big: WikiOnDisk, small: WikiOnDisk, model: WatchedModel, is_edited: bool
) -> None:
    """Where there is nothing else to do it is over at once; else the status says so until that is done."""
    await index(make_service(model, small), small)
    big.write(MANY)
    model.stop_before = len(model.embedded)
    told = []
    async with running(make_service(model, big, small)) as service:
        service.notify(big.wiki.id)
        await wait_for(model.stopped)
        if is_edited:
            small.write({"Home": "low water"})
            service.notify(small.wiki.id)
        service.start_reindex(small.wiki)
        assert service.cancel_reindex(small.wiki)
        model.stop_before = None
        model.go.set()
        while service.is_indexing(big.wiki):
            told.append(service.is_indexing(small.wiki))
            await trio.lowlevel.checkpoint()
    assert told[0] == is_edited
    assert told == sorted(told, reverse=True)


async def test_reindex_that_was_interrupted_goes_on_by_itself(big: WikiOnDisk, model: WatchedModel) -> None:
    big.write(MANY)
    model.stop_before = 4
    async with running(make_service(model, big)) as service:
        service.start_reindex(big.wiki)
        await wait_for(model.stopped)
        started = (await service.status(big.wiki)).started_at
        model.go.set()
    model.stop_before = None
    async with running(make_service(model, big)) as service:
        with pytest.raises(ReindexRunning):
            service.start_reindex(big.wiki)
        assert (await service.status(big.wiki)).started_at == started
        assert (await settled(service, big.wiki)).state == "complete"
        service.start_reindex(big.wiki)
        await settled(service, big.wiki)


async def test_reindex_that_was_asked_for_is_on_disk_before_its_turn_comes(
    big: WikiOnDisk, small: WikiOnDisk, model: WatchedModel
) -> None:
    """Whoever was told that it has begun need not ask again after a crash."""
    await index(make_service(model, small), small)
    big.write(MANY)
    model.stop_before = len(model.embedded)
    async with running(make_service(model, big, small)) as service:
        service.notify(big.wiki.id)
        await wait_for(model.stopped)
        service.start_reindex(small.wiki)
        try:
            with trio.fail_after(DEADLINE_S / 2):
                while not run_record.find_all(small.data)[small.wiki.id].asked_for:  # noqa: ASYNC110  (nothing announces it)
                    await trio.sleep(0.005)
        finally:
            model.go.set()


async def test_reindex_that_was_asked_for_during_another_pass_goes_on_too(big: WikiOnDisk, model: WatchedModel) -> None:
    big.write(MANY)
    model.stop_before = 2
    async with running(make_service(model, big)) as service:
        service.notify(big.wiki.id)
        await wait_for(model.stopped)
        service.start_reindex(big.wiki)
        model.stopped.clear()
        model.stop_before = 5
        model.go.set()
        model.go.clear()
        await wait_for(model.stopped)
        model.go.set()
    async with running(make_service(model, big)) as service:
        with pytest.raises(ReindexRunning):
            service.start_reindex(big.wiki)


async def test_cancelled_reindex_does_not_come_back_after_a_restart(big: WikiOnDisk, model: WatchedModel) -> None:
    model.stop_before = 0
    big.write(MANY)
    async with running(make_service(model, big)) as service:
        service.start_reindex(big.wiki)
        await wait_for(model.stopped)
        service.cancel_reindex(big.wiki)
        model.stop_before = None
        model.go.set()
        await settled(service, big.wiki)
    async with running(make_service(model, big)) as service:
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert (await service.status(big.wiki)).state == "idle"
    assert len(model.embedded) == 1


async def test_edit_that_was_interrupted_is_found_after_a_restart(big: WikiOnDisk, model: WatchedModel) -> None:
    await index(make_service(model, big), big)
    big.write({"Tides": LONG})
    model.stop_before = len(model.embedded) + 20
    async with running(make_service(model, big)) as service:
        service.notify(big.wiki.id)
        await wait_for(model.stopped)
        model.go.set()
    model.stop_before = None
    async with running(make_service(model, big)) as service:
        assert (await settled(service, big.wiki)).state == "complete"


async def test_times_and_errors_outlive_a_restart(big: WikiOnDisk, model: WatchedModel) -> None:
    await index(make_service(model, big), big)
    before = await make_service(model, big).status(big.wiki)
    async with running(make_service(model, big)) as service:
        after = await service.status(big.wiki)
    assert after.completed_at is not None
    assert before.completed_at is None  # it had not run
    assert after.state == "complete"

    model.poison = "sour"
    big.write({"Cream": "sour"})
    async with running(make_service(model, big)) as service:
        service.notify(big.wiki.id)
        assert (await settled(service, big.wiki)).error_message == "poisoned"
        assert (await service.status(big.wiki)).indexed_head == after.head
    model.poison = None
    async with running(make_service(model, big)) as service:
        assert (await settled(service, big.wiki)).state == "complete"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"model": 1, "started_at": "noon", "completed_at": null}'])
async def test_damaged_record_is_as_none(big: WikiOnDisk, model: WatchedModel, text: str) -> None:
    big.data.wiki(big.wiki.id).indexing.write_text(text, "utf-8")
    async with running(make_service(model, big)) as service:
        assert (await service.status(big.wiki)).state == "idle"
        service.notify(big.wiki.id)
        assert (await settled(service, big.wiki)).state == "complete"


async def test_page_that_cannot_be_indexed_does_not_hold_up_edits_of_its_wiki(
    big: WikiOnDisk, model: WatchedModel
) -> None:
    model.poison = "sour"
    big.write({"Cream": "sour"})
    async with running(make_service(model, big)) as service:
        for number in range(3):  # each time with a retry that is further away
            big.write({"Tides": f"high water {number}"})
            service.notify(big.wiki.id)
            status = await settled(service, big.wiki)
            assert (status.state, status.pages_indexed) == ("error", 2)


async def index(service: SearchService, wiki: WikiOnDisk) -> None:
    async with running(service):
        await indexed(service, wiki)


async def test_vectors_of_the_former_model_stay_until_the_pass_with_the_next_is_over(
    big: WikiOnDisk, model: WatchedModel
) -> None:
    big.write(MANY)
    await index(make_service(model, big), big)
    before = len(model.embedded)
    other = WatchedModel("watched/2")
    other.stop_before = 10
    async with running(make_service(other, big)) as service:
        service.notify(big.wiki.id)
        await wait_for(other.stopped)
        other.go.set()
    await index(make_service(model, big), big)  # back again: the trial is over
    assert len(model.embedded) == before
    other.stop_before = None
    await index(make_service(other, big), big)
    await index(make_service(model, big), big)
    assert len(model.embedded) == 2 * before


async def test_snapshot_that_nobody_searches_is_dropped_and_built_again(big: WikiOnDisk, model: WatchedModel) -> None:
    service = make_service(model, big)
    await index(service, big)
    shelf = service._shelf
    async with running(service):
        found = (await service.query(big.wiki, "welcome")).results
        assert big.wiki.id in shelf
        shelf.drop_idle(trio.current_time() - IDLE_S)
        assert big.wiki.id in shelf
        shelf.drop_idle(trio.current_time() + 1)
        assert big.wiki.id not in shelf
        assert (await service.query(big.wiki, "welcome")).results == found
