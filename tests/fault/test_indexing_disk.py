"""The disk fills up while a wiki is indexed: its status says so, the rest works, and with room it goes on by itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fault.test_full_disk import fill
from tests.processes import small_disk
from tests.robot.search_wiki import (
    WatchedModel,
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

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root"),
]

PAGES = {
    f"Page {page}": "\n\n".join(f"## Part {part}\n\n{'mooring rope ' * 45}{page} {part}" for part in range(20))
    for page in range(8)
}


async def test_indexing_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 24) as disk:
        wiki, model = make_wiki(disk / "data"), WatchedModel()
        async with running(make_service(model, wiki)) as service:
            await indexed(service, wiki)
            wiki.write(PAGES)
            await wiki.contents.run(wiki.wiki, Content.sync)
            model.stop_before = len(model.embedded) + 30
            service.notify(wiki.wiki.id)
            await wait_for(model.stopped)
            ballast = fill(disk)
            model.stop_before = None
            model.go.set()
            status = await until(lambda: service.status(wiki.wiki), lambda status: status.state == "error")
            assert "full" in (status.error_message or "")
            words = await service.find(wiki.wiki, "mooring", mode="keyword", limit=5)
            assert words.total == len(PAGES)
            assert (await service.query(wiki.wiki, "welcome", limit=1)).results
            page = await wiki.contents.run(wiki.wiki, lambda content: content.read_page("Page 1"))
            assert page.text == PAGES["Page 1"]

            ballast.unlink()
            await until(lambda: service.status(wiki.wiki), lambda status: status.state == "complete")
            assert (await settled(service, wiki.wiki)).error_message is None
        assert await rows(wiki) == await new_rows(wiki)
        wiki.contents.close_all()
