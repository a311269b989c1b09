"""What a freshly forked worker gives up, before it touches its wiki."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from wikihost.isolation import landlock, places
from wikihost.isolation.limits import Limits
from wikihost.isolation.system_calls import Filter, make_filter
from wikihost.layout import WikiHome

Isolation = Literal["required", "try", "off"]
"""Whether workers are confined: surely, as far as the kernel can, or not at all."""

# The first version by which a folder can be renamed into another one, which git does with each object.
OLDEST_LANDLOCK: Final = 2

_PR_SET_NO_NEW_PRIVS: Final = 38
_prctl = ctypes.CDLL(None, use_errno=True).prctl


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of isolation. `lacks` says why the kernel does not do it, and is empty when it does."""

    name: str
    lacks: str
    is_required: bool


class Confinement:
    """Made once, and then entered by each worker after its fork."""

    def __init__(self, limits: Limits, never_signalled: Sequence[int]) -> None:
        self._limits = limits
        self._landlock = landlock.abi()
        self._places = places.of_all_workers()
        self._filter = make_filter(never_signalled)

    def pieces(self) -> tuple[Piece, ...]:
        """What is there and what is not, in the order in which it matters."""
        version = self._landlock
        files = "" if version >= OLDEST_LANDLOCK else _why_no_landlock(version)
        calls = "" if isinstance(self._filter, Filter) else self._filter.why
        signals = "" if version >= landlock.SCOPES_SINCE else "only Linux 6.12 and newer can"
        return (
            Piece("files: a worker reaches those of its own wiki, and programs", files, is_required=True),
            Piece("calls: it makes no network connection, traces nobody, and gains no rights", calls, is_required=True),
            Piece("signals: it cannot end other processes of robot", signals, is_required=False),
        )

    def enter(self, home: WikiHome) -> None:
        """Let this process be a worker of that wiki, and nothing more, for ever. Raises OSError."""
        self._limits.put_on()
        if _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS) failed")
        if self._landlock >= OLDEST_LANDLOCK:
            landlock.restrict(self._landlock, (*self._places, places.of(home)))
        if isinstance(self._filter, Filter):
            self._filter.put_on()


def _why_no_landlock(version: int) -> str:
    if version:
        return f"this kernel's Landlock is of version {version}; Linux 5.19 and newer have {OLDEST_LANDLOCK}"
    return (
        f"the kernel {os.uname().release} does not offer Landlock; it needs Linux 5.19, landlock among the names in"
        " /sys/kernel/security/lsm, and a container that lets its system calls through"
    )
