"""The trees of one repository that were read last, for all who read it at once."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from wikihost.trees import Tree

# Enough for two neighbouring commits of a large wiki; an entry takes some 230 bytes.
ENTRIES_KEPT = 10_000


class KnownTrees:
    """Parsed trees by their binary ids, at most `ENTRIES_KEPT` entries altogether. Thread-safe."""

    def __init__(self) -> None:
        self._trees: OrderedDict[bytes, Tree] = OrderedDict()
        self._entries = 0
        self._lock = Lock()

    @property
    def entries(self) -> int:
        """How many entries the kept trees have."""
        return self._entries

    def find(self, oid: bytes) -> Tree | None:
        with self._lock:
            known = self._trees.get(oid)
            if known is not None:
                self._trees.move_to_end(oid)
            return known

    def keep(self, oid: bytes, tree: Tree) -> None:
        """Keep a tree, which nobody may change, and forget those that nobody asked for the longest."""
        with self._lock:
            if oid in self._trees:
                return  # another thread read it meanwhile
            self._trees[oid] = tree
            self._entries += len(tree)
            while self._entries > ENTRIES_KEPT:
                self._entries -= len(self._trees.popitem(last=False)[1])
