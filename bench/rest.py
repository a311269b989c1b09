"""A script over REST: one kept-alive connection of a client in another process, each call for itself."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import quote

from bench import process_tree
from bench.figures import Figure, ms, percentile
from bench.host import Host, Planted
from bench.http_client import Answer, Visitor, WrongAnswer
from bench.make_wiki import SMALL

WARM_UP_CALLS = 5
API = "/api/v1"
SMALL_PAGE = f"{API}/pages/{quote(SMALL)}"
# Words of the corpus, common and rare, one and several, so that no answer is the last one again.
QUERIES = ("function", "search index", "thread lock", "wheel", "socket timeout error", "return the value", "encoding")

_numbers = count()


@dataclass(frozen=True, slots=True)
class Call:
    """A row: what one round of it asks, what it cost before, its budget, and how many of them make up for one."""

    name: str
    seen: str
    most_s: float
    ask: Callable[[Visitor], float]
    share: float = 1.0


def _json(answer: Answer) -> Any:
    if answer.status not in (200, 201):
        raise WrongAnswer(f"{answer.status} {answer.body[:200]!r}")
    return json.loads(answer.body)


def _list(agent: Visitor) -> float:
    answer = agent.get(f"{API}/pages")
    if len(listed := _json(answer)["pages"]) < min(_json(answer)["total"], 1000):
        raise WrongAnswer(f"{len(listed)} pages are not all")
    return answer.seconds


def _read(agent: Visitor) -> float:
    return agent.get_page(SMALL_PAGE).seconds


def _history(agent: Visitor) -> float:
    return agent.get_page(f"{SMALL_PAGE}/history").seconds


def _search(agent: Visitor) -> float:
    return agent.get_page(f"{API}/search?q={quote(QUERIES[next(_numbers) % len(QUERIES)])}").seconds


def _links(agent: Visitor) -> float:
    return agent.get_page(f"{API}/links").seconds


def _put(agent: Visitor, target: str, body: dict[str, str]) -> Answer:
    answer = agent.ask("PUT", target, json.dumps(body).encode(), {"Content-Type": "application/json"})
    _json(answer)
    return answer


def _create(agent: Visitor) -> float:
    number = next(_numbers)
    text = f"# Page {number}\n\nWritten over REST, see [[{SMALL}]].\n"
    return _put(agent, f"{API}/pages/Rest/Page%20{number}", {"content": text}).seconds


def _read_and_update(agent: Visitor) -> float:
    read = agent.get_page(SMALL_PAGE)
    page = _json(read)
    text = page["content"].rstrip() + f"\n\nUpdated {next(_numbers)}.\n"
    return read.seconds + _put(agent, SMALL_PAGE, {"content": text, "revision": page["revision"]}).seconds


CALLS = (
    Call("list of all pages", "29 s (55 s aged)", 0.040, _list, share=0.2),
    Call("read of a page", "19–31 ms", 0.004, _read),
    Call("history of a page", "99 ms", 0.006, _history),
    Call("keyword search", "497 ms", 0.015, _search),
    Call("whole link graph, to find orphans", "1 + 1,000 calls", 0.030, _links, share=0.2),
    Call("create of a page", "62 ms", 0.020, _create, share=0.3),
    Call("read + update of a page", "141 ms", 0.030, _read_and_update, share=0.3),
)


def ask(host: Host, wiki: Planted, call: Call, rounds: int) -> tuple[list[float], float]:
    """Latency of each round, and the server's CPU seconds a round."""
    headers = {"Authorization": f"Bearer {wiki.token}", "Accept": "application/json"}
    with Visitor(host.port, wiki.host, headers) as agent:
        for _ in range(WARM_UP_CALLS):
            call.ask(agent)
        before = process_tree.cpu_s(host.pid)
        seconds = [call.ask(agent) for _ in range(rounds)]
        return seconds, (process_tree.cpu_s(host.pid) - before) / rounds


def measure(
    host: Host, wiki: Planted, rounds: int, say: Callable[[str], None], calls: Sequence[Call] = CALLS
) -> list[Figure]:
    """The REST rows. The wiki is at rest: its search index is made, or nobody asked for it."""
    figures = []
    for call in calls:
        seconds, cpu_s = ask(host, wiki, call, max(3, round(rounds * call.share)))
        p50 = statistics.median(seconds)
        said = f"{ms(p50)} (p99 {ms(percentile(seconds, 0.99))}, {ms(cpu_s)} of CPU)"
        say(f"REST {call.name}: {said}")
        name = f"REST {call.name}, {wiki.slug}: p50"
        figures.append(Figure(name, call.seen, "", said, f"≤ {ms(call.most_s)}", p50 <= call.most_s))
    return figures
