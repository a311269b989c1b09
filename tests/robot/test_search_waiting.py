"""Somebody who waits for a page by searching for it does not put off what he waits for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import trio

from robot.search.indexing import nursery
from robot.search.values import Backlog
from tests.robot.search_wiki import DEADLINE_S, WatchedModel, make_service, make_wiki, running, settled


async def test_searching_again_and_again_does_not_put_indexing_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nursery, "LONGEST_REST_S", 30.0)  # so that a busy machine is told from a rest
    wiki = make_wiki(tmp_path)
    async with running(make_service(WatchedModel(), wiki)) as service:
        await service.query(wiki.wiki, "welcome")
        await settled(service, wiki.wiki)
        wiki.write({"Crane": "# Crane\n\nIt lifts the lantern."})
        service.notify(wiki.wiki.id)
        began = trio.current_time()
        while (await service.query(wiki.wiki, "lantern")).freshness.pages_waiting:  # noqa: ASYNC110  (it is the waiting)
            await trio.sleep(0.005)
        assert trio.current_time() - began < nursery.LONGEST_REST_S * 0.9


async def test_how_long_the_oldest_page_waits_counts_no_page_that_is_indexed(tmp_path: Path) -> None:
    """However long the wiki was not at rest."""
    wiki, model = make_wiki(tmp_path), WatchedModel()
    async with running(make_service(model, wiki)) as service:
        await service.query(wiki.wiki, "welcome")
        await settled(service, wiki.wiki)
        assert service.backlog() == Backlog()

        async def save(name: str) -> float:
            """Save a page of one passage and wait until the model has come to it; when it was saved."""
            waiter, model.go = model.go, threading.Event()
            wiki.write({name: f"# {name}\n\nIt lifts the lantern."})
            saved = trio.current_time()
            service.notify(wiki.wiki.id)
            waiter.set()
            await trio.to_thread.run_sync(model.stopped.wait, DEADLINE_S)
            model.stopped.clear()
            return saved

        model.stop_before = len(model.embedded)
        first = await save("Crane")
        assert service.backlog().wikis == 1
        assert 0 < service.backlog().oldest_s <= trio.current_time() - first
        model.stop_before += 1
        second = await save("Hoist")
        assert service.backlog().oldest_s <= trio.current_time() - second
        model.stop_before = None
        model.go.set()
        await settled(service, wiki.wiki)
        assert service.backlog() == Backlog()
