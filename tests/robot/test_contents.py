"""The threads in which the contents of wikis are read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from robot.contents import GIT_THREADS, THREADS_OF_A_WIKI
from tests.robot.search_wiki import DEADLINE_S, WikiOnDisk, make_wiki
from wikihost.content import Content


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[WikiOnDisk]:
    made = make_wiki(tmp_path, "busy")
    yield made
    made.contents.close_all()


async def test_one_wikis_long_searches_do_not_keep_another_waiting(busy: WikiOnDisk, tmp_path: Path) -> None:
    other = make_wiki(tmp_path, "other")
    begun, go = threading.Semaphore(0), threading.Event()

    def search(_content: Content) -> None:
        begun.release()
        assert go.wait(DEADLINE_S)

    with trio.fail_after(DEADLINE_S):
        async with trio.open_nursery() as nursery:
            for _ in range(2 * GIT_THREADS):
                nursery.start_soon(busy.contents.run, busy.wiki, search)
            for _ in range(THREADS_OF_A_WIKI):
                assert await trio.to_thread.run_sync(begun.acquire, True, DEADLINE_S)
            try:
                with trio.fail_after(DEADLINE_S / 2):
                    assert await busy.contents.run(other.wiki, lambda content: content.sync())
            finally:
                go.set()
