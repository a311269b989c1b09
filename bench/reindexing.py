"""Re-indexing: its CPU time, what is left of it when nothing changed, and what others notice of it."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import loop_delay, process_tree
from bench.figures import Figure, mib, ms, percentile
from bench.host import Host, Planted
from bench.http_client import Visitor
from bench.make_wiki import SMALL
from bench.page_views import look_at
from bench.searching import API, agent_of, read_json

LIMIT_S = 1800.0
# A status takes the server some milliseconds: long work is not asked for it more often than is no load.
POLL_S = 0.05
SELDOM_S = 0.5
SETTLE_S = 1.0
MOST_DELAY_S = 0.008
MOST_SLOWER = 1.5
MOST_CORE_BYTES = 350 * 2**20


@dataclass(frozen=True, slots=True)
class Budget:
    """What a full re-index of a wiki may take, and what it took in the system replaced."""

    seen: str
    most_cpu_s: float
    most_again_s: float


SMALL_BUDGET = Budget("40 s (20 s on two cores)", 12.0, 0.5)
LARGE_BUDGET = Budget("478 s (243 s on two cores)", 145.0, 3.0)


@dataclass(frozen=True, slots=True)
class Run:
    """A re-index, or the beginning of one: wall and CPU seconds, passages that were embedded, and of how many."""

    wall_s: float
    cpu_s: float
    embedded: int
    passages: int


def forget_vectors(wiki: Planted) -> None:
    """Make the wiki one whose passages were never embedded."""
    with closing(sqlite3.connect(wiki.catalog, timeout=30)) as catalog, catalog:
        catalog.execute("DELETE FROM vector")


def is_indexed(host: Host, wiki: Planted) -> bool:
    """Whether every page has its passages, cut and embedded as this robot does it."""
    with agent_of(host, wiki) as agent:
        return str(_status(agent)["status"]) == "complete"


def reindex(host: Host, wiki: Planted, poll_s: float, longest_s: float = LIMIT_S) -> Run:
    """A re-index to its end, or cancelled after `longest_s`. Raises TimeoutError after `LIMIT_S`."""
    with agent_of(host, wiki) as agent:
        before = process_tree.cpu_s(host.pid)
        known = _status(agent)["chunks_indexed"]
        began = time.perf_counter()
        read_json(agent.ask("POST", f"{API}/reindex"))
        while (status := _status(agent))["status"] == "in_progress":
            elapsed_s = time.perf_counter() - began
            if elapsed_s > LIMIT_S:
                raise TimeoutError(f"{wiki.slug} is still being indexed after {elapsed_s:.0f} s")
            if elapsed_s > longest_s:
                read_json(agent.ask("DELETE", f"{API}/reindex"))
            time.sleep(poll_s)
        if status["status"] == "error":
            raise RuntimeError(f"{wiki.slug} was not indexed: {status['error_message']}")
        elapsed_s = time.perf_counter() - began
        cpu_s = process_tree.cpu_s(host.pid) - before
        return Run(elapsed_s, cpu_s, status["chunks_indexed"] - known, status["chunks_total"])


def measure_small(host: Host, wiki: Planted, say: Callable[[str], None]) -> list[Figure]:
    """A wiki indexed from nothing, and again. The model is loaded."""
    forget_vectors(wiki)
    run = reindex(host, wiki, SELDOM_S)
    return [_full_row(wiki, run, SMALL_BUDGET, say), measure_again(host, wiki, SMALL_BUDGET, say)]


def measure_again(host: Host, wiki: Planted, budget: Budget, say: Callable[[str], None]) -> Figure:
    """The row "the same again, nothing changed". The wiki is indexed."""
    run = reindex(host, wiki, POLL_S)
    said = f"{run.wall_s:.2f} s ({run.cpu_s:.2f} s of CPU)"
    say(f"re-index again, {wiki.slug}: {said}, {run.embedded} passages embedded")
    name = f"the same again, nothing changed, {wiki.slug}"
    return Figure(name, "the same", "", said, f"≤ {budget.most_again_s:g} s", run.wall_s <= budget.most_again_s)


def measure_large(host: Host, wiki: Planted, sample_s: float | None, say: Callable[[str], None]) -> Figure:
    """The row of a large wiki: of the whole, or reckoned from `sample_s` seconds of it."""
    forget_vectors(wiki)
    run = reindex(host, wiki, SELDOM_S, LIMIT_S if sample_s is None else sample_s)
    return _full_row(wiki, run, LARGE_BUDGET, say)


def _full_row(wiki: Planted, run: Run, budget: Budget, say: Callable[[str], None]) -> Figure:
    """Of a run that was cut off, what the whole would have taken at its pace."""
    each_s = run.cpu_s / run.embedded
    whole_s = each_s * run.passages
    said = f"{whole_s:.1f} s of CPU"
    if run.embedded < run.passages:
        said = f"about {said}, reckoned from the first {run.embedded} passages"
    said += f" ({ms(each_s)} a passage, {run.embedded / run.wall_s:.0f} passages/s)"
    say(f"full re-index, {wiki.slug}: {said}")
    name = f"full re-index, {wiki.slug}, {run.passages} passages"
    return Figure(name, budget.seen, "", said, f"≤ {budget.most_cpu_s:g} s of CPU", whole_s <= budget.most_cpu_s)


@dataclass(frozen=True, slots=True)
class Beside:
    """What a visitor of another wiki, and the loop, felt over some seconds."""

    pages_s: list[float]
    delays_s: list[float]


def measure_beside(
    host: Host, busy: Planted, other: Planted, delays: Path, rounds: int, phase_s: float, say: Callable[[str], None]
) -> list[Figure]:
    """Pages of another wiki, and the loop's delay, in turns at rest and while `busy` is indexed from nothing."""
    forget_vectors(busy)
    quiet, during = Beside([], []), Beside([], [])
    with Visitor(host.port, other.host) as visitor, agent_of(host, busy) as agent:
        _look(visitor, delays, SETTLE_S)
        for _ in range(rounds):
            _add(quiet, _look(visitor, delays, phase_s))
            with _indexing(agent):
                _look(visitor, delays, SETTLE_S)
                _add(during, _look(visitor, delays, phase_s))
            process_tree.wait_until_quiet(host.pid, limit_s=LIMIT_S)
    pages = [percentile(each.pages_s, 0.99) for each in (quiet, during)]
    p50s = [statistics.median(each.pages_s) for each in (quiet, during)]
    delay = [percentile(each.delays_s, 0.99) for each in (quiet, during)]
    slower = pages[1] / pages[0]
    said = f"{slower:.2f}× ({ms(pages[0])} → {ms(pages[1])}; p50 {ms(p50s[0])} → {ms(p50s[1])})"
    late = f"{ms(delay[1])} (quiet {ms(delay[0])}; longest {ms(max(during.delays_s))})"
    say(f"beside a re-index: page p99 {said}; loop delay p99 {late}")
    return [
        Figure(
            "event loop delay p99 during a re-index", "", "", late, f"≤ {ms(MOST_DELAY_S)}", delay[1] <= MOST_DELAY_S
        ),
        Figure(
            f"page p99 of another wiki during a re-index, {other.slug}, no cache",
            "1.7–2.2×",
            "",
            said,
            f"≤ {MOST_SLOWER}× quiet",
            slower <= MOST_SLOWER,
        ),
    ]


def measure_memory(host: Host, say: Callable[[str], None]) -> Figure:
    """The row of memory: the core alone, after all that was done to it."""
    core = process_tree.own_pss_bytes(host.pid)
    say(f"memory of the core: {mib(core)}")
    name = "memory (PSS) of the core, model loaded, after a full re-index"
    return Figure(name, "815–859 MB a worker", "", mib(core), f"≤ {mib(MOST_CORE_BYTES)}", core <= MOST_CORE_BYTES)


def _status(agent: Visitor) -> Any:
    return read_json(agent.get(f"{API}/reindex/status"))


@contextmanager
def _indexing(agent: Visitor) -> Iterator[None]:
    """A re-index that is under way in the block, and must not end in it, which raises RuntimeError."""
    read_json(agent.ask("POST", f"{API}/reindex"))
    yield
    if read_json(agent.ask("DELETE", f"{API}/reindex"))["status"] != "cancelled":
        raise RuntimeError("the wiki was indexed before the others were measured")


def _look(visitor: Visitor, delays: Path, seconds: float) -> Beside:
    """Pages one after another, past every cache, for so long."""
    began = time.monotonic()
    look = look_at(SMALL)
    pages_s = []
    while time.monotonic() - began < seconds:
        pages_s.append(look(visitor))
    return Beside(pages_s, loop_delay.delays(delays, began, time.monotonic()))


def _add(all_of_it: Beside, more: Beside) -> None:
    all_of_it.pages_s.extend(more.pages_s)
    all_of_it.delays_s.extend(more.delays_s)
