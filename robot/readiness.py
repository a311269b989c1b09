"""Whether this host can do its work, and if not, what keeps it from that: one decision (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robot.machine import MachineFacts

LEAST_FREE_BYTES = 64 * 1024 * 1024
"""With less, the next upload may fail."""

LONGEST_STILL_S = 300.0
"""An index that is far behind is on its way; one that does not move for so long is stuck."""

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold; `problem` is a sentence for the operator, empty where it does."""

    name: str
    problem: str


def check_all(facts: MachineFacts) -> Sequence[Check]:
    """What must hold, each."""
    zygote = "" if facts.has_zygote else "No worker can be made: the zygote has ended, and a new one is starting."
    return [
        Check("database", facts.database_problem),
        Check("disk", _disk(facts)),
        Check("index", _index(facts)),
        Check("zygote", zygote),
    ]


def failing(facts: MachineFacts) -> Sequence[Check]:
    """What does not hold."""
    return [check for check in check_all(facts) if check.problem]


def _disk(facts: MachineFacts) -> str:
    if facts.disk.free >= LEAST_FREE_BYTES:
        return ""
    return f"Only {facts.disk.free // _MIB} MiB are free where the data is; make room before saves fail."


def _index(facts: MachineFacts) -> str:
    if facts.backlog.still_s <= LONGEST_STILL_S:
        return ""
    still = f"{facts.backlog.still_s / 60:.0f} minutes"
    return f"Wikis wait to be indexed, and nothing was done for {still}; restart robot if that goes on."
