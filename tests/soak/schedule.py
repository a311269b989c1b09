"""Which fault happens when: a list from a seed, the same each time. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

DAY_S = 86_400


class Fault(StrEnum):
    """What is done to a running host."""

    KILL_WORKER = "SIGKILL to a worker"
    KILL_ZYGOTE = "SIGKILL to the zygote"
    KILL_CORE = "SIGKILL to core, which systemd starts again"
    RESTART = "restart"
    FILL_DISK = "the disk is full"
    SET_CLOCK = "the clock is set"
    HANG_WORKER = "a worker hangs"
    STALL_READERS = "clients read nothing of what they asked for"


ENDING_CORE = frozenset({Fault.KILL_CORE, Fault.RESTART})
LASTING_S = {Fault.FILL_DISK: (1.0, 3.0), Fault.HANG_WORKER: (1.0, 5.0), Fault.STALL_READERS: (1.0, 4.0)}
CLOCK_OFFSETS_S = (-DAY_S, -3600, 3600, 0)
SHORTEST_CALM_S = 0.5
# Of the whole; in what is left core is not ended any more, so that it lives long enough to be seen growing.
CORE_ENDS_UNTIL = 0.4


@dataclass(frozen=True, slots=True)
class Event:
    """One fault, `at_s` after the beginning. `wiki` is a number below that of the wikis.

    `lasts_s` is for what goes on for a while, `offset_s` what is added to the right time from then on.
    """

    at_s: float
    fault: Fault
    wiki: int = 0
    lasts_s: float = 0.0
    offset_s: int = 0

    def __str__(self) -> str:
        more = f", {self.lasts_s:.1f} s" if self.lasts_s else ""
        more += f", {self.offset_s:+d} s" if self.fault is Fault.SET_CLOCK else ""
        return f"{self.at_s:6.1f} s  {self.fault}{more}"


def schedule(seed: int, seconds: float, wikis: int, faults: Sequence[Fault], calm_s: float) -> list[Event]:
    """Faults for so long, `calm_s` apart on average. Each comes once before any comes again.

    What ends core comes in the first part only; the clock is right again in the end.
    """
    chance = random.Random(seed)
    events: list[Event] = []
    stack: list[Fault] = []
    at_s = chance.uniform(SHORTEST_CALM_S, 2 * calm_s)
    while at_s < seconds:
        allowed = [fault for fault in faults if at_s < CORE_ENDS_UNTIL * seconds or fault not in ENDING_CORE]
        stack = [fault for fault in stack if fault in allowed] or chance.sample(allowed, len(allowed))
        event = _event(chance, at_s, stack.pop(), wikis)
        events.append(event)
        at_s += event.lasts_s + chance.uniform(SHORTEST_CALM_S, max(SHORTEST_CALM_S, 2 * calm_s))
    if any(event.offset_s for event in events):
        events.append(Event(seconds, Fault.SET_CLOCK))
    return events


def _event(chance: random.Random, at_s: float, fault: Fault, wikis: int) -> Event:
    lasts_s = chance.uniform(*LASTING_S[fault]) if fault in LASTING_S else 0.0
    offset_s = chance.choice(CLOCK_OFFSETS_S) if fault is Fault.SET_CLOCK else 0
    return Event(at_s, fault, chance.randrange(wikis), lasts_s, offset_s)
