"""The short form of `make soak`: all work at once, each thing breaks once, and nothing is lost or left behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.soak.run import Plan, soak, summary
from tests.soak.schedule import DAY_S, Event, Fault

pytestmark = [pytest.mark.fault, pytest.mark.alone]

PLAN = Plan(seconds=12, wikis=1, pause_s=0.3, sample_s=1.0)
EVENTS = [
    Event(0.5, Fault.KILL_WORKER),
    Event(1.5, Fault.KILL_ZYGOTE),
    Event(2.5, Fault.SET_CLOCK, offset_s=-DAY_S),
    Event(3.0, Fault.KILL_CORE),
    Event(8.0, Fault.RESTART),
    Event(9.0, Fault.FILL_DISK, lasts_s=0.5),
    Event(10.0, Fault.HANG_WORKER, lasts_s=0.5),
    Event(11.0, Fault.STALL_READERS, lasts_s=0.5),
    Event(11.5, Fault.SET_CLOCK),
]
MOST_DESCRIPTORS = 300
MOST_PROCESSES = 12


def test_nothing_is_lost_and_nothing_left(tmp_path: Path) -> None:
    events = [event for event in EVENTS if event.fault is not Fault.FILL_DISK or os.geteuid() == 0]
    outcome = soak(PLAN, events, tmp_path, lambda said: print(said, file=sys.stderr))
    print(summary(outcome), file=sys.stderr)
    assert outcome.faults == [], (tmp_path / "log").read_text("utf-8")[-4000:]
    acknowledged = {kind: tally["answered"] for kind, tally in outcome.tallies.items()}
    assert min(acknowledged.values()) > 0, acknowledged
    assert sum(tally["connections refused"] for tally in outcome.tallies.values()) == 0
    assert max(sample.descriptors for sample in outcome.samples) < MOST_DESCRIPTORS
    assert max(sample.processes for sample in outcome.samples) < MOST_PROCESSES
