"""What the log says of requests that took long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from robot.finished import Face, Finished, Phase
from robot.model import Visibility, Wiki
from robot.slow_requests import SlowRequests, spent, target_of

NOTES = Wiki("w_1", "notes", "Notes", "", Visibility.PUBLIC, datetime.fromtimestamp(0, UTC))


def finished(seconds: float, phases: Mapping[Phase, float], path: str = "/Home", wiki: Wiki | None = NOTES) -> Finished:
    return Finished("f3a1", Face.PAGES, "GET", path, 200, True, seconds, phases, 7, wiki, None, "")


def test_the_line_says_where_the_time_went(caplog: pytest.LogCaptureFixture) -> None:
    phases = {Phase.WAKE: 1.9, Phase.WORKER: 0.3, Phase.SENDING: 0.02, Phase.DOORS: 0.000_002}
    SlowRequests(1.0)(finished(2.3, phases))
    assert caplog.messages == [
        "slow: GET /Home of pages in notes took 2.30 s (wake 1.90 s, worker 0.30 s, other 0.08 s, sending 0.02 s),"
        " answered 200"
    ]


@pytest.mark.parametrize("phase", [Phase.SENDING, Phase.RECEIVING, Phase.LISTENING])
def test_what_the_client_takes_is_not_the_hosts(phase: Phase, caplog: pytest.LogCaptureFixture) -> None:
    slow = SlowRequests(1.0)
    slow(finished(3600.5, {phase: 3600.0}))
    assert caplog.messages == []
    slow(finished(3601.5, {phase: 3600.0}))
    assert len(caplog.messages) == 1


def test_an_address_is_named_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    slow = SlowRequests(1.0)
    for path in ("/Home", "/Home", "/Other", "/Home"):
        slow(finished(2.0, {}, path))
    assert len(caplog.messages) == 2
    slow.threshold_s = 0
    slow(finished(2.0, {}, "/Third"))
    assert len(caplog.messages) == 2


def test_pages_of_private_wikis_are_not_named() -> None:
    private = replace(NOTES, visibility=Visibility.PRIVATE)
    assert target_of(finished(2.0, {}, "/Salaries", private)) == "GET of pages in notes"
    assert target_of(finished(2.0, {}, "/app/", None)) == "GET /app/ of pages"
    assert spent(finished(0.0, {})) == "nowhere"
