"""CPU time and latency of Otter Wiki's pages in a browser, stock and robot in turns."""

from __future__ import annotations

import html
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from urllib.parse import urlencode

from bench import process_tree
from bench.figures import Figure, ms, spread
from bench.http_client import Visitor, WrongAnswer
from bench.make_wiki import LARGE, SMALL

WARM_UP_SHARE = 0.2
MOST_OVER_STOCK_S = 0.001

_HIDDEN = re.compile(r'<input [^>]*type="hidden"[^>]*>')
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
_TEXT = re.compile(r'<textarea id="content_editor"[^>]*>(.*?)</textarea>', re.DOTALL)

_unique = count()


@dataclass(frozen=True, slots=True)
class Server:
    """Where to send requests, and whose CPU time to count; `editor` are cookies of somebody who may edit."""

    port: int
    host: str
    pid: int
    editor: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """What a visitor does once, how long that may take the server, and what it took in the system replaced."""

    name: str
    seen: str
    most_s: float
    do: Callable[[Visitor], float]
    edits: bool = False


@dataclass(frozen=True, slots=True)
class Views:
    """What one server did: CPU seconds a task of each repetition, and the latency of each task."""

    cpu_s: Sequence[float]
    latency_s: Sequence[float]


def look_at(target: str) -> Callable[[Visitor], float]:
    """A view of `target`.

    Each address is different, so that nothing but the server's own work is measured, no cache of whole answers.
    """
    return lambda visitor: visitor.get_page(f"/{target}?nocache={next(_unique)}").seconds


def open_editor(visitor: Visitor, page: str) -> tuple[dict[str, str], float]:
    """The fields of a page's editor, its text under `content`; and the seconds that it took to open."""
    form = visitor.get_page(f"/{page}/edit")
    return form_of(form.body.decode()), form.seconds


def form_of(shown: str) -> dict[str, str]:
    """The fields of the editor that a page shows, its text under `content`. Raises WrongAnswer when it has none."""
    inputs = (dict(_ATTRIBUTE.findall(one)) for one in _HIDDEN.findall(shown))
    fields = {one["name"]: html.unescape(one.get("value", "")) for one in inputs if "name" in one}
    text = _TEXT.search(shown)
    if text is None:
        raise WrongAnswer("the editor has no text")
    return {**fields, "content": html.unescape(text[1])}


def save(visitor: Visitor, page: str, fields: Mapping[str, str]) -> float:
    """Send the editor's fields back; the seconds until it is saved."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    saved = visitor.ask("POST", f"/{page}/save", urlencode(fields).encode(), headers)
    if saved.status != HTTPStatus.FOUND:
        raise WrongAnswer(f"not saved: {saved.status} {saved.body[:200]!r}")
    return saved.seconds


def _edit(visitor: Visitor) -> float:
    """Open the editor, add a line, save, and look at the page, as a browser does without scripts."""
    fields, opened_s = open_editor(visitor, SMALL)
    fields["content"] += f"\n\nEdit {next(_unique)}."
    saved_s = save(visitor, SMALL, fields)
    viewed = visitor.get_page(f"/{SMALL}")
    if fields["content"].rsplit(maxsplit=1)[-1].encode() not in viewed.body:
        raise WrongAnswer("the page does not show what was saved")
    return opened_s + saved_s + viewed.seconds


SMALL_PAGE = Task("small page", "", 0.022, look_at(SMALL))
OTHERS = (
    Task("large page", "237 ms", 0.170, look_at(LARGE)),
    Task("page index", "950 ms", 0.250, look_at("-/index")),
    Task("changelog", "459 ms", 0.080, look_at("-/changelog")),
    Task("history of a page", "200 ms", 0.040, look_at(f"{SMALL}/history")),
    Task("edit form", "680 ms", 0.080, look_at(f"{SMALL}/edit"), edits=True),
    Task("edit form → save → view", "845 ms", 0.200, _edit, edits=True),
)


def do(server: Server, task: Task, times: int) -> tuple[float, list[float]]:
    """The task again and again: CPU seconds of each on average, latencies."""
    with Visitor(server.port, server.host, cookies=server.editor if task.edits else None) as visitor:
        before = process_tree.cpu_s(server.pid)
        latencies = [task.do(visitor) for _ in range(times)]
        return (process_tree.cpu_s(server.pid) - before) / times, latencies


def compare(servers: Sequence[Server], task: Task, *, times: int, repetitions: int) -> list[Views]:
    """The same on each server, in turns, so that a disturbed minute hits both."""
    for server in servers:
        do(server, task, max(2, round(times * WARM_UP_SHARE)))
    rounds = [[do(server, task, times) for server in servers] for _ in range(repetitions)]
    return [
        Views([cpu for cpu, _ in of_one], [one for _, many in of_one for one in many])
        for of_one in zip(*rounds, strict=True)
    ]


def measure_small(
    stock: Server, robot: Server, *, label: str, seen: str, times: int, repetitions: int, say: Callable[[str], None]
) -> list[Figure]:
    """The row "small page through front and worker, no cache" for one wiki."""
    of_stock, of_robot = compare([stock, robot], SMALL_PAGE, times=times, repetitions=repetitions)
    say(f"small page, {label}: stock {spread(of_stock.cpu_s)}, robot {spread(of_robot.cpu_s)} of CPU")
    median_s = statistics.median(of_robot.cpu_s)
    over_s = median_s - statistics.median(of_stock.cpu_s)
    return [
        Figure(
            f"small page through front and worker, no cache, {label}: CPU a request",
            seen,
            spread(of_stock.cpu_s),
            f"{spread(of_robot.cpu_s)}, {over_s * 1000:+.1f} ms",
            f"stock + 1 ms, and ≤ {ms(SMALL_PAGE.most_s)}",
            over_s <= MOST_OVER_STOCK_S and median_s <= SMALL_PAGE.most_s,
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


def measure_others(
    stock: Server, robot: Server, *, label: str, times: int, repetitions: int, say: Callable[[str], None]
) -> list[Figure]:
    """The rows of the other pages: CPU, and p50 beside it."""
    figures = []
    for task in OTHERS:
        of_stock, of_robot = compare([stock, robot], task, times=times, repetitions=repetitions)
        said = [f"{spread(one.cpu_s)}, p50 {ms(statistics.median(one.latency_s))}" for one in (of_stock, of_robot)]
        say(f"{task.name}, {label}: stock {said[0]}, robot {said[1]}")
        kept = statistics.median(of_robot.cpu_s) <= task.most_s
        name = f"{task.name}, no cache, {label}: CPU"
        figures.append(Figure(name, task.seen, said[0], said[1], f"≤ {ms(task.most_s)}", kept))
    return figures
