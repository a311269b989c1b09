"""The steps that a write takes on disk, one by one, so that a test can let anything happen at each of them.

A step is a call with which Python changes files. What SQLite and libgit2 do inside of theirs is not seen: deaths in
there are for tests that kill at random.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

_CALLS = (
    "open",
    "write",
    "pwrite",
    "ftruncate",
    "fchmod",
    "fsync",
    "rename",
    "link",
    "unlink",
    "mkdir",
    "rmdir",
)


@dataclass(frozen=True, slots=True)
class Step:
    """A call: how many there were before it, its name in `os`, and what it is given."""

    number: int
    name: str
    arguments: tuple[Any, ...]


# What happens instead of a step, which it may do by calling its second argument.
Event = Callable[[Step, Callable[[], Any]], Any]


@contextmanager
def each_step(event: Event) -> Iterator[None]:
    """In the block, every step of this process goes through `event`; what that does itself is none.

    Threads take their steps in turns, in the order in which they come.
    """
    number, inside, turn = -1, False, threading.RLock()

    def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            nonlocal number, inside
            to_read = name == "open" and not arguments[1] & (os.O_WRONLY | os.O_RDWR | os.O_DIRECTORY)
            if to_read:
                return call(*arguments, **options)
            with turn:
                if inside:
                    return call(*arguments, **options)
                number += 1
                inside = True
                try:
                    return event(Step(number, name, arguments), lambda: call(*arguments, **options))
                finally:
                    inside = False

        return step

    with ExitStack() as patches:
        for name in _CALLS:
            patches.enter_context(mock.patch.object(os, name, watched(name, getattr(os, name))))
        yield


def count_steps(work: Callable[[], object]) -> int:
    """How many steps `work` takes."""
    count = 0

    def counted(_step: Step, call: Callable[[], Any]) -> Any:
        nonlocal count
        count += 1
        return call()

    with each_step(counted):
        work()
    return count


def dying_at(number: int) -> Event:
    """This process is gone before that step, as with `kill -9`."""

    def event(step: Step, call: Callable[[], Any]) -> Any:
        if step.number == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return call()

    return event


def failing_from(number: int, error: int, *, steps: int = 1) -> Event:
    """The disk refuses `steps` steps, from that one on, with this errno."""

    def event(step: Step, call: Callable[[], Any]) -> Any:
        if number <= step.number < number + steps:
            raise OSError(error, os.strerror(error))
        return call()

    return event
