"""Values kept in memory, bounded in bytes: the longest unused go first, and no group can push out all others.

A group has one version at a time. Asking for another one forgets what was kept of the group, so nothing that
belongs to a past version is ever found, and none of it takes room.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

V = TypeVar("V")


@dataclass(slots=True)
class _Group:
    version: Hashable
    size_bytes: int = 0
    keys: OrderedDict[Hashable, None] = field(default_factory=OrderedDict)


class ByteCache(Generic[V]):
    """At most `max_bytes` altogether and `max_group_bytes` of one group. Not for several threads."""

    def __init__(self, max_bytes: int, max_group_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._max_group_bytes = min(max_group_bytes, max_bytes)
        self._size_bytes = 0
        self._groups: dict[Hashable, _Group] = {}
        self._entries: OrderedDict[tuple[Hashable, Hashable], tuple[V, int]] = OrderedDict()

    @property
    def size_bytes(self) -> int:
        """What is kept, by the sizes that were given."""
        return self._size_bytes

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, group: Hashable, version: Hashable, key: Hashable) -> V | None:
        """The value of `key` if it was kept at this version of the group."""
        kept = self._groups.get(group)
        if kept is None:
            return None
        if kept.version != version:
            self.drop(group)
            return None
        if key not in kept.keys:
            return None
        kept.keys.move_to_end(key)
        self._entries.move_to_end((group, key))
        return self._entries[group, key][0]

    def put(self, group: Hashable, version: Hashable, key: Hashable, value: V, size_bytes: int) -> None:
        """Keep `value`, which takes `size_bytes`; what is larger than a group may be is not kept."""
        if size_bytes > self._max_group_bytes:
            return
        kept = self._groups.get(group)
        if kept is not None and kept.version != version:
            self.drop(group)
            kept = None
        if kept is None:
            kept = self._groups[group] = _Group(version)
        elif key in kept.keys:
            self._remove(group, key)
        kept.keys[key] = None
        kept.size_bytes += size_bytes
        self._size_bytes += size_bytes
        self._entries[group, key] = (value, size_bytes)
        while kept.size_bytes > self._max_group_bytes:
            self._remove(group, next(iter(kept.keys)))
        while self._size_bytes > self._max_bytes:
            self._remove(*next(iter(self._entries)))

    def drop(self, group: Hashable) -> None:
        """Forget everything of the group."""
        kept = self._groups.pop(group, None)
        if kept is not None:
            self._size_bytes -= kept.size_bytes
            for key in kept.keys:
                del self._entries[group, key]

    def _remove(self, group: Hashable, key: Hashable) -> None:
        kept = self._groups[group]
        _, size_bytes = self._entries.pop((group, key))
        del kept.keys[key]
        kept.size_bytes -= size_bytes
        self._size_bytes -= size_bytes
