"""One wiki's place in the fleet, and what its worker knows of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import trio

from wikihost.event_channel import EventChannel
from wikihost.fleet_states import Asleep, Backoff, Broken, Ready, State
from wikihost.layout import WikiHome
from wikihost.worker_protocol import Described
from wikihost.zygote import Child


@dataclass(frozen=True, slots=True)
class HostedWiki:
    """What a worker needs to know of its wiki. Who leases with a changed value gets a worker that knows it."""

    wiki_id: str
    home: WikiHome
    site_name: str
    description: str
    platform_url: str

    @property
    def described(self) -> Described:
        """What its pages are to say of it."""
        return Described(self.site_name, self.description, self.platform_url)


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A row for the operator. `reason` is set while the wiki backs off or is broken."""

    wiki_id: str
    state: str
    leases: int
    failures: int
    pid: int | None
    generation: int | None
    reason: str | None


@dataclass(slots=True, eq=False)
class Slot:
    """One wiki's place in the fleet, whether it is awake or not."""

    hosted: HostedWiki
    serving: HostedWiki | None = None  # what the worker knows of the wiki
    told: HostedWiki | None = None  # what it was told last
    events: EventChannel | None = None  # our end of its channel, while it is watched
    state: State = field(default_factory=Asleep)
    child: Child | None = None  # the worker's process, while it is watched
    leases: int = 0
    last_used: float = 0.0
    failures: int = 0
    changed: trio.Event = field(default_factory=trio.Event)
    stop: trio.Event = field(default_factory=trio.Event)

    def become(self, state: State) -> None:
        self.state = state
        self.changed.set()
        self.changed = trio.Event()

    def status(self) -> WorkerStatus:
        """How it is, for the operator."""
        worker = self.state.worker if isinstance(self.state, Ready) else None
        return WorkerStatus(
            wiki_id=self.hosted.wiki_id,
            state=type(self.state).__name__.lower(),
            leases=self.leases,
            failures=self.failures,
            pid=worker.pid if worker else None,
            generation=worker.generation if worker else None,
            reason=self.state.reason if isinstance(self.state, Backoff | Broken) else None,
        )

    async def tell(self) -> None:
        """Tell the running worker what its wiki is called by now; its answer comes as `note_described`."""
        if self.told == self.hosted or self.events is None:
            return
        self.told = self.hosted
        with suppress(OSError):  # it has just ended, and the next one knows
            await self.events.send(self.hosted.described)

    def note_described(self, described: Described) -> None:
        """The worker's pages say so by now."""
        if self.told is not None and self.told.described == described:
            self.serving = self.told
            self.become(self.state)
