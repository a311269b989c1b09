"""The request that is being answered, for the log and for what takes how long; nothing is ever decided by it.

The front sets it, and trio hands it on to every task and thread that works for the request. So a line in the log names
the request whoever writes it, and a phase is measured where it passes, without a parameter through every layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from types import TracebackType

from robot.finished import Face, Phase
from robot.model import Actor, Wiki


@dataclass(slots=True, eq=False)
class Underway:
    """What is known so far of a request; `began` is a moment of `perf_counter`.

    A task that it started may outlive it, as one that keeps a worker does: what that does later is not the request's.
    """

    request_id: str
    face: Face = Face.REFUSED
    wiki: Wiki | None = None
    actor: Actor | None = None
    began: float = field(default_factory=perf_counter)
    phases: dict[Phase, float] = field(default_factory=dict)
    is_over: bool = False

    def took(self, phase: Phase, seconds: float) -> None:
        """Count time that a phase took; phases that come again add up."""
        self.phases[phase] = self.phases.get(phase, 0.0) + seconds


_underway: ContextVar[Underway | None] = ContextVar("robot_request", default=None)


@contextmanager
def begin(request: Underway) -> Iterator[None]:
    """What happens within is done for this request."""
    token = _underway.set(request)
    try:
        yield
    finally:
        request.is_over = True
        _underway.reset(token)


def underway() -> Underway | None:
    """The request that this task or thread works for, if it works for one."""
    request = _underway.get()
    return None if request is None or request.is_over else request


def name_of_request() -> str:
    """Its name, for those who work on what it began when it is over; empty without one."""
    request = underway()
    return "" if request is None else request.request_id


def note_face(face: Face) -> None:
    """Say to which side of the host the request came."""
    if (request := underway()) is not None:
        request.face = face


def note_wiki(wiki: Wiki | None) -> None:
    """Say which wiki it is for; None for one that is not there."""
    if (request := underway()) is not None:
        request.wiki = wiki


def note_actor(actor: Actor) -> None:
    """Say who asks."""
    if (request := underway()) is not None:
        request.actor = actor


def took(phase: Phase, seconds: float) -> None:
    """Count time that a phase of the request took; without a request, nothing."""
    if (request := underway()) is not None:
        request.took(phase, seconds)


class measured:  # noqa: N801  (a context manager, used like a function)
    """Counts the time within as a phase of the request that is underway; under a microsecond."""

    __slots__ = ("_began", "_phase")

    def __init__(self, phase: Phase) -> None:
        self._phase = phase

    def __enter__(self) -> None:
        self._began = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        took(self._phase, perf_counter() - self._began)
