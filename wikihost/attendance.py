"""One worker from its fork to its end."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from wikihost.answering import Answering
from wikihost.event_channel import EventChannel
from wikihost.fleet_states import Ending, Failed, FleetOptions, Orphaned, Stopped, Worker
from wikihost.probe import probe
from wikihost.questions import Answer
from wikihost.worker_protocol import (
    Described,
    Find,
    ProtocolError,
    Saved,
    WorkerFailed,
    WorkerReady,
    decode,
)
from wikihost.zygote import Child

# After SIGKILL only the kernel can be slow.
_KILL_S: Final = 1.0


class Attendance:
    """Watches one worker: hears its events, probes its health, and ends it.

    `on_ready()` is called once, `on_saved(asked_by)` after each commit, `on_described(described)` when its pages say
    so; none of them may block. `answer` is asked what it asks.
    """

    def __init__(
        self,
        worker: Worker,
        child: Child,
        events: EventChannel,
        options: FleetOptions,
        *,
        on_ready: Callable[[], None],
        on_saved: Callable[[str], None],
        on_described: Callable[[Described], None],
        answer: Answer,
    ) -> None:
        self._worker = worker
        self._child = child
        self._events = events
        self._options = options
        self._on_ready = on_ready
        self._on_saved = on_saved
        self._on_described = on_described
        self._answering = Answering(worker.wiki_id, events, answer, options.threads)

    async def watch(self, stop_wanted: Callable[[], Awaitable[None]]) -> Ending:
        """Return why the worker ended or must end: `stop_wanted` returned, it died, or it is not well."""

        async def until_stop_wanted() -> Ending:
            await stop_wanted()
            return Stopped()

        return await _first(until_stop_wanted, self._until_dead, self._until_unwell)

    async def end(self, *, gently: bool) -> None:
        """End the process if it still runs: SIGTERM and grace when gently, then SIGKILL.

        Bounded, and not cut short by a cancellation.
        """
        grace_s = self._options.stop_grace_s if gently else 0.0
        with trio.CancelScope(shield=True, deadline=trio.current_time() + grace_s):
            self._child.kill(signal.SIGTERM)
            await self._child.wait()
            return
        with trio.CancelScope(shield=True, deadline=trio.current_time() + _KILL_S):
            self._child.kill(signal.SIGKILL)
            await self._child.wait()

    async def _until_dead(self) -> Ending:
        await self._child.wait()
        if self._child.exit_code is None:
            return Orphaned()
        return Failed(_end_in_words(self._child.exit_code))

    async def _until_unwell(self) -> Ending:
        refusal = "it did not become ready in time"
        with trio.move_on_after(self._options.ready_timeout_s):
            refusal = await self._wait_ready()
        if refusal:
            return Failed(refusal)
        self._on_ready()
        return await _first(self._until_nonsense, self._until_probe_fails)

    async def _wait_ready(self) -> str:
        """Wait for the worker's first word; empty when it is ready, else why it is not."""
        packet = await self._events.receive()
        if not packet:
            await trio.sleep_forever()  # it died; whoever waits for that knows how
        try:
            match decode(packet):
                case WorkerReady():
                    return ""
                case WorkerFailed(reason):
                    return reason
                case unexpected:
                    return f"its first word was {type(unexpected).__name__}"
        except ProtocolError as error:
            return str(error)

    async def _until_nonsense(self) -> Ending:
        """Pass on what it says. A worker that closes its channel is about to die: how, is for another to tell."""
        async with trio.open_nursery() as nursery:
            while packet := await self._events.receive():
                try:
                    message = decode(packet)
                except ProtocolError as error:
                    nursery.cancel_scope.cancel()
                    return Failed(str(error))
                match message:
                    case Saved(asked_by=asked_by):
                        self._on_saved(asked_by)
                    case Described():
                        self._on_described(message)
                    case Find():
                        self._answering.begin(nursery, message)
            nursery.cancel_scope.cancel()  # nobody is there to be answered
        return await trio.sleep_forever()

    async def _until_probe_fails(self) -> Ending:
        while True:
            await trio.sleep(self._options.probe_interval_s)
            complaint: str | None = f"it answered no health probe in {self._options.probe_timeout_s:g} s"
            with trio.move_on_after(self._options.probe_timeout_s):
                complaint = await probe(self._worker)
            if complaint is not None:
                return Failed(complaint)


def _end_in_words(exit_code: int) -> str:
    if exit_code < 0:
        return f"it was killed by signal {-exit_code} ({signal.strsignal(-exit_code)})"
    return f"it ended by itself with exit code {exit_code}"


async def _first(*watchers: Callable[[], Awaitable[Ending]]) -> Ending:
    """The ending that the first watcher to return gives; the others are cancelled."""
    endings: list[Ending] = []

    async def run(watch: Callable[[], Awaitable[Ending]], scope: trio.CancelScope) -> None:
        endings.append(await watch())
        scope.cancel()

    async with trio.open_nursery() as nursery:
        for watcher in watchers:
            nursery.start_soon(run, watcher, nursery.cancel_scope)
    return endings[0]
