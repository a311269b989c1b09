"""Pages that need no rendering: the same public page again, as a stranger, whole or only whether it changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench import process_tree
from bench.figures import Figure, ms
from bench.host import Host, Planted
from bench.http_client import Visitor, WrongAnswer
from bench.make_wiki import SMALL

WARM_UP_REQUESTS = 20
MOST_CPU_S = 0.0006
QUIET_LIMIT_S = 120


def measure(host: Host, wiki: Planted, requests: int, say: Callable[[str], None]) -> list[Figure]:
    """The row "page cache hit; ETag revalidation": CPU a request."""
    with Visitor(host.port, wiki.host) as visitor:
        for _ in range(WARM_UP_REQUESTS):
            first = visitor.get_page(f"/{SMALL}")
        process_tree.wait_until_quiet(host.pid, limit_s=QUIET_LIMIT_S)  # the first visit wakes what makes the catalog
        hit_s = _cpu_s(host, visitor, requests, 200, {})
        say(f"page again: {ms(hit_s)} of CPU")
        etag = next((value for name, value in first.headers.items() if name.lower() == "etag"), None)
        again_s = None if etag is None else _cpu_s(host, visitor, requests, 304, {"If-None-Match": etag})
        say(f"page by its ETag: {'there is no ETag' if again_s is None else ms(again_s) + ' of CPU'}")
    return [
        Figure(
            f"page cache hit, {wiki.slug}, small page: CPU a request",
            "11–47 ms",
            "",
            _precise(hit_s),
            "≤ 0.6 ms",
            hit_s <= MOST_CPU_S,
        ),
        Figure(
            f"the same by its ETag, {wiki.slug}: CPU a request",
            "",
            "",
            "no ETag" if again_s is None else _precise(again_s),
            "≤ 0.6 ms",
            again_s is not None and again_s <= MOST_CPU_S,
        ),
    ]


def _cpu_s(host: Host, visitor: Visitor, requests: int, status: int, headers: Mapping[str, str]) -> float:
    before = process_tree.cpu_s(host.pid)
    for _ in range(requests):
        answer = visitor.get(f"/{SMALL}", headers)
        if answer.status != status:
            raise WrongAnswer(f"{answer.status} instead of {status}")
    return (process_tree.cpu_s(host.pid) - before) / requests


def _precise(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
