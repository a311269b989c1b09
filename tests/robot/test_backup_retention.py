"""Which backups are kept, and that a kept one can always be restored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.backup.journal import last_good
from robot.backup.manifest import list_backups, new_run, run_of, write_manifest
from robot.backup.retention import Keeping, Retention, tidy
from tests.robot.backup_stage import BackupStage, copy_of, put_together
from tests.robot.small_host import FakeClock, SmallHost, end_for_good

DAY_S = 24 * 3600.0
NOW = 1_900_000_000.0


@pytest.fixture
def stage(host: SmallHost, tmp_path: Path) -> BackupStage:
    root = tmp_path / "backups"
    root.mkdir()
    return BackupStage(host, root)


def kept(retention: Retention, backups: list[tuple[float, bool]]) -> list[bool]:
    """What becomes of backups, newest first: days of age, and whether each is good."""
    keeping = Keeping(retention, NOW)
    began = [datetime.fromtimestamp(NOW, UTC) - timedelta(days=age) for age, _ in backups]
    return [keeping.keeps(when, is_good=good) for when, (_, good) in zip(began, backups, strict=True)]


def test_what_is_young_or_among_the_newest_is_kept() -> None:
    aged = [(age, True) for age in (0.5, 1.5, 2.5, 3.5)]
    assert kept(Retention(2, 1), aged) == [True, True, False, False]
    assert kept(Retention(0, 3), aged) == [True, True, True, False]
    assert kept(Retention(0, 1), [(1, False), (2, False), (3, True), (4, True)]) == [True, False, True, False]


@given(
    st.integers(0, 20),
    st.integers(1, 5),
    st.lists(st.tuples(st.floats(-2, 40), st.booleans()), max_size=12).map(sorted),
)
def test_the_newest_and_the_last_good_one_always_stay(days: int, last: int, aged: list[tuple[float, bool]]) -> None:
    stays = kept(Retention(days, last), aged)
    assert all(stays[:last])
    goods = [number for number, (_, good) in enumerate(aged) if good]
    assert not goods or stays[goods[0]]
    assert all(stay for stay, (age, _) in zip(stays, aged, strict=True) if age < days - 1e-6)
    if any(good for _, good in aged[:last]):
        assert not any(stay for stay, (age, _) in zip(stays[last:], aged[last:], strict=True) if age > days + 1e-6)


async def test_a_kept_backup_keeps_what_it_needs_of_older_runs(stage: BackupStage, tmp_path: Path) -> None:
    clock = FakeClock(NOW)
    retention = Retention(2, 1)
    wiki, ended = await stage.host.make_wiki("notes"), await stage.host.make_wiki("ended")
    first = (await stage.take(clock=clock, retention=retention)).manifest
    (stage.root / "README").write_text("whose?\n")
    await end_for_good(stage.host, ended)
    for _ in range(4):
        clock.now += DAY_S
        stage.save(wiki, "Home.md", f"# {clock.now}\n")
        taken = await stage.take(clock=clock, retention=retention)
    backups = stage.manifests()
    assert len(backups) == 2
    assert taken.removed == 1
    there = {stored.name for stored in stage.store.list("runs/")}
    assert there == {name for manifest in backups for name in manifest.needed()}
    assert not there & set(copy_of(first, ended).names), "what ended for good is gone after the window"
    for manifest in backups:
        put_together(stage.store, manifest, wiki, tmp_path / manifest.id)
    assert (stage.root / "README").exists()


async def test_an_old_good_backup_outlives_new_ones_that_are_not(stage: BackupStage) -> None:
    clock = FakeClock(NOW)
    wiki = await stage.host.make_wiki("notes")
    good = (await stage.take(clock=clock)).manifest
    (stage.home(wiki).git_dir / "HEAD").write_text("")
    for _ in range(3):
        clock.now += 40 * DAY_S
        await stage.take(clock=clock, retention=Retention(1, 1))
    assert [manifest.id for manifest in stage.manifests() if not manifest.problems] == [good.id]
    row = last_good(stage.host.db)
    assert row is not None
    assert row.id == good.id


async def test_a_clock_that_was_put_back_does_not_make_old_backups_the_newest(stage: BackupStage) -> None:
    clock = FakeClock(NOW)
    await stage.take(clock=clock)
    clock.now -= DAY_S
    later = (await stage.take(clock=clock)).manifest
    assert list_backups(stage.store)[-1] == later.id


async def test_backups_of_another_host_stay(stage: BackupStage) -> None:
    ours = (await stage.take(clock=FakeClock(NOW))).manifest
    theirs = ours.model_copy(update={"domain": "other.test", "problems": {"w": "It could not be copied."}})
    for manifest, removed in ((theirs, 0), (theirs.model_copy(update={"domain": ours.domain}), 1)):
        write_manifest(stage.store, manifest)
        assert tidy(stage.store, ours.domain, Retention(0, 0), {ours.id}, NOW + 900 * DAY_S) == removed
        assert bool(list(stage.store.list("runs/"))) == (not removed)


@given(st.floats(0, 4e9), st.floats(0, 4e9))
def test_ids_of_runs_sort(now: float, before: float) -> None:
    first = new_run(before)
    second = new_run(now, first)
    assert first < second
    assert run_of(f"runs/{second}/robot.db.gz") == run_of(f"manifests/{second}.json") == second
    assert run_of(f"runs/{second}x/robot.db.gz") is None
