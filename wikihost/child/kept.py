"""What was once made and may be wanted again, as much of it as has room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class Kept(Generic[V]):
    """Values by key; those used longest ago go first, the one used last stays whatever its size. Thread-safe."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._lock = Lock()
        self._values: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._taken = 0

    def find(self, key: Hashable) -> V | None:
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def keep(self, key: Hashable, value: V, size: int) -> None:
        """Keep a value that takes `size`, in the unit of the room."""
        with self._lock:
            if key not in self._values:
                self._values[key] = (value, size)
                self._taken += size
            while self._taken > self._room and len(self._values) > 1:
                self._taken -= self._values.popitem(last=False)[1][1]


class PerHead(Generic[V]):
    """Values that hold at one commit, and are forgotten when another comes. Thread-safe."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._at: tuple[str, Kept[V]] = ("", Kept(room))

    def find(self, head: str, key: Hashable) -> V | None:
        at, values = self._at
        return values.find(key) if at == head else None

    def keep(self, head: str, key: Hashable, value: V, size: int) -> None:
        at, values = self._at
        if at != head:
            values = Kept(self._room)
            self._at = (head, values)
        values.keep(key, value, size)
