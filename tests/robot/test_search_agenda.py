"""Turns, coalescing and backoff of the index nursery."""

from __future__ import annotations

from robot.search.agenda import FIRST_RETRY_S, LONGEST_RETRY_S, Agenda


def test_each_wiki_has_one_place_and_they_take_turns() -> None:
    agenda = Agenda()
    for wiki_id in ("a", "b", "a", "a"):
        agenda.add(wiki_id)
    served = []
    for _ in range(4):
        taken = agenda.take(0.0)
        assert taken is not None
        served.append(taken)
        agenda.add(taken)
    assert served == ["a", "b", "a", "b"]


def test_failed_wiki_waits_longer_each_time_and_keeps_its_time_when_added() -> None:
    agenda = Agenda()
    assert agenda.retry("a", 10.0) == FIRST_RETRY_S
    agenda.add("a")
    assert agenda.take(10.0) is None
    assert agenda.next_due() == 10.0 + FIRST_RETRY_S
    assert agenda.take(10.0 + FIRST_RETRY_S) == "a"
    assert agenda.retry("a", 20.0) == 2 * FIRST_RETRY_S
    for _ in range(20):
        wait_s = agenda.retry("a", 0.0)
    assert wait_s == LONGEST_RETRY_S


def test_success_and_hurry_forget_failures() -> None:
    agenda = Agenda()
    agenda.retry("a", 0.0)
    agenda.retry("a", 0.0)
    agenda.hurry("a")
    assert agenda.take(0.0) == "a"
    agenda.retry("a", 0.0)
    agenda.succeeded("a")
    assert agenda.retry("a", 0.0) == FIRST_RETRY_S


def test_failed_wiki_does_not_hold_up_others() -> None:
    agenda = Agenda()
    agenda.retry("broken", 0.0)
    agenda.add("well")
    assert agenda.take(0.0) == "well"
    assert agenda.take(0.0) is None


def test_dropped_wiki_is_gone() -> None:
    agenda = Agenda()
    agenda.add("a")
    agenda.drop("a")
    assert "a" not in agenda
    assert agenda.next_due() is None
