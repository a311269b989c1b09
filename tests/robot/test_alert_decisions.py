"""What is wrong, and what follows from it: told once when it begins, once a day, and once when it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.alerts.conditions import HOUR_S, MIB, BackupFacts, Bounds, Facts, find_alerts
from robot.alerts.decisions import CALM_S, REMIND_S, Standing, decide
from robot.alerts.message import Alert, Kind, Message, one_line
from robot.clock import moment
from robot.search.values import Backlog

NOW = 1_900_000_000.0
BOUNDS = Bounds(disk_free=1024 * MIB, backup_age_s=48 * HOUR_S)
WELL = Facts(now=NOW, disk_free=2000 * MIB, backups=BackupFacts(age_s=HOUR_S, needed_s=9e9))
DISK = Alert("disk", "Little is free.", "Make room.")


@pytest.mark.parametrize(
    ("facts", "name", "part"),
    [
        (replace(WELL, disk_free=1000 * MIB), "disk", "Only 1,000 MiB"),
        (replace(WELL, backups=BackupFacts(49 * HOUR_S, 9e9)), "backup", "49 hours old"),
        (replace(WELL, backups=BackupFacts(None, 49 * HOUR_S)), "backup", "no backup"),
        (replace(WELL, backups=BackupFacts(1.0, 9e9, "the disk is full.")), "backup", "failed: the disk is full."),
        (replace(WELL, broken_wikis=["notes"]), "workers", "A wiki does not wake: notes."),
        (replace(WELL, broken_wikis=[f"w{n}" for n in range(9)]), "workers", "9 wikis do not wake: w0, "),
        (replace(WELL, zygote_failures=3), "zygote", "again and again"),
        (replace(WELL, looping_parts=["a", "b"], missing_parts=["c"]), "parts", "again: a, b; others are not"),
        (replace(WELL, unclean_ends=[NOW - 60, NOW - 120, NOW - 7200]), "core", "2 times"),
        (replace(WELL, backlog=Backlog(failing=2)), "index", "2 wikis cannot"),
        (replace(WELL, backlog=Backlog(still_s=HOUR_S)), "index", "none of it is done"),
        (replace(WELL, backlog=Backlog(oldest_s=7 * HOUR_S)), "index", "7 hours"),
    ],
)
def test_each_trouble_is_one_sentence_and_what_to_do(facts: Facts, name: str, part: str) -> None:
    (alert,) = find_alerts(facts, BOUNDS, ())
    assert alert.name == name
    assert part in alert.sentence
    assert alert.remedy.endswith(".")


@pytest.mark.parametrize(
    "facts",
    [
        WELL,
        replace(WELL, backups=BackupFacts(None, HOUR_S)),
        replace(WELL, zygote_failures=2),
        replace(WELL, unclean_ends=[NOW - 7200, NOW + 7200]),  # the clock was put back since
        replace(WELL, backlog=Backlog(wikis=3, oldest_s=HOUR_S, still_s=60)),
    ],
)
def test_what_is_well_or_young_is_not_told(facts: Facts) -> None:
    assert find_alerts(facts, BOUNDS, ()) == []


def test_an_operator_can_switch_limits_off() -> None:
    facts = replace(WELL, disk_free=0, backups=BackupFacts(None, 9e9, "x"))
    assert find_alerts(facts, Bounds(0, 0), ()) == []


def test_a_disk_that_goes_to_and_fro_about_its_limit_is_one_trouble() -> None:
    barely = replace(WELL, disk_free=1100 * MIB)
    assert find_alerts(barely, BOUNDS, ()) == []
    assert [alert.name for alert in find_alerts(barely, BOUNDS, {"disk"})] == ["disk"]
    assert find_alerts(replace(WELL, disk_free=1281 * MIB), BOUNDS, {"disk"}) == []


def test_a_model_that_is_downloaded_is_no_trouble_yet() -> None:
    alert = Alert("index", "The search index of a wiki cannot be built.", "")
    first = decide([alert], [], {}, now=NOW, steady=0.0)
    assert first.changes == []
    assert decide([], [], first.turned, now=NOW, steady=60.0).turned == {}
    late = decide([alert], [], first.turned, now=NOW, steady=3600.0)
    assert [change.kind for change in late.changes] == [Kind.BEGAN]


def test_what_lasts_is_told_again_after_a_day() -> None:
    standing = [Standing(DISK, since=NOW, told=NOW)]
    for passed, kinds in ((REMIND_S - 1, []), (REMIND_S, [Kind.STILL]), (-REMIND_S, [Kind.STILL])):
        changes = decide([DISK], standing, {}, now=NOW + passed, steady=0.0).changes
        assert [change.kind for change in changes] == kinds


@given(st.lists(st.tuples(st.floats(1, 400), st.booleans()), max_size=60), st.sets(st.integers(0, 59)))
def test_an_alert_begins_and_ends_by_turns(looks: list[tuple[float, bool]], restarts: set[int]) -> None:
    """Whenever it is seen and whenever the host restarts, which keeps what stands and forgets the rest."""
    standing: list[Standing] = []
    turned: dict[str, float] = {}
    steady, last_seen, told = 0.0, 0.0, []
    for number, (passed, is_seen) in enumerate(looks):
        steady += passed
        if number in restarts:
            turned = {}
        decision = decide([DISK] if is_seen else [], standing, turned, now=NOW + steady, steady=steady)
        last_seen = steady if is_seen else last_seen
        turned = dict(decision.turned)
        for change in decision.changes:
            told.append(change.kind)
            standing = [] if change.kind is Kind.OVER else [Standing(DISK, NOW + steady, NOW + steady)]
            assert change.kind is not Kind.OVER or steady - last_seen >= CALM_S
        assert not is_seen or standing
    ends = [kind for kind in told if kind is not Kind.STILL]
    assert ends == [Kind.BEGAN, Kind.OVER] * (len(ends) // 2) + [Kind.BEGAN] * (len(ends) % 2)


def test_a_message_names_its_host_and_is_no_header() -> None:
    alert = Alert("backup", one_line("It failed:\r\nBcc: all@example.org \x1b[2J" + "x" * 900), "Look.")
    told = Message(Kind.OVER, "wiki.test", moment(NOW), alert)
    assert "\n" not in told.subject
    assert "\x1b" not in told.subject
    assert told.subject.startswith("[wiki.test] Over: It failed: Bcc")
    assert len(told.subject) < 600
    assert "Look." not in told.text
