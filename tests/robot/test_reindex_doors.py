"""Building the index anew, as a script asks for it, watches it and cancels it; and why there is no model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from robot.contents import Contents
from robot.model import Visibility
from robot.search.model.directory import ModelDirectory, bundled_model
from robot.search.model.embed import EmbedderSource
from robot.search.service import SearchService
from tests.robot.agent_doors import open_doors
from tests.robot.search_wiki import WatchedModel, running, wait_for
from tests.robot.test_rest import script
from wikihost.layout import DataDir

PAGES = {f"Page {number}": f"# Page {number}\n\nText number {number}.\n" for number in range(5)}
ALL = len(PAGES) + 1  # and the one that the wiki is made with


@asynccontextmanager
async def indexer(root: Path, model: EmbedderSource, token: str | None = "writer") -> AsyncIterator[httpx2.AsyncClient]:
    """A script at the door of a public wiki of which nothing is indexed."""
    contents = Contents(DataDir(root))
    service = SearchService(contents, lambda _: doors.wiki, model)
    doors = open_doors(root, Visibility.PUBLIC, search=service)
    await doors.seed(PAGES)
    async with running(service, 60), script(doors, token) as http:
        yield http
    contents.close_all()
    doors.contents.close_all()


@pytest.mark.parametrize("make", [bundled_model, lambda nowhere: ModelDirectory(nowhere, name="mine")])
async def test_why_there_is_no_model_is_told_to_everybody_and_where_it_should_be_to_nobody(
    tmp_path: Path, make: Callable[[Path], EmbedderSource]
) -> None:
    model = make(tmp_path / "nowhere")
    async with indexer(tmp_path, model, token=None) as http:
        found = await http.get("find", params={"q": "text"})
        near = await http.get("semantic-search", params={"q": "text"})
        status = await http.get("reindex/status")
        for answer in (found, near, status):
            assert str(tmp_path) not in answer.text
        assert (found.json()["mode"], near.json()["mode"], status.json()["model"]) == ("keyword", "lexical", None)
        assert found.json()["total"] == len(PAGES)
        assert found.json()["note"].startswith("Only words were searched: ")
        assert found.json()["note"] == near.json()["note"]
        problem = status.json()["model_problem"]
        assert found.json()["note"].endswith(problem[1:])
        assert "cannot be read" in problem


async def test_a_script_starts_watches_and_cancels_it(tmp_path: Path) -> None:
    model = WatchedModel()
    model.stop_before = 2
    async with indexer(tmp_path, model) as http:
        idle = (await http.get("reindex/status")).json()
        assert (idle["status"], idle["pages_total"], idle["pages_indexed"]) == ("idle", ALL, 0)
        started = await http.post("reindex")
        assert (started.status_code, started.json()) == (202, {"status": "started"})
        await wait_for(model.stopped)
        again = await http.post("reindex")
        assert (again.status_code, again.json()["code"]) == (409, "reindex_running")
        assert again.json()["error"] == "Reindex already in progress"
        at_work = (await http.get(started.headers["location"].removeprefix("/api/v1/"))).json()
        assert (at_work["status"], at_work["indexed_head"], at_work["error_message"]) == ("in_progress", None, None)
        assert (at_work["started_at"] is not None, at_work["completed_at"]) == (True, None)
        found = (await http.get("find", params={"q": "text"})).json()
        assert (found["total"] >= len(PAGES), found["indexed_head"]) == (True, None)
        assert found["note"].startswith(f"{found['pages_waiting']} pages are not yet found by meaning")
        assert [(await http.delete("reindex")).json()["status"] for _ in range(2)] == ["cancelled", "idle"]
        model.go.set()
