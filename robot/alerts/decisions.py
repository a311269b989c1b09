"""What a look at the host comes to: which alerts begin, are told once more, or are over (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from robot.alerts.conditions import PATIENCE_S
from robot.alerts.message import Alert, Kind
from robot.clock import moment

REMIND_S = 24 * 3600.0
CALM_S = 600.0
"""How long nothing may be seen of an alert before it is over: what fails again in between is the same trouble."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert that was told: since when it stands, and when it was told last (seconds since 1970)."""

    alert: Alert
    since: float
    told: float

    @property
    def begun(self) -> datetime:
        """`since`, as people are told."""
        return moment(self.since)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be told of an alert. One that is over stands no more."""

    kind: Kind
    alert: Alert


@dataclass(frozen=True, slots=True)
class Decision:
    """`changes` to tell and keep; `turned` are the alerts that may begin or end, and since when (steady clock)."""

    changes: Sequence[Change]
    turned: Mapping[str, float]


def decide(
    found: Sequence[Alert],
    standing: Sequence[Standing],
    turned: Mapping[str, float],
    *,
    now: float,
    steady: float,
) -> Decision:
    """What follows from a look; `turned` as the look before left it.

    `now` is the wall clock, which may jump: then a reminder comes too early or late.
    """
    seen, stood = {alert.name: alert for alert in found}, {one.alert.name: one for one in standing}
    changes: list[Change] = []
    still_turned: dict[str, float] = {}
    for name in [*seen, *(name for name in stood if name not in seen)]:
        alert, one = seen.get(name), stood.get(name)
        if alert is not None and one is not None:
            if abs(now - one.told) >= REMIND_S:
                changes.append(Change(Kind.STILL, alert))
            continue
        since = turned.get(name, steady)
        if alert is not None and steady - since >= PATIENCE_S.get(name, 0.0):
            changes.append(Change(Kind.BEGAN, alert))
        elif alert is None and one is not None and steady - since >= CALM_S:
            changes.append(Change(Kind.OVER, one.alert))
        else:
            still_turned[name] = since
    return Decision(changes, still_turned)
