"""States of a wiki's worker, and the decisions between them (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from wikihost.isolation.confinement import Isolation


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """How workers are kept. Times in seconds."""

    idle_s: float = 600.0  # a worker that nobody asked for so long is stopped
    max_awake: int = 50  # above it, the worker unused for longest is stopped
    wake_timeout_s: float = 10.0  # how long a request waits for its wiki
    ready_timeout_s: float = 30.0  # a worker that is not ready by then counts as crashed
    probe_interval_s: float = 30.0
    probe_timeout_s: float = 10.0  # a worker that answers no probe in this time is killed
    stable_s: float = 60.0  # a worker that lived so long starts with a clean record
    backoff_s: float = 0.25  # after the second failure in a row, doubling
    backoff_max_s: float = 10.0
    breaker_failures: int = 5  # this many failures in a row open the breaker
    breaker_cooldown_s: float = 30.0  # then one worker is tried
    stop_grace_s: float = 2.5  # between SIGTERM and SIGKILL
    threads: int = 4  # requests that one worker answers at a time
    max_upload_bytes: int = 64 * 1024 * 1024
    isolation: Isolation = "try"  # whether a worker reaches no more than its wiki
    memory_bytes: int = 1024**3  # that each process of a worker may have
    log_level: str = "WARNING"  # of Otter Wiki, and of what runs beside it in the worker


@dataclass(frozen=True, slots=True)
class Worker:
    """An awake wiki. `socket_path` can be connected to while `generation` is awake, and never names another."""

    wiki_id: str
    generation: int
    socket_path: str
    pid: int
    probe_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Asleep:
    """No process."""


@dataclass(frozen=True, slots=True)
class Waking:
    """A process is being made."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Answers on its socket."""

    worker: Worker


@dataclass(frozen=True, slots=True)
class Stopping:
    """Was told to end."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Failed; the next worker is made at `until` (Trio's clock), when somebody asks."""

    until: float
    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """Failed too often in a row; nobody waits before `until` (Trio's clock), then one worker is tried."""

    until: float
    reason: str


State = Asleep | Waking | Ready | Stopping | Backoff | Broken


@dataclass(frozen=True, slots=True)
class Stopped:
    """The worker ended because it was told to."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker ended, or must, for a fault of its own."""

    reason: str


@dataclass(frozen=True, slots=True)
class Orphaned:
    """The worker ended with the zygote, through no fault of its own."""


Ending = Stopped | Failed | Orphaned


def failures_after(ending: Ending, failures: int, lived_s: float, options: FleetOptions) -> int:
    """How many failures in a row there are now."""
    match ending:
        case Stopped():
            return 0
        case Orphaned():
            return failures
        case Failed():
            return 1 if lived_s >= options.stable_s else failures + 1


def state_after(ending: Ending, failures: int, now: float, options: FleetOptions) -> State:
    """The state that an ending leads to; `failures` counts this one."""
    match ending:
        case Stopped() | Orphaned():
            return Asleep()
        case Failed(reason) if failures >= options.breaker_failures:
            return Broken(now + options.breaker_cooldown_s, reason)
        case Failed(reason):
            return Backoff(now + backoff_s(failures, options), reason)


def backoff_s(failures: int, options: FleetOptions) -> float:
    """How long to wait after so many failures in a row; nothing after the first, which may be bad luck."""
    if failures < 2:
        return 0.0
    return min(options.backoff_s * 2.0 ** (failures - 2), options.backoff_max_s)
