"""Sleeping wikis: what waking costs in time and memory, and that they fall asleep again."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import process_tree
from bench.figures import Figure, mib, ms, percentile
from bench.host import Host, Planted
from bench.http_client import Visitor
from bench.make_wiki import SMALL

SLOWEST_WAKE_S = 0.250
MOST_AT_REST_BYTES = 190 * 2**20
MOST_AWAKE_BYTES = 32 * 2**20
MOST_ALL_AWAKE_BYTES = int(1.8 * 2**30)
ASLEEP_MARGIN_S = 60.0
POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Wakes:
    """First pages of sleeping wikis, CPU time of all together, and the memory of robot before and after."""

    seconds: Sequence[float]
    cpu_s: float
    rest_bytes: int
    awake_bytes: int
    asleep_after_s: float | None


def wake_all(host: Host, wikis: Sequence[Planted], idle_s: float) -> Wakes:
    """Ask each wiki for one page, one after another, and wait until all of them are asleep again."""
    host.wait_until_ready()
    resting = len(process_tree.read_tree(host.pid))
    rest_bytes = process_tree.pss_bytes(host.pid)
    seconds = []
    before_s = process_tree.cpu_s(host.pid)
    for wiki in wikis:
        with Visitor(host.port, wiki.host) as visitor:
            seconds.append(visitor.get_page(f"/{SMALL}").seconds)
    cpu_s = process_tree.cpu_s(host.pid) - before_s
    awake_bytes = process_tree.pss_bytes(host.pid)
    return Wakes(seconds, cpu_s, rest_bytes, awake_bytes, _wait_until_asleep(host, resting, idle_s + ASLEEP_MARGIN_S))


def _wait_until_asleep(host: Host, resting: int, limit_s: float) -> float | None:
    """Seconds until robot has no more processes than at rest; None when that did not come."""
    began = time.monotonic()
    while time.monotonic() - began < limit_s:
        if len(process_tree.read_tree(host.pid)) <= resting:
            return time.monotonic() - began
        time.sleep(POLL_S)
    return None


def measure(host: Host, wikis: Sequence[Planted], idle_s: float, say: Callable[[str], None]) -> list[Figure]:
    """The rows "sleeping wiki", "memory", and "50 wikis woken one after another, then idle"."""
    wakes = wake_all(host, wikis, idle_s)
    each_bytes = (wakes.awake_bytes - wakes.rest_bytes) / len(wikis)
    median_s = statistics.median(wakes.seconds)
    asleep = "still awake" if wakes.asleep_after_s is None else f"asleep {wakes.asleep_after_s:.0f} s later"
    say(f"wake: {ms(median_s)}; rest {mib(wakes.rest_bytes)}, each {mib(each_bytes)}, {asleep}")
    return [
        Figure(
            f"sleeping wiki: request → first page, median of {len(wikis)} (p99)",
            "2.5–3.5 s",
            "",
            f"{ms(median_s)} ({ms(percentile(wakes.seconds, 0.99))}), {ms(wakes.cpu_s / len(wikis))} of CPU each",
            "≤ 250 ms",
            median_s <= SLOWEST_WAKE_S,
        ),
        Figure(
            "memory (PSS): core + zygote, nothing awake, model not loaded",
            "330–830 MB (4 services)",
            "",
            mib(wakes.rest_bytes),
            "≤ 190 MiB",
            wakes.rest_bytes <= MOST_AT_REST_BYTES,
        ),
        Figure(
            "memory (PSS): each awake wiki",
            "",
            "",
            mib(each_bytes),
            "≤ 32 MiB",
            each_bytes <= MOST_AWAKE_BYTES,
        ),
        Figure(
            f"{len(wikis)} wikis woken one after another, then idle ({idle_s:.0f} s)",
            "",
            "",
            f"{mib(wakes.awake_bytes)}, {asleep}",
            "≤ 1.8 GiB, all asleep again",
            wakes.awake_bytes <= MOST_ALL_AWAKE_BYTES and wakes.asleep_after_s is not None,
        ),
    ]
