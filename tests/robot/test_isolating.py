"""What a start does about a machine that cannot isolate workers."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from robot import isolating
from robot.isolating import IsolationMissing, ensure_isolation
from robot.settings import Settings
from wikihost.isolation.confinement import Piece
from wikihost.layout import DataDir

LACKING = (
    Piece("files: its own", "the kernel does not offer Landlock", is_required=True),
    Piece("calls: few", "", is_required=True),
    Piece("signals: none", "only Linux 6.12 and newer can", is_required=False),
)


def settings(isolation: str) -> Settings:
    return Settings.model_validate({"isolation": isolation})


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> DataDir:
    monkeypatch.setattr(isolating, "try_isolation", lambda _: LACKING)
    return DataDir(tmp_path)


def test_a_start_that_requires_isolation_is_refused_with_the_reason_and_a_way_out(lacking: DataDir) -> None:
    way_out = r'files.*does not offer Landlock.*isolation = "try"'
    with pytest.raises(IsolationMissing, match=way_out) as refused:
        ensure_isolation(settings("required"), lacking)
    assert "signals" not in str(refused.value)  # which Debian 12 lacks, and nobody can mend


def test_a_start_that_does_without_says_once_what_is_missing(
    lacking: DataDir, caplog: pytest.LogCaptureFixture
) -> None:
    ensure_isolation(settings("try"), lacking)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 2
    assert "Landlock" in said[0]
    assert "6.12" in said[1]


def test_isolation_that_is_switched_off_is_said(lacking: DataDir, caplog: pytest.LogCaptureFixture) -> None:
    ensure_isolation(settings("off"), lacking)
    assert "not isolated" in caplog.text


def test_a_machine_that_has_all_of_it_starts_in_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ensure_isolation(settings("required"), DataDir(tmp_path))
    assert caplog.records == []
