"""What visitors of one wiki notice of what is done to another: pages and reads, in turns at rest and beside it."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench import process_tree
from bench.crowd import Crowd, gathered
from bench.figures import Figure, ms, percentile
from bench.host import Host, Planted
from bench.http_client import Visitor
from bench.make_wiki import SMALL
from bench.page_views import look_at
from bench.searching import API, agent_of, read_json

SETTLE_S = 1.0
MOST_SLOWER = 2.0
MOST_PAGES = 200
KINDS = PAGE, READ = "page, no cache", "REST read"

Seconds = dict[str, list[float]]
"""How long each took, by kind."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What so many clients do at once to the other wiki."""

    name: str
    work: str
    clients: int


DEEDS = (
    Deed("50 clients crawl it", "crawl", 50),
    Deed("8 clients clone it", "clone", 8),
    Deed("8 clients upload 8 MiB each to it", "upload", 8),
)


def measure(
    host: Host, busy: Planted, other: Planted, rounds: int, phase_s: float, say: Callable[[str], None]
) -> list[Figure]:
    """A row for each deed: the p99 of pages and of reads by REST of `other`, beside that at rest."""
    pages = page_names(busy)
    for wiki in (busy, other):
        with agent_of(host, wiki) as agent:
            read_json(agent.get(f"{API}/pages"))  # the catalogs are made from here on
    return [row for deed in DEEDS for row in _beside(host, busy, other, deed, pages, rounds, phase_s, say)]


def page_names(wiki: Planted) -> list[str]:
    """Addresses of pages of the wiki."""
    listed = subprocess.run(
        ["git", "-C", str(wiki.repo), "ls-files", "*.md"], capture_output=True, text=True, check=True
    ).stdout
    return [line.removesuffix(".md").replace(" ", "%20") for line in listed.splitlines() if line.isascii()][:MOST_PAGES]


def _beside(
    host: Host,
    busy: Planted,
    other: Planted,
    deed: Deed,
    pages: list[str],
    rounds: int,
    phase_s: float,
    say: Callable[[str], None],
) -> list[Figure]:
    crowd = Crowd(host.port, busy.host, busy.token, deed.work, deed.clients, pages)
    quiet: Seconds = {kind: [] for kind in KINDS}
    beside: Seconds = {kind: [] for kind in KINDS}
    for _ in range(rounds):
        _look(host, other, phase_s, quiet)
        with gathered(crowd):
            _look(host, other, phase_s, beside)
        process_tree.wait_until_quiet(host.pid, limit_s=60.0)
    figures = []
    for kind in KINDS:
        p99, during = percentile(quiet[kind], 0.99), percentile(beside[kind], 0.99)
        p50s = [ms(statistics.median(seconds)) for seconds in (quiet[kind], beside[kind])]
        said = f"{during / p99:.2f}× ({ms(p99)} → {ms(during)}; p50 {p50s[0]} → {p50s[1]})"
        say(f"{kind} of another wiki while {deed.name}: p99 {said}")
        name = f"{kind}: p99 of another wiki while {deed.name}"
        figures.append(Figure(name, "", "", said, f"≤ {MOST_SLOWER:g}× quiet", during <= MOST_SLOWER * p99))
    return figures


def _look(host: Host, wiki: Planted, seconds: float, into: Seconds) -> None:
    """A page and a read in turns, for so long, once the first are over."""
    with Visitor(host.port, wiki.host) as visitor, agent_of(host, wiki) as agent:
        look = look_at(SMALL)
        began = time.monotonic()
        while (passed_s := time.monotonic() - began) < SETTLE_S + seconds:
            page_s, read_s = look(visitor), _read(agent)
            if passed_s > SETTLE_S:
                into[PAGE].append(page_s)
                into[READ].append(read_s)


def _read(agent: Visitor) -> float:
    answer = agent.get(f"{API}/pages/{SMALL.replace('/', '%2F')}")
    read_json(answer)
    return answer.seconds
