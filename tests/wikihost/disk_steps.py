"""The steps that a write takes on disk, one by one, so that a test can let anything happen at each of them.

A step is a call with which Python changes files. What SQLite and libgit2 do inside of theirs is not seen: deaths in
there are for tests that kill at random.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

# What happens instead of a step: it is given the call's number from 0 and its name, and the call itself.
Event = Callable[[int, str, Callable[[], Any]], Any]


@contextmanager
def each_step(event: Event) -> Iterator[None]:
    """In the block, every step of this process goes through `event`, which may do it, or not."""
    number = -1

    def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            nonlocal number
            if name == "open" and not arguments[1] & (os.O_WRONLY | os.O_RDWR | os.O_DIRECTORY):
                return call(*arguments, **options)  # to read
            number += 1
            return event(number, name, lambda: call(*arguments, **options))

        return step

    with mock.patch.multiple(os, **{name: watched(name, getattr(os, name)) for name in _CALLS}):
        yield


def count_steps(work: Callable[[], object]) -> int:
    """How many steps `work` takes."""
    count = 0

    def counted(_number: int, _name: str, call: Callable[[], Any]) -> Any:
        nonlocal count
        count += 1
        return call()

    with each_step(counted):
        work()
    return count


def dying_at(step: int) -> Event:
    """This process is gone before that step, as with `kill -9`."""

    def event(number: int, _name: str, call: Callable[[], Any]) -> Any:
        if number == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return call()

    return event


def failing_from(step: int, error: int, *, steps: int = 1) -> Event:
    """The disk refuses `steps` steps, from that one on, with this errno."""

    def event(number: int, _name: str, call: Callable[[], Any]) -> Any:
        if step <= number < step + steps:
            raise OSError(error, os.strerror(error))
        return call()

    return event
