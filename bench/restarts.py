"""Restarts under load: whether anybody is refused, anything is lost, and clients go on by themselves."""

from __future__ import annotations

import http
import itertools
import statistics
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mcp import Client

from bench import host
from bench.figures import Figure
from bench.http_client import Visitor
from bench.loops import (
    ANEW,
    ANSWERED,
    CUT,
    REFUSED,
    UNANSWERED,
    UNAVAILABLE,
    Journal,
    Loops,
    Patient,
    SessionWork,
    Tally,
    keep_talking,
    put_page,
    script_of,
)
from bench.make_wiki import SMALL
from bench.mcp_load import Load
from bench.service import Service

READERS, STRANGERS, WRITERS = 3, 2, 2
# How long clients have between two restarts, in which each must get on by itself.
BETWEEN_S = 1.0
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What all clients met with. `lost` are pages whose writing was acknowledged and that are not there."""

    readers: Tally
    strangers: Tally
    scripts: Tally
    agent: Tally
    acknowledged: int
    lost: list[str]
    seconds: list[float]

    @property
    def refused(self) -> int:
        return sum(tally[REFUSED] for tally in (self.readers, self.strangers, self.scripts, self.agent))


def run(service: Service, wiki: host.Planted, restarts: int, *, page: str = SMALL) -> Outcome:
    """Restart a started service while readers, a script and an agent are at work. Raises TimeoutError if one is stuck.

    Readers keep their connections, strangers make one for each request.
    """
    outcome_tallies = readers, strangers, scripts, agent = Tally(), Tally(), Tally(), Tally()
    journal, loops, seconds = Journal(), Loops(), []
    for _ in range(READERS):
        loops.repeat(_read(Patient(Visitor(service.port, wiki.host), readers), page))
    for _ in range(STRANGERS):
        loops.repeat(_visit(service.port, wiki.host, strangers), 0.01)
    for number in range(WRITERS):
        loops.repeat(_write(Patient(script_of(service.port, wiki), scripts), journal, wiki.slug, number))
    load = Load(f"http://{wiki.host}:{service.port}/mcp", wiki.token, "", sessions=1, calls=0)
    loops.run(lambda: keep_talking(load, _talk(agent, journal, wiki.slug), loops.over, agent))
    try:
        for _ in range(restarts):
            wait_for_more(loops, outcome_tallies)
            loops.over.wait(BETWEEN_S)
            seconds.append(service.restart())
        wait_for_more(loops, outcome_tallies)
    finally:
        loops.stop()
    lost = lost_pages(wiki.repo, journal.of(wiki.slug))
    return Outcome(readers, strangers, scripts, agent, journal.acknowledged, lost, seconds)


def wait_for_more(loops: Loops, tallies: tuple[Tally, ...]) -> None:
    """Wait until every kind of client was answered once more. Raises TimeoutError after `PATIENCE_S`."""
    before = [tally[ANSWERED] for tally in tallies]
    for _ in range(int(PATIENCE_S / 0.05)):
        if all(tally[ANSWERED] > count for tally, count in zip(tallies, before, strict=True)):
            return
        if loops.over.wait(0.05):
            break
    raise TimeoutError(f"a kind of client did not go on: {[tally.as_dict() for tally in tallies]}")


def lost_pages(repo: Path, written: Mapping[str, set[str]]) -> list[str]:
    """Which of these pages (name → texts that it may have) the wiki does not have so."""
    asked = "".join(f"HEAD:{name}.md\n" for name in written)
    command = ["git", "-C", str(repo), "cat-file", "--batch"]
    said = subprocess.run(command, input=asked.encode(), capture_output=True, check=True).stdout
    lost = []
    for name, texts in written.items():
        head, _, said = said.partition(b"\n")
        if head.endswith(b" missing"):
            lost.append(name)
            continue
        size = int(head.split()[2])
        if said[:size].decode().strip() not in texts:
            lost.append(name)
        said = said[size + 1 :]
    return lost


def measure(data: Path, wiki: host.Planted, restarts: int, say: Callable[[str], None]) -> list[Figure]:
    """The row "restarts under load"."""
    service = Service(data, host.environment({}))
    try:
        service.start()
        outcome = run(service, wiki, restarts)
    finally:
        service.close()
    kinds = {
        "kept connections": outcome.readers,
        "new connections": outcome.strangers,
        "scripts": outcome.scripts,
        "an agent": outcome.agent,
    }
    for kind, tally in kinds.items():
        say(f"{restarts} restarts, {kind}: {tally.as_dict()}")
    again = sum(tally[UNAVAILABLE] + tally[UNANSWERED] + tally[ANEW] for tally in kinds.values())
    cut = sum(tally[CUT] for tally in kinds.values())
    answered = sum(tally[ANSWERED] for tally in kinds.values())
    said = (
        f"{outcome.refused} refused, {len(outcome.lost)} of {outcome.acknowledged} acknowledged writes lost,"
        f" {cut} answers cut, {outcome.agent[ANEW]} sessions of agents ended; of {answered + again} requests {again}"
        " had to be sent again;"
        f" {statistics.median(outcome.seconds):.1f} s each"
    )
    say(said)
    kept = outcome.refused == 0 and not outcome.lost and cut == 0
    name = f"{restarts} restarts while pages are read and saved, and an agent works"
    return [Figure(name, "refused for 3–5 s", "", said, "0 refused, 0 lost, clients go on unaided", kept)]


def _read(reader: Patient, page: str) -> Callable[[], None]:
    numbers = itertools.count()

    def read() -> None:
        answer = reader.ask("GET", f"/{page}?at={next(numbers) % 50}")
        assert answer is None or answer.status in (http.HTTPStatus.OK, http.HTTPStatus.SERVICE_UNAVAILABLE), answer

    return read


def _visit(port: int, name: str, tally: Tally) -> Callable[[], None]:
    def visit() -> None:
        with Visitor(port, name, {"Connection": "close"}) as visitor:
            Patient(visitor, tally).ask("GET", "/-/changelog")

    return visit


def _write(script: Patient, journal: Journal, slug: str, number: int) -> Callable[[], None]:
    turns = itertools.count()

    def write() -> None:
        turn = next(turns)
        name, text = f"Written/{number} {turn}", f"Turn {turn} of script {number}."
        journal.sending(slug, name, text)
        if put_page(script, name, text) == http.HTTPStatus.CREATED:
            journal.acknowledge(slug, name, text)

    return write


def _talk(tally: Tally, journal: Journal, slug: str) -> SessionWork:
    """Reads a page and makes one."""
    turns = itertools.count()

    async def talk(client: Client) -> None:
        turn = next(turns)
        name, text = f"Told/{turn}", f"Turn {turn} of an agent."
        journal.sending(slug, name, text)
        await client.call_tool("read_note", {"path": SMALL})
        wrote = await client.call_tool("write_note", {"path": name, "content": text})
        tally.note(UNAVAILABLE if wrote.is_error else ANSWERED)
        if not wrote.is_error:
            journal.acknowledge(slug, name, text)

    return talk
