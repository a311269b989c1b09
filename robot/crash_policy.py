"""What happens when a part of core ends that should not: a table, a pure decision and the thin task that obeys it."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import trio

log = logging.getLogger(__name__)

FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 30.0
LOOP_FAILURES = 3
LOOP_S = 600.0
"""So many failures within so long are a loop, not bad luck."""
CALM_S = 60.0  # a part that ran so long starts with a clean record


class Policy(Enum):
    """ESSENTIAL: the process exits and systemd restarts it. REPLACEABLE: run it anew. BEST_EFFORT: record and go on."""

    ESSENTIAL = "essential"
    REPLACEABLE = "replaceable"
    BEST_EFFORT = "best effort"


@dataclass(frozen=True, slots=True)
class Raise:
    """Let the failure end the process."""


@dataclass(frozen=True, slots=True)
class RestartAfter:
    """Run the part anew after a pause."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Record:
    """Write it down and go on without the part."""


def decide(policy: Policy, failures: int) -> Raise | RestartAfter | Record:
    """What to do about the `failures`-th failure in a row (1 for the first)."""
    match policy:
        case Policy.ESSENTIAL:
            return Raise()
        case Policy.REPLACEABLE:
            return RestartAfter(min(FIRST_BACKOFF_S * 2 ** (failures - 1), LONGEST_BACKOFF_S))
        case Policy.BEST_EFFORT:
            return Record()


class Part(Protocol):
    """A task that reports `started` once and then runs until cancelled."""

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None: ...


class Crashes:
    """What failed of late, by the names of the parts, for whoever is to be told."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[float]] = {}
        self._missing: set[str] = set()

    def note(self, name: str, *, goes_on: bool) -> None:
        """The part failed just now; unless it `goes_on`, it is not run any more."""
        self._failures.setdefault(name, deque(maxlen=LOOP_FAILURES)).append(trio.current_time())
        if not goes_on:
            self._missing.add(name)

    def looping(self) -> list[str]:
        """The parts that fail again and again."""
        since = trio.current_time() - LOOP_S
        return sorted(name for name, at in self._failures.items() if len(at) == LOOP_FAILURES and at[0] >= since)

    def missing(self) -> list[str]:
        """The parts that do not run any more."""
        return sorted(self._missing)


class _FirstStart:
    """Hands the first report of a start on; a part that is run anew reports to nobody."""

    def __init__(self, task_status: trio.TaskStatus[None]) -> None:
        self._task_status: trio.TaskStatus[None] | None = task_status

    def started(self, value: None = None) -> None:
        if self._task_status is not None:
            self._task_status.started(value)
            self._task_status = None


async def run_under(
    policy: Policy,
    name: str,
    part: Part,
    crashes: Crashes,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run `part` for as long as its policy says; only an essential part's failure comes out of here."""
    failures = 0
    first_start = _FirstStart(task_status)
    while True:
        began = trio.current_time()
        try:
            await part(task_status=first_start)
        except Exception as error:
            failures = 1 if trio.current_time() - began > CALM_S else failures + 1
            match decide(policy, failures):
                case Raise():
                    raise
                case RestartAfter(seconds):
                    crashes.note(name, goes_on=True)
                    log.exception("%s failed and starts anew in %.1f s", name, seconds, exc_info=error)
                    await trio.sleep(seconds)
                case Record():
                    crashes.note(name, goes_on=False)
                    log.exception("%s failed; going on without it", name, exc_info=error)
                    return
        else:
            return
