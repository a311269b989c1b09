"""SIGKILL at each stage of start and stop: nothing is lost, nobody is left, and the next start is clean."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench import host
from bench.http_client import Visitor
from bench.loops import Journal, Patient, Tally, put_page, script_of
from bench.service import Service
from robot.sdnotify import Stage
from tests.processes import OF_THE_WORKER, descendants_of, lives, wait_until
from tests.soak import verdict

pytestmark = pytest.mark.fault

STARTING = [stage for stage in Stage if stage.startswith("starting")]
STOPPING = [stage for stage in Stage if stage.startswith("stopping")]


class Host:
    """A service with one wiki, and what was written to it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        (self.wiki,) = host.plant(data, {"stages": None}).values()
        self.service = Service(data, host.environment({"ROBOT_EMBEDDING_MODEL": "none"}))
        self.journal = Journal()

    def kill_at(self, stage: Stage, family: list[int]) -> None:
        """Wait until it says that it is there, and kill it; `family` are those below it that are known already."""
        self.service.wait_until_said(f"STATUS={stage}")
        family = family + descendants_of(self.service.pid)
        assert self.service.process is not None
        assert self.service.process.poll() is None
        self.service.stop(signal.SIGKILL)
        wait_until(lambda: not any(map(lives, family)), 5, f"all below core are gone: {stage}")

    def write(self, name: str) -> None:
        """A page by a script, and one that wakes the worker."""
        self.journal.sending("stages", name, name)
        with script_of(self.service.port, self.wiki) as script:
            assert put_page(Patient(script, Tally()), name, name) == 201
        self.journal.acknowledge("stages", name, name)
        with Visitor(self.service.port, self.wiki.host) as visitor:
            assert visitor.get(OF_THE_WORKER).status == 200


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path / "data")
    yield made
    made.service.close()


def test_killed_at_each_stage(killed: Host) -> None:
    for stage in STARTING:
        killed.service.begin()
        killed.kill_at(stage, [])
    for stage in STOPPING:
        killed.service.start()
        killed.write(f"Before {stage.name}")
        family = descendants_of(killed.service.pid)
        assert len(family) >= 2
        killed.service.send(signal.SIGTERM)
        killed.kill_at(stage, family)
    killed.service.start()
    killed.write("After")
    killed.service.send(signal.SIGTERM)
    killed.service.send(signal.SIGTERM)
    assert killed.service.wait() == 0, killed.service.log_tail()
    assert "Traceback" not in killed.service.log.read_text("utf-8")
    assert verdict.wiki_faults([killed.wiki], killed.journal) == []
    assert verdict.leftovers(killed.data) == []
    assert [path.name for path in killed.data.iterdir() if path.name.startswith(".")] == []
    with closing(sqlite3.connect(killed.data / "robot.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
