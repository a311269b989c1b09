"""Somebody who waits for a page by searching for it does not put off what he waits for."""

from __future__ import annotations

from pathlib import Path

import trio

from robot.search.indexing.nursery import LONGEST_REST_S
from tests.robot.search_wiki import WatchedModel, make_service, make_wiki, running, settled


async def test_searching_again_and_again_does_not_put_indexing_off(tmp_path: Path) -> None:
    wiki = make_wiki(tmp_path)
    async with running(make_service(WatchedModel(), wiki)) as service:
        await service.query(wiki.wiki, "welcome")
        await settled(service, wiki.wiki)
        wiki.write({"Crane": "# Crane\n\nIt lifts the lantern."})
        service.notify(wiki.wiki.id)
        began = trio.current_time()
        while (await service.query(wiki.wiki, "lantern")).freshness.pages_waiting:  # noqa: ASYNC110  (it is the waiting)
            await trio.sleep(0.005)
        assert trio.current_time() - began < LONGEST_REST_S * 0.9
