"""Search over REST: what a query takes, alone and eight at once, and how soon a save is found."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import quote, urlencode

from bench import page_views, process_tree
from bench.figures import Figure, ms, percentile
from bench.host import Host, Planted
from bench.http_client import Answer, Visitor, WrongAnswer
from bench.make_wiki import LARGE

API = "/api/v1"
CLIENTS = 8
WARM_UP_CALLS = 5
MOST_QUERY_S = 0.015
LEAST_A_SECOND = 80
MOST_BY_WORDS_S = 0.050
MOST_BY_MEANING_S = 0.400
POLL_S = 0.005
PATIENCE_S = 60.0
# Words of the corpus, common and rare, one and several.
QUERIES = ("function", "search index", "thread lock", "wheel", "socket timeout error", "return the value", "encoding")

_numbers = count()


@dataclass(frozen=True, slots=True)
class Query:
    """One way to search, and the rows' name for it."""

    name: str
    target: str
    seen: str
    seen_together: str


QUERY_KINDS = (
    Query("/find, 10 sections by words and meaning", f"{API}/find?limit=10&", "", ""),
    Query("/semantic-search", f"{API}/semantic-search?", "67 ms", "15/s"),
    Query("/find, 10 sections by words alone", f"{API}/find?limit=10&mode=keyword&", "497 ms", ""),
)


def agent_of(host: Host, wiki: Planted) -> Visitor:
    """A script's connection, with the token."""
    return Visitor(host.port, wiki.host, {"Authorization": f"Bearer {wiki.token}", "Accept": "application/json"})


def read_json(answer: Answer) -> Any:
    """Raises WrongAnswer when it is no success."""
    if answer.status not in (200, 201, 202):
        raise WrongAnswer(f"{answer.status} {answer.body[:200]!r}")
    return json.loads(answer.body)


def measure_queries(host: Host, wiki: Planted, rounds: int, say: Callable[[str], None]) -> list[Figure]:
    """Each kind alone and by eight clients at once. The wiki is at rest and indexed."""
    return [figure for kind in QUERY_KINDS for figure in _measure_kind(host, wiki, kind, rounds, say)]


def _measure_kind(host: Host, wiki: Planted, kind: Query, rounds: int, say: Callable[[str], None]) -> list[Figure]:
    with agent_of(host, wiki) as agent:
        _ask(agent, kind, WARM_UP_CALLS)
        before = process_tree.cpu_s(host.pid)
        seconds = _ask(agent, kind, rounds)
        cpu_s = (process_tree.cpu_s(host.pid) - before) / rounds
    rate, cpu_together_s = _ask_together(host, wiki, kind, rounds)
    p50 = statistics.median(seconds)
    alone = f"{ms(p50)} (p99 {ms(percentile(seconds, 0.99))}, {ms(cpu_s)} of CPU)"
    together = f"{rate:.0f}/s ({ms(cpu_together_s)} of CPU)"
    say(f"query {kind.name}: {alone}; {CLIENTS} at once {together}")
    name = f"REST query {kind.name}, {wiki.slug}"
    return [
        Figure(f"{name}: p50", kind.seen, "", alone, f"≤ {ms(MOST_QUERY_S)}", p50 <= MOST_QUERY_S),
        Figure(
            f"{name}: {CLIENTS} at once",
            kind.seen_together,
            "",
            together,
            f"≥ {LEAST_A_SECOND}/s",
            rate >= LEAST_A_SECOND,
        ),
    ]


def _ask(agent: Visitor, kind: Query, times: int) -> list[float]:
    return [_ask_once(agent, kind) for _ in range(times)]


def _ask_once(agent: Visitor, kind: Query) -> float:
    """A number makes each text one that was not asked, and not embedded, before."""
    number = next(_numbers)
    return agent.get_page(kind.target + urlencode({"q": f"{QUERIES[number % len(QUERIES)]} {number}"})).seconds


def _ask_together(host: Host, wiki: Planted, kind: Query, rounds: int) -> tuple[float, float]:
    """Answers a second, and CPU seconds of each."""

    def one(agent: Visitor) -> int:
        return len(_ask(agent, kind, rounds))

    agents = [agent_of(host, wiki) for _ in range(CLIENTS)]
    for agent in agents:
        _ask_once(agent, kind)
    before = process_tree.cpu_s(host.pid)
    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        calls = sum(pool.map(one, agents))
    elapsed_s = time.perf_counter() - began
    cpu_s = process_tree.cpu_s(host.pid) - before
    for agent in agents:
        agent.close()
    return calls / elapsed_s, cpu_s / calls


@dataclass(frozen=True, slots=True)
class Save:
    """A way to edit one paragraph of a page: adds a sentence. Returns when it was sent, and the paragraph."""

    name: str
    do: Callable[[Host, Planted, str, str], tuple[float, str]]


def _save_over_rest(host: Host, wiki: Planted, page: str, sentence: str) -> tuple[float, str]:
    target = f"{API}/pages/{quote(page)}"
    with agent_of(host, wiki) as agent:
        read = read_json(agent.get(target))
        text, paragraph = edited(read["content"], sentence)
        body = {"content": text, "revision": read["revision"]}
        began = time.perf_counter()
        read_json(agent.ask("PUT", target, json.dumps(body).encode(), {"Content-Type": "application/json"}))
    return began, paragraph


def _save_in_browser(host: Host, wiki: Planted, page: str, sentence: str) -> tuple[float, str]:
    with Visitor(host.port, wiki.host, cookies=wiki.cookies) as browser:
        fields, _ = page_views.open_editor(browser, quote(page))
        fields["content"], paragraph = edited(fields["content"], sentence)
        began = time.perf_counter()
        page_views.save(browser, quote(page), fields)
    return began, paragraph


SAVES = (Save("REST save", _save_over_rest), Save("save in a browser", _save_in_browser))


def edited(text: str, sentence: str) -> tuple[str, str]:
    """The text with a sentence more at the end of a paragraph in its middle, and that paragraph."""
    blocks = text.replace("\r\n", "\n").split("\n\n")
    middle = len(blocks) // 2
    prose = [at for at, block in enumerate(blocks) if block[:1].isalpha()]
    at = min(prose, key=lambda number: abs(number - middle))
    blocks[at] = f"{blocks[at].rstrip()} {sentence}"
    return "\n\n".join(blocks), blocks[at]


def measure_saves(host: Host, wiki: Planted, times: int, say: Callable[[str], None]) -> list[Figure]:
    """From the moment at which a save is sent to the end of the first answer that has it. The wiki is indexed."""
    with agent_of(host, wiki) as agent:
        pages = ordinary_pages(agent, 2 * times * len(SAVES))
    figures = []
    for save in SAVES:
        words = [_saved_to_found(host, wiki, save, pages.pop(), _is_found_by_words) for _ in range(times)]
        meaning = [_saved_to_found(host, wiki, save, pages.pop(), _is_found_by_meaning) for _ in range(times)]
        say(f"{save.name} → found by words {ms(statistics.median(words))}, meaning {ms(statistics.median(meaning))}")
        for found_by, seconds, most_s in (("words", words, MOST_BY_WORDS_S), ("meaning", meaning, MOST_BY_MEANING_S)):
            p50 = statistics.median(seconds)
            figures.append(
                Figure(
                    f"{save.name}, one paragraph edited → found by {found_by}, {wiki.slug}: median of {times}",
                    "never" if save is SAVES[0] else "0.15 s, or never",
                    "",
                    f"{ms(p50)} (at most {ms(max(seconds))})",
                    f"≤ {ms(most_s)}",
                    p50 <= most_s,
                )
            )
    return figures


def ordinary_pages(agent: Visitor, number: int) -> list[str]:
    """Names of pages, spread over the wiki, without the one that is large by design."""
    names = [str(page["path"]) for page in read_json(agent.get(f"{API}/pages"))["pages"] if page["path"] != LARGE]
    return names[:: max(1, len(names) // number)][:number]


def _saved_to_found(
    host: Host, wiki: Planted, save: Save, page: str, is_found: Callable[[Visitor, str, str, str], bool]
) -> float:
    mark = f"marker{next(_numbers)}"
    with agent_of(host, wiki) as agent:
        is_found(agent, page, mark, mark)
        began, paragraph = save.do(host, wiki, page, f"The harbour pilot {mark} drinks cold tea.")
        while not is_found(agent, page, mark, paragraph):
            if time.perf_counter() - began > PATIENCE_S:
                raise TimeoutError(f"{page} is not found after its save")
            time.sleep(POLL_S)
        return time.perf_counter() - began


def _is_found_by_words(agent: Visitor, page: str, mark: str, _: str) -> bool:
    found = read_json(agent.get(f"{API}/find?{urlencode({'mode': 'keyword', 'q': mark})}"))["results"]
    return page in [each["path"] for each in found]


def _is_found_by_meaning(agent: Visitor, page: str, mark: str, paragraph: str) -> bool:
    asked = {"q": paragraph, "n": 50, "max_chunks_per_page": 3}
    found: Sequence[Any] = read_json(agent.get(f"{API}/semantic-search?{urlencode(asked)}"))["results"]
    return any(each["path"] == page and mark in each["text"] for each in found)
