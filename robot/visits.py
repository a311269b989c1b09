"""Who visited a wiki, kept for its owners for some days.

What is kept of a visit is what its owner may know: a person's user name, an agent's own name and whose it is, or of
anybody else the network, cut so that it stands for many (/24, /48). No address, no query, no browser, nothing that
was sent. Answers are not kept waiting for it: it is written in batches, and lost where it cannot be.
"""

from __future__ import annotations

import ipaddress
import json
import logging
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import trio

from robot import visit_files
from robot.clock import Clock, moment, wall_clock
from robot.finished import Finished
from robot.model import Agent, Person, Wiki
from wikihost.layout import DataDir

log = logging.getLogger(__name__)

FLUSH_EVERY_S = 2.0
MAX_WAITING = 5_000
"""Visits that wait to be written; what comes beyond that is not kept."""

# What pages load beside themselves, and ask of who is signed in.
_UNSEEN = ("/static/", "/-/plugin-static", "/auth/who")
_MAX_PATH = 500
_MAX_NAME = 100
_IPV4_BITS, _IPV6_BITS = 24, 48


@dataclass(frozen=True, slots=True)
class Visit:
    """One request. `who` is a user's name, an agent's own name, or a network; `person` is whose agent it is.

    `kind` is person, agent or network; `status` is 0 for one that left before anything came.
    """

    at: datetime
    kind: str
    who: str
    person: str
    face: str
    method: str
    path: str
    status: int
    sent_bytes: int


class Visits:
    """Takes note of requests, as an `Observer`, and writes them down; `days` may be set while it does."""

    def __init__(self, data: DataDir, days: int, *, clock: Clock = wall_clock) -> None:
        self.days = days
        self._data = data
        self._clock = clock
        self._waiting: deque[tuple[float, Wiki, Finished]] = deque()
        self._writing = trio.CapacityLimiter(1)
        self._is_losing = False

    def __call__(self, finished: Finished) -> None:
        """A request is over. Takes a microsecond."""
        if self.days == 0 or finished.wiki is None or finished.path.startswith(_UNSEEN):
            return
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append((self._clock(), finished.wiki, finished))
        else:
            self._complain("they come faster than they are written")

    async def run(
        self, *, every_s: float = FLUSH_EVERY_S, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Write down what was noted every `every_s` until cancelled, and forget once a day what is too old."""
        task_status.started()
        forgotten: tuple[str, int] | None = None
        while True:
            await self.flush()
            today = self._day(self._clock()), self.days
            if today != forgotten:
                await self.forget()
                forgotten = today
            await trio.sleep(every_s)

    async def flush(self) -> None:
        """Write down what was noted since the last time, also at the end and before somebody reads."""
        waiting, self._waiting = self._waiting, deque()
        if not waiting:
            return
        problem = await trio.to_thread.run_sync(self._write, waiting, limiter=self._writing)
        if problem is None:
            self._is_losing = False
        else:
            self._complain(problem)

    async def forget(self) -> None:
        """Remove what is older than so many days, and what there is of wikis that are gone."""
        oldest = self._day(self._clock() - timedelta(days=self.days - 1).total_seconds()) if self.days else ""
        await trio.to_thread.run_sync(self._forget, oldest, limiter=self._writing)

    async def newest(self, wiki: Wiki, count: int) -> list[Visit]:
        """The latest visits to a wiki, newest first."""
        await self.flush()
        folder = self._data.visits_to(wiki.id)
        lines = await trio.to_thread.run_sync(visit_files.newest, folder, count)
        return [visit for line in lines if (visit := _read(line)) is not None]

    async def days_of(self, wiki: Wiki) -> list[trio.Path]:
        """The files of a wiki's visits, oldest first: a line of JSON for each visit."""
        await self.flush()
        found = await trio.to_thread.run_sync(visit_files.days, self._data.visits_to(wiki.id))
        return [trio.Path(file) for file in found]

    def _write(self, waiting: Iterable[tuple[float, Wiki, Finished]]) -> str | None:
        """Blocks. What kept some of it from being written, if anything did."""
        by_file: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        for at, wiki, finished in waiting:
            by_file[wiki.id, self._day(at)].append(_line(visit_of(finished, at)))
        problem = None
        for (wiki_id, day), lines in by_file.items():
            if not self._is_there(wiki_id):
                continue  # it was deleted meanwhile
            try:
                visit_files.append(self._data.visits_to(wiki_id), day, lines)
            except OSError as error:
                problem = str(error)
        return problem

    def _forget(self, oldest: str) -> None:
        try:
            visit_files.forget(self._data.visits, oldest, self._is_there)
        except (OSError, ValueError) as error:
            log.warning("old visits are still there: %s", error)

    def _is_there(self, wiki_id: str) -> bool:
        return self._data.wiki(wiki_id).root.is_dir()

    def _complain(self, problem: str) -> None:
        """Once, until it works again: a full disk has many things to say."""
        if not self._is_losing:
            log.warning("visits to wikis are not kept: %s", problem)
        self._is_losing = True

    def _day(self, at: float) -> str:
        return f"{moment(at):%Y-%m-%d}"


def visit_of(finished: Finished, at: float) -> Visit:
    """What is kept of a request (pure)."""
    match finished.actor:
        case Person(user=user):
            kind, who, person = "person", user.name, ""
        case Agent(user=user, client=client, credential=credential):
            kind, who, person = "agent", client or credential.name, user.name
        case _:
            kind, who, person = "network", wider(finished.network), ""
    return Visit(
        at=moment(int(at)),
        kind=kind,
        who=who[:_MAX_NAME],
        person=person,
        face=finished.face,
        method=finished.method,
        path=finished.path[:_MAX_PATH],
        status=finished.status,
        sent_bytes=finished.sent_bytes,
    )


def wider(network: str) -> str:
    """The network that a client's is a part of, wide enough to be nobody's own; "" for one that is not known (pure)."""
    if not network:
        return ""
    known = ipaddress.ip_network(network)
    return str(known.supernet(new_prefix=_IPV4_BITS if known.version == 4 else _IPV6_BITS))


def _line(visit: Visit) -> bytes:
    fields = asdict(visit) | {"at": visit.at.isoformat().replace("+00:00", "Z")}
    return json.dumps(fields).encode() + b"\n"


def _read(line: bytes) -> Visit | None:
    """What a line says; None for one that a full disk cut."""
    try:
        fields: dict[str, Any] = json.loads(line)
        return Visit(**(fields | {"at": datetime.fromisoformat(fields["at"]).astimezone(UTC)}))
    except (ValueError, TypeError, KeyError):
        return None
