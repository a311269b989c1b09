"""Turns, coalescing and backoff of the index nursery."""

from __future__ import annotations

from robot.search.indexing.agenda import EDITS_IN_A_ROW, FIRST_RETRY_S, LONGEST_RETRY_S, Agenda


def test_each_wiki_has_one_place_and_they_take_turns() -> None:
    agenda = Agenda()
    for wiki_id in ("a", "b", "a", "a"):
        agenda.add_backfill(wiki_id)
    served = []
    for _ in range(4):
        taken = agenda.take(0.0)
        assert taken is not None
        served.append(taken)
        agenda.add_backfill(taken)
    assert served == ["a", "b", "a", "b"]


def test_edits_go_before_what_was_there_first() -> None:
    agenda = Agenda()
    agenda.add_backfill("large")
    assert not agenda.edit_waits
    agenda.add_edit("edited")
    assert agenda.edit_waits
    assert [agenda.take(0.0), agenda.take(0.0), agenda.take(0.0)] == ["edited", "large", None]


def test_edits_without_end_leave_a_turn_to_the_rest() -> None:
    agenda = Agenda()
    agenda.add_backfill("large")
    served = []
    for _ in range(EDITS_IN_A_ROW + 1):
        agenda.add_edit("edited")
        served.append(agenda.take(0.0))
    assert served == ["edited"] * EDITS_IN_A_ROW + ["large"]


def test_failed_wiki_waits_longer_each_time_and_keeps_its_time_when_added() -> None:
    agenda = Agenda()
    assert agenda.retry("a", 10.0, hold=True) == FIRST_RETRY_S
    agenda.add_edit("a")
    agenda.add_backfill("a")
    assert "a" not in agenda
    assert not agenda.edit_waits
    assert agenda.take(10.0) is None
    assert agenda.next_retry() == 10.0 + FIRST_RETRY_S
    assert agenda.take(10.0 + FIRST_RETRY_S) == "a"
    assert agenda.retry("a", 20.0, hold=True) == 2 * FIRST_RETRY_S
    for _ in range(20):
        wait_s = agenda.retry("a", 0.0, hold=True)
    assert wait_s == LONGEST_RETRY_S


def test_wiki_of_which_a_part_failed_has_its_turns_for_the_rest() -> None:
    agenda = Agenda()
    agenda.retry("a", 0.0, hold=False)
    assert agenda.take(0.0) is None
    agenda.add_edit("a")
    assert agenda.take(0.0) == "a"
    assert agenda.has_retry("a")
    assert agenda.take(FIRST_RETRY_S) == "a"
    assert not agenda.has_retry("a")


def test_success_and_hurry_forget_failures() -> None:
    agenda = Agenda()
    agenda.retry("a", 0.0, hold=True)
    agenda.retry("a", 0.0, hold=True)
    agenda.hurry("a")
    assert agenda.take(0.0) == "a"
    agenda.retry("a", 0.0, hold=True)
    agenda.succeeded("a")
    assert agenda.retry("a", 0.0, hold=True) == FIRST_RETRY_S


def test_failed_wiki_does_not_hold_up_others() -> None:
    agenda = Agenda()
    agenda.retry("broken", 0.0, hold=True)
    agenda.add_backfill("well")
    assert agenda.take(0.0) == "well"
    assert agenda.take(0.0) is None


def test_dropped_wiki_is_gone() -> None:
    agenda = Agenda()
    agenda.add_edit("a")
    agenda.retry("a", 0.0, hold=True)
    agenda.drop("a")
    assert "a" not in agenda
    assert agenda.next_retry() is None
    assert agenda.take(LONGEST_RETRY_S) is None
