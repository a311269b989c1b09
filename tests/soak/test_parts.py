"""The parts of the soak that need no server: when what breaks, what grew, what a journal promises."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.loops import Journal
from bench.restarts import lost_pages
from tests.soak.schedule import CORE_ENDS_UNTIL, ENDING_CORE, Fault, schedule
from tests.soak.slope import slope
from tests.wikihost.wikis import make_wiki

SECONDS = 600.0


@given(seed=st.integers(0, 2**32), wikis=st.integers(1, 5))
def test_a_schedule_is_the_same_each_time_and_ends_in_time(seed: int, wikis: int) -> None:
    events = schedule(seed, SECONDS, wikis, list(Fault), 5.0)
    assert events == schedule(seed, SECONDS, wikis, list(Fault), 5.0)
    assert [event.at_s for event in events] == sorted(event.at_s for event in events)
    assert all(event.at_s <= SECONDS and event.wiki < wikis for event in events)
    assert {event.fault for event in events} == set(Fault)
    assert all(event.at_s < CORE_ENDS_UNTIL * SECONDS for event in events if event.fault in ENDING_CORE)
    for event, after in itertools.pairwise(events[:-1]):
        assert event.at_s + event.lasts_s < after.at_s, "one thing at a time"
    clock = [event.offset_s for event in events if event.fault is Fault.SET_CLOCK]
    assert clock[-1] == 0 or not any(clock)


def test_what_is_left_out_never_comes() -> None:
    few = [Fault.KILL_WORKER, Fault.RESTART]
    assert {event.fault for event in schedule(1, SECONDS, 1, few, 5.0)} == set(few)


@given(st.floats(-100, 100), st.floats(-100, 100), st.lists(st.integers(0, 1000), min_size=2, max_size=30, unique=True))
def test_a_line_is_found(grows: float, begins: float, at: list[int]) -> None:
    assert slope([(float(x), begins + grows * x) for x in at]) == pytest.approx(grows, abs=1e-6)


def test_nothing_grows_where_there_is_nothing() -> None:
    assert slope([]) == slope([(1.0, 7.0)]) == 0.0


def test_a_page_may_have_what_was_acknowledged_last_or_what_came_after(tmp_path: Path) -> None:
    home = make_wiki(tmp_path / "wiki", {"Kept": "two", "Later": "three", "Old": "one"})
    journal = Journal()
    for name, texts in {"Kept": ["one", "two"], "Old": ["one", "two"], "Gone": ["one"], "Later": ["two"]}.items():
        for text in texts:
            journal.sending("w", name, text)
            journal.acknowledge("w", name, text)
    journal.sending("w", "Later", "three")
    journal.sending("w", "Never", "one")
    assert sorted(lost_pages(home.repo, journal.of("w"))) == ["Gone", "Old"]
    assert journal.acknowledged == 6
