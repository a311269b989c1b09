"""One soak: `python -m tests.soak.run [--minutes 10] [--seed N]`, which stops by itself and prints a summary.

The disk is filled where this user may mount a small one of its own (root may), else that fault is left out.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import host
from bench.host import plant
from bench.loops import Journal, Loops, Tally
from bench.service import Service
from tests.processes import small_disk
from tests.soak import verdict
from tests.soak.chaos import Chaos
from tests.soak.clients import KINDS, Everybody
from tests.soak.clock import PROGRAM, MovedClock
from tests.soak.schedule import CORE_ENDS_UNTIL, Event, Fault, schedule
from tests.soak.watch import Growth, Sample, growth, look

DISK_MIB = 512
CALM_S = 5.0
WARM_UP_S = 180.0
"""Until what is kept in memory is full: the model for searches, trees, pages, each thread's connections and heap."""
SEEN_S = 60.0
"""What is seen for less tells nothing of a minute."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, and how hard: `pause_s` between two turns of a client, `sample_s` between two looks."""

    seconds: float
    wikis: int = 3
    pause_s: float = 0.25
    sample_s: float = 2.0

    @property
    def shows_growth(self) -> bool:
        """Whether the core that lives last does so for long enough to be seen growing."""
        return (1 - CORE_ENDS_UNTIL) * self.seconds >= WARM_UP_S + SEEN_S


@dataclass(slots=True)
class Outcome:
    """What came of it: `faults` are what must not be."""

    plan: Plan
    events: list[Event]
    tallies: dict[str, Tally]
    journal: Journal
    restarts_s: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    grown: Growth | None = None
    faults: list[str] = field(default_factory=list)


def soak(plan: Plan, events: list[Event], place: Path, say: Say) -> Outcome:
    """Run it in an empty directory. Raises what a client or a fault of the harness raises."""
    outcome = Outcome(plan, events, {kind: Tally() for kind in KINDS}, Journal())
    clock = MovedClock(place / "clock")
    is_filled = any(event.fault is Fault.FILL_DISK for event in events)
    with _disk(place / "disk", small=is_filled) as disk:
        data = disk / "data"
        wikis = list(plant(data, {f"soak-{number}": None for number in range(plan.wikis)}).values())
        service = Service(data, host.environment(clock.environment), PROGRAM, log=place / "log")
        try:
            service.start()
            loops = Loops()
            _live(outcome, Chaos(service, clock, wikis, disk, loops.over, outcome.restarts_s), loops, place, say)
            outcome.faults += verdict.index_faults(service.port, wikis)
            service.stop()
        finally:
            service.close()
        outcome.faults += verdict.wiki_faults(wikis, outcome.journal)
        outcome.faults += verdict.leftovers(data)
    return outcome


def _live(outcome: Outcome, chaos: Chaos, loops: Loops, place: Path, say: Say) -> None:
    """The time in which everybody works and everything breaks."""
    plan = outcome.plan
    for wiki in chaos.wikis:
        at_work = place / wiki.slug
        at_work.mkdir()
        Everybody(chaos.service.port, wiki, at_work, outcome.journal, outcome.tallies, plan.pause_s).begin(loops)
    loops.repeat(lambda: _sample(chaos.service, outcome.samples), plan.sample_s)
    began = time.monotonic()
    try:
        for event in outcome.events:
            loops.over.wait(max(0.0, began + event.at_s - time.monotonic()))
            if loops.over.is_set():
                break
            say(str(event))
            chaos.cause(event)
        loops.over.wait(max(0.0, began + plan.seconds - time.monotonic()))
    finally:
        loops.stop()
    outcome.grown = growth(outcome.samples, WARM_UP_S)


def _sample(service: Service, samples: list[Sample]) -> None:
    sample = look(service.pid)
    if sample is not None:
        samples.append(sample)


@contextmanager
def _disk(place: Path, *, small: bool) -> Iterator[Path]:
    place.mkdir()
    with ExitStack() as stack:
        yield stack.enter_context(small_disk(place, DISK_MIB)) if small else place


def summary(outcome: Outcome) -> str:
    """What happened and what came of it, for people."""
    plan, counts = outcome.plan, {fault: 0 for fault in Fault}
    for event in outcome.events:
        counts[event.fault] += 1
    lines = [f"{plan.seconds / 60:.1f} minutes, {plan.wikis} wikis. Faults:"]
    lines += [f"  {count:3} × {fault}" for fault, count in counts.items() if count]
    lines.append("What clients were told:")
    for kind, tally in outcome.tallies.items():
        told = ", ".join(f"{count} {what}" for what, count in sorted(tally.as_dict().items()))
        lines.append(f"  {kind}: {told}")
    if outcome.restarts_s:
        lines.append(f"{len(outcome.restarts_s)} starts anew, the slowest within {max(outcome.restarts_s):.1f} s.")
    lines.append(f"{outcome.journal.acknowledged} writes were acknowledged.")
    if (grown := outcome.grown) is not None:
        lines.append(
            f"In each minute: core {grown.core_mib:+.2f} MiB, all {grown.all_mib:+.2f} MiB,"
            f" descriptors {grown.descriptors:+.2f}, processes {grown.processes:+.2f}; at the end core"
            f" {grown.last.core_bytes / 2**20:.0f} MiB, all {grown.last.all_bytes / 2**20:.0f} MiB,"
            f" {grown.last.descriptors} descriptors, {grown.last.processes} processes below core."
        )
    if not plan.shows_growth:
        lines.append("Too short to tell what grows; ten minutes are enough.")
    good = "Nothing was lost, git is sound, catalogs are right, the index is complete, nothing was left behind."
    lines += [f"FAULT: {fault}" for fault in outcome.faults] or [good]
    return "\n".join(lines)


def main() -> int:
    """Returns 1 when something is wrong."""
    parser = argparse.ArgumentParser(description="Let everything happen at once, and look at what is left.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    args = parser.parse_args()
    faults = [fault for fault in Fault if fault is not Fault.FILL_DISK or os.geteuid() == 0]
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:6.1f}] {text}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="robot-soak-") as place:
        plan = Plan(60 * args.minutes)
        events = schedule(args.seed, plan.seconds, plan.wikis, faults, CALM_S)
        outcome = soak(plan, events, Path(place), say)
        if plan.shows_growth:
            outcome.faults += verdict.growth_faults(outcome.grown)
        if outcome.faults:
            kept = Path(tempfile.gettempdir()) / f"robot-soak-{args.seed}.log"
            kept.write_bytes((Path(place) / "log").read_bytes())
            say(f"the log of robot is kept in {kept}")
    print(f"Seed {args.seed}.", summary(outcome))
    return int(bool(outcome.faults))


if __name__ == "__main__":
    sys.exit(main())
