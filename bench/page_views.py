"""CPU time and latency of a small page, stock and robot in turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from bench import process_tree
from bench.figures import Figure, ms, spread
from bench.http_client import Visitor
from bench.make_wiki import SMALL

WARM_UP_REQUESTS = 20
MOST_OVER_STOCK_S = 0.001

_unique = count()


@dataclass(frozen=True, slots=True)
class Server:
    """Where to send requests, and whose CPU time to count."""

    port: int
    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class Views:
    """What one server did: CPU seconds a request of each repetition, and the latency of each request."""

    cpu_s: Sequence[float]
    latency_s: Sequence[float]


def view(server: Server, page: str, requests: int) -> tuple[float, list[float]]:
    """`requests` views one after another: CPU seconds of each on average, latencies.

    Each address is different, so that nothing but the server's own work is measured, no cache of whole answers.
    """
    with Visitor(server.port, server.host) as visitor:
        before = process_tree.cpu_s(server.pid)
        latencies = [visitor.get_page(f"/{page}?n={next(_unique)}").seconds for _ in range(requests)]
        return (process_tree.cpu_s(server.pid) - before) / requests, latencies


def compare(servers: Sequence[Server], page: str, *, requests: int, repetitions: int) -> list[Views]:
    """The same views of each server, in turns, so that a disturbed minute hits both."""
    for server in servers:
        view(server, page, WARM_UP_REQUESTS)
    rounds = [[view(server, page, requests) for server in servers] for _ in range(repetitions)]
    return [
        Views([cpu for cpu, _ in of_one], [one for _, many in of_one for one in many])
        for of_one in zip(*rounds, strict=True)
    ]


def measure(
    stock: Server, robot: Server, *, label: str, seen: str, requests: int, repetitions: int, say: Callable[[str], None]
) -> list[Figure]:
    """The row "small page through front and worker, no cache" for one wiki."""
    of_stock, of_robot = compare([stock, robot], SMALL, requests=requests, repetitions=repetitions)
    say(f"small page, {label}: stock {spread(of_stock.cpu_s)}, robot {spread(of_robot.cpu_s)} of CPU")
    over_s = statistics.median(of_robot.cpu_s) - statistics.median(of_stock.cpu_s)
    return [
        Figure(
            f"small page through front and worker, no cache, {label}: CPU a request",
            seen,
            spread(of_stock.cpu_s),
            f"{spread(of_robot.cpu_s)}, {over_s * 1000:+.1f} ms",
            "stock + 1 ms",
            over_s <= MOST_OVER_STOCK_S,
        ),
        Figure(
            f"the same, {label}: latency p50",
            "",
            ms(statistics.median(of_stock.latency_s)),
            ms(statistics.median(of_robot.latency_s)),
            "",
            None,
        ),
    ]
