"""The fleet: one worker process for each awake wiki, made when somebody asks and stopped when nobody does."""

from __future__ import annotations

import itertools
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import trio

from wikihost.attendance import Attendance
from wikihost.event_channel import EventChannel
from wikihost.fleet_slot import HostedWiki, Slot, WorkerStatus
from wikihost.fleet_states import (
    Asleep,
    Backoff,
    Broken,
    Ending,
    Failed,
    FleetOptions,
    Orphaned,
    Ready,
    Stopped,
    Stopping,
    Waking,
    Worker,
    backoff_s,
    failures_after,
    state_after,
)
from wikihost.questions import Answer, Findings, NoAnswer, Question
from wikihost.run_dir import RunDir, open_run_dir
from wikihost.worker_protocol import WorkerSpec, ZygoteReady, channel
from wikihost.zygote import Child, SpawnRefused, Zygote, ZygoteGone

__all__ = [
    "Fleet",
    "FleetOptions",
    "FleetStopping",
    "HostedWiki",
    "StillWaking",
    "Worker",
    "WorkerBroken",
    "WorkerStatus",
]

logger = logging.getLogger("wikihost.fleet")

# A zygote imports Otter Wiki and tests itself in a second; one that takes this long never will.
ZYGOTE_START_S = 30.0
# What a client is told to wait before it asks again for a wiki that still wakes.
RETRY_AFTER_S = 2


class StillWaking(Exception):
    """The wiki did not wake in time; ask again in `retry_after_s` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"the wiki is waking up; ask again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class WorkerBroken(Exception):
    """The wiki's worker failed too often in a row; `reason` is for the owner."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FleetStopping(Exception):
    """The fleet is being stopped; no worker is handed out any more."""


@dataclass(frozen=True, slots=True)
class _Running:
    """What workers are made in, while the fleet runs."""

    nursery: trio.Nursery
    run_dir: RunDir


class Fleet:
    """Workers of all wikis.

    `on_change(wiki_id, asked_by)` is called when a worker made a commit for the request of that name,
    `on_gone(socket_path)` when a worker has ended, `on_woken(seconds)` when one is ready, so long after its making
    began, `on_failed()` when one ended by a fault of its own; none may block.
    """

    def __init__(
        self,
        run_dir: Path,
        options: FleetOptions,
        on_change: Callable[[str, str], None],
        on_gone: Callable[[str], None] = lambda _: None,
        on_woken: Callable[[float], None] = lambda _: None,
        on_failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._run_path = run_dir
        self._options = options
        self._on_change = on_change
        self._on_gone = on_gone
        self._on_woken = on_woken
        self._on_failed = on_failed
        self._slots: dict[str, Slot] = {}
        self._generations = itertools.count(1)
        self._running: _Running | None = None
        self._zygote: Zygote | None = None
        self._zygote_changed = trio.Event()
        self.late_binding: bool | None = None  # None while there is no zygote
        self._zygote_failures = 0
        self._zygote_since = 0.0
        self._answer: Answer = _no_answer

    def answer_with(self, answer: Answer) -> None:
        """Have `answer` asked from now on what workers ask about their wikis."""
        self._answer = answer

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep workers until cancelled, then stop them: in order, and within five seconds. May be run again."""
        with open_run_dir(self._run_path) as run_dir:
            # Workers end with the zygote, so it has to outlive them: it is cancelled last, and by hand.
            zygote_life = trio.CancelScope(shield=True)
            async with trio.open_nursery() as outer:
                outer.start_soon(self._keep_zygote, zygote_life)
                try:
                    async with trio.open_nursery() as nursery:
                        self._running = _Running(nursery, run_dir)
                        task_status.started()
                        await trio.sleep_forever()
                finally:
                    self._running = None
                    for slot in self._slots.values():
                        slot.become(Asleep())
                    zygote_life.cancel()
                    self._offer(None, None)

    @asynccontextmanager
    async def lease(self, hosted: HostedWiki) -> AsyncIterator[Worker]:
        """An awake worker of the wiki, kept awake until the block is left.

        Raises StillWaking, WorkerBroken, FleetStopping.
        """
        slot = self._slots.setdefault(hosted.wiki_id, Slot(hosted))
        slot.hosted = hosted
        slot.leases += 1
        try:
            yield await self._wait_awake(slot)
        finally:
            slot.leases -= 1
            slot.last_used = trio.current_time()

    def log_at(self, level: str) -> None:
        """Have workers that wake from now on log at this level."""
        self._options = replace(self._options, log_level=level)

    def serves(self, hosted: HostedWiki) -> bool:
        """Whether the wiki's worker was made for just this value, not for one before it."""
        slot = self._slots.get(hosted.wiki_id)
        return slot is not None and slot.serving == hosted

    @property
    def has_zygote(self) -> bool:
        """Whether workers can be made just now."""
        return self._zygote is not None

    def status(self) -> list[WorkerStatus]:
        """Every wiki that was asked for since the start, by id."""
        return [self._slots[wiki_id].status() for wiki_id in sorted(self._slots)]

    @property
    def zygote_failures(self) -> int:
        """How many zygotes in a row ended early; 0 once there is one that has lived for a while."""
        is_stable = self._zygote is not None and trio.current_time() - self._zygote_since >= self._options.stable_s
        return 0 if is_stable else self._zygote_failures

    async def stop_worker(self, wiki_id: str) -> None:
        """Stop the wiki's worker, leased or not, and return when it is gone; forgets its failures."""
        slot = self._slots.get(wiki_id)
        if slot is None:
            return
        while isinstance(slot.state, Waking | Ready | Stopping):
            slot.stop.set()
            await slot.changed.wait()
        if slot.leases == 0:
            self._slots.pop(wiki_id, None)

    async def _wait_awake(self, slot: Slot) -> Worker:
        with trio.move_on_after(self._options.wake_timeout_s):
            while True:
                if self._running is None:
                    raise FleetStopping
                match slot.state:
                    case Ready() if slot.child is not None and slot.child.has_ended():
                        await slot.changed.wait()  # whoever watches it is about to say so
                    case Ready(worker) if slot.serving == slot.hosted:
                        return worker
                    case Ready():
                        changed = slot.changed
                        await slot.tell()
                        await changed.wait()
                    case Broken(until, reason) if trio.current_time() < until:
                        raise WorkerBroken(reason)
                    case Backoff(until) if trio.current_time() < until:
                        await _wait_until(until, slot.changed)
                    case Asleep() | Backoff() | Broken():
                        self._wake(slot, self._running)
                    case Waking() | Stopping():
                        await slot.changed.wait()
        raise StillWaking(RETRY_AFTER_S)

    def _wake(self, slot: Slot, running: _Running) -> None:
        self._make_room()
        slot.stop = trio.Event()
        slot.serving = slot.told = slot.hosted
        slot.become(Waking())
        running.nursery.start_soon(self._live, slot, slot.hosted, running.run_dir)

    def _make_room(self) -> None:
        """Stop the worker unused for longest when there are too many; where all are in use there is one more."""
        awake = [slot for slot in self._slots.values() if isinstance(slot.state, Waking | Ready)]
        free = [slot for slot in awake if slot.leases == 0 and not slot.stop.is_set()]
        if len(awake) >= self._options.max_awake and free:
            min(free, key=lambda slot: slot.last_used).stop.set()

    async def _live(self, slot: Slot, hosted: HostedWiki, run_dir: RunDir) -> None:
        """One worker from its making to its end; leaves the slot in the state that the end leads to."""
        started = trio.current_time()
        try:
            ending = await self._attend(slot, hosted, run_dir, partial(self._wake_ended, slot, started))
        except ZygoteGone:
            ending = Orphaned()
        except (SpawnRefused, OSError) as error:
            ending = Failed(str(error))
        now = trio.current_time()
        slot.failures = failures_after(ending, slot.failures, now - started, self._options)
        if isinstance(ending, Failed):
            self._on_failed()
            logger.warning("worker of wiki %s failed (%d in a row): %s", hosted.wiki_id, slot.failures, ending.reason)
        slot.become(state_after(ending, slot.failures, now, self._options))

    def _wake_ended(self, slot: Slot, started: float, worker: Worker) -> None:
        slot.become(Ready(worker))
        self._on_woken(trio.current_time() - started)

    async def _attend(
        self, slot: Slot, hosted: HostedWiki, run_dir: RunDir, on_ready: Callable[[Worker], None]
    ) -> Ending:
        zygote = await self._wait_zygote()
        generation = next(self._generations)
        secret = secrets.token_urlsafe(24)
        listener, path = run_dir.listen(hosted.wiki_id, generation)
        try:
            child, events = await _fork(zygote, self._spec(hosted, secret), listener)
            with events:
                worker = Worker(hosted.wiki_id, generation, path, child.pid, secret)
                return await self._watch(slot, worker, child, events, partial(on_ready, worker))
        finally:
            run_dir.remove(hosted.wiki_id, generation)
            self._on_gone(path)

    async def _watch(
        self, slot: Slot, worker: Worker, child: Child, events: EventChannel, on_ready: Callable[[], None]
    ) -> Ending:
        attendance = Attendance(
            worker,
            child,
            events,
            self._options,
            on_ready=on_ready,
            on_saved=partial(self._on_change, worker.wiki_id),
            on_described=slot.note_described,
            answer=self._ask,
        )
        gently = True
        slot.child, slot.events = child, events
        try:
            ending = await attendance.watch(partial(self._wait_stop, slot))
            gently = isinstance(ending, Stopped)
            return ending
        finally:
            slot.become(Stopping())
            await attendance.end(gently=gently)
            slot.child = slot.events = None
            child.close()

    async def _ask(self, wiki_id: str, question: Question) -> Findings:
        return await self._answer(wiki_id, question)

    async def _wait_stop(self, slot: Slot) -> None:
        """Return when the worker is to be stopped: it was asked for, or nobody used it for the idle time."""
        slot.last_used = max(slot.last_used, trio.current_time())
        while not slot.stop.is_set():
            since = trio.current_time() if slot.leases else slot.last_used
            until = since + self._options.idle_s
            if until <= trio.current_time():
                return
            await _wait_until(until, slot.stop)

    async def _wait_zygote(self) -> Zygote:
        while self._zygote is None:
            await self._zygote_changed.wait()
        return self._zygote

    async def _keep_zygote(self, life: trio.CancelScope) -> None:
        """Keep a zygote until `life` is cancelled; one that ends is replaced, ever more slowly."""
        why_not_late = ""
        with life:
            while True:
                started = self._zygote_since = trio.current_time()
                zygote = Zygote(self._run_path / "zygote", self._options, import_after_fork=why_not_late)
                ready = await self._run_zygote(zygote)
                if ready is None and not why_not_late:
                    why_not_late = "the zygote did not start with Otter Wiki imported"
                lived_long = trio.current_time() - started >= self._options.stable_s
                self._zygote_failures = failures = 1 if lived_long else self._zygote_failures + 1
                logger.error("the zygote ended (%d in a row); a new one is started", failures)
                await trio.sleep(backoff_s(failures, self._options))

    async def _run_zygote(self, zygote: Zygote) -> ZygoteReady | None:
        """Run one zygote to its end; None when it never was ready."""
        ready: ZygoteReady | None = None
        async with trio.open_nursery() as nursery:
            try:
                with trio.fail_after(ZYGOTE_START_S):
                    ready = await nursery.start(zygote.run)
            except (ZygoteGone, OSError, trio.TooSlowError) as error:
                logger.error("the zygote did not start: %s", error)  # noqa: TRY400 -- the sentence says it all
                return None
            if not ready.late_binding:
                logger.warning("workers import Otter Wiki after the fork, which is slower: %s", ready.reason)
            self._offer(zygote, ready)
        self._offer(None, None)
        return ready

    def _offer(self, zygote: Zygote | None, ready: ZygoteReady | None) -> None:
        self._zygote = zygote
        self.late_binding = None if ready is None else ready.late_binding
        self._zygote_changed.set()
        self._zygote_changed = trio.Event()

    def _spec(self, hosted: HostedWiki, secret: str) -> WorkerSpec:
        return WorkerSpec(
            wiki_id=hosted.wiki_id,
            root=str(hosted.home.root.absolute()),
            described=hosted.described,
            probe_secret=secret,
            threads=self._options.threads,
            max_upload_bytes=self._options.max_upload_bytes,
            log_level=self._options.log_level,
        )


async def _no_answer(_wiki_id: str, _question: Question) -> Findings:
    raise NoAnswer("Search by meaning is not here yet.")


async def _fork(zygote: Zygote, spec: WorkerSpec, listener: socket.socket) -> tuple[Child, EventChannel]:
    """A worker on `listener`, and our end of its event channel.

    Our copy of `listener` is closed: when the worker dies, whoever waits for it is told by the kernel.
    """
    with listener:
        ours, theirs = channel()
        with theirs, ExitStack() as unless_forked:
            unless_forked.enter_context(ours)
            child = await zygote.spawn(spec, listener, theirs)
            unless_forked.pop_all()
    return child, EventChannel(ours)


async def _wait_until(deadline: float, event: trio.Event) -> None:
    """Wait for the event, at most until the deadline (Trio's clock)."""
    with trio.move_on_at(deadline):
        await event.wait()
