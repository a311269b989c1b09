"""While one wiki is indexed from nothing, the loop is free, and readers of another wiki hardly notice."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bench.figures import percentile
from tests.harness import Robot, running_robot
from tests.processes import wait_until

pytestmark = [pytest.mark.flow, pytest.mark.alone]

ROUNDS = 4
VIEWS = 40
MOST_SLOWER = 2.0
PATIENCE_S = 60.0

_unique = count()


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    """With the demo's handbook, which nobody has searched yet, and a second wiki; its log tells who holds the loop."""
    place: Path = tmp_path_factory.mktemp("beside") / "data"
    with running_robot(place, env={"ROBOT_LOG_LEVEL": "debug"}, first_start=True) as started:
        with started.client(started.platform, cookies=started.sign_in()) as dashboard:
            form = {"slug": "second", "name": "Second", "description": "", "visibility": "public"}
            made = dashboard.post("/app/create", data=form, headers={"Sec-Fetch-Site": "same-origin"})
            assert made.status_code in (302, 303)
        yield started


def test_readers_of_another_wiki_hardly_notice(robot: Robot) -> None:
    with robot.agent() as agent, robot.client(robot.wiki_origin("second")) as reader:
        views(reader)
        with indexing(robot, agent):
            pass  # the model is loaded from here on
        quiet, busy = [], []
        for _ in range(ROUNDS):
            quiet.append(percentile(views(reader), 0.95))
            with indexing(robot, agent):
                busy.append(percentile(views(reader), 0.95))
    # What disturbs the machine for a moment disturbs one round, and not the middle one.
    assert statistics.median(busy) < MOST_SLOWER * statistics.median(quiet)


def test_neither_the_first_search_nor_the_index_holds_the_loop(robot: Robot) -> None:
    with robot.agent() as agent, indexing(robot, agent):
        for mode in ("hybrid", "semantic", "keyword"):
            found = agent.get("/api/v1/find", params={"q": "connect an agent", "mode": mode})
            assert found.status_code == 200
            assert found.json()["results"]
    log = robot.stderr()
    assert "debug" in log, "the log is not at the level that watches the loop"
    assert [line for line in log.splitlines() if "the loop was held" in line] == []


def views(reader: httpx2.Client) -> list[float]:
    """Seconds of pages one after another, past every cache."""
    seconds = []
    for _ in range(VIEWS):
        began = time.perf_counter()
        assert reader.get("/", params={"nocache": str(next(_unique))}).status_code == 200
        seconds.append(time.perf_counter() - began)
    return seconds


@contextmanager
def indexing(robot: Robot, agent: httpx2.Client) -> Iterator[None]:
    """Passages are embedded all the while, as if none ever was before."""
    for catalog in robot.data.glob("wikis/*/catalog.db"):
        with closing(sqlite3.connect(catalog, timeout=PATIENCE_S)) as connection, connection:
            connection.execute("DELETE FROM vector")
    assert agent.post("/api/v1/reindex").status_code == 202
    wait_until(lambda: status(agent)["chunks_indexed"] > 0, PATIENCE_S, "passages to be embedded")
    yield
    assert agent.delete("/api/v1/reindex").json()["status"] == "cancelled", "the wiki was indexed too soon"
    wait_until(lambda: status(agent)["status"] != "in_progress", PATIENCE_S, "the end of the re-index")


def status(agent: httpx2.Client) -> Any:
    return agent.get("/api/v1/reindex/status").json()
