"""FAISS over one wiki's stored vectors: built when the wiki is searched, replaced as a whole when it changed.

Import this module in a worker thread only: numpy and FAISS come with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

if TYPE_CHECKING:
    from robot.search.embed import Vectors


class Snapshot:
    """The vectors of a wiki at one moment, searchable from any thread because nothing changes it.

    It answers with content hashes. What they stand for is looked up in the catalog, so a page that was renamed or
    deleted since the snapshot was built is shown as it is now, or not at all.
    """

    def __init__(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """`rows` are (hash, float16 bytes); all vectors have one length."""
        self._hashes = [digest for digest, _ in rows]
        self._index = None
        if rows:
            halves = np.frombuffer(b"".join(data for _, data in rows), dtype=np.float16)
            matrix: Vectors = halves.reshape(len(rows), -1).astype(np.float32)
            faiss.normalize_L2(matrix)  # float16 rounding shortened or lengthened them a little
            self._index = faiss.IndexFlatIP(matrix.shape[1])
            self._index.add(matrix)

    def __len__(self) -> int:
        return len(self._hashes)

    def nearest(self, vector: Vectors, count: int) -> list[tuple[bytes, float]]:
        """Up to `count` (hash, cosine), best first. `vector` is float32[1, dimension] of length 1."""
        return self.look_up(vector, min(count, len(self)))

    def part(self, hashes: Iterable[bytes]) -> Part:
        """What it holds of these hashes."""
        return Part(self, [self._positions[digest] for digest in hashes if digest in self._positions])

    def look_up(self, vector: Vectors, count: int, **how: Any) -> list[tuple[bytes, float]]:
        """As `nearest`, where there are as many; `how` is what FAISS takes besides."""
        if self._index is None:
            return []
        scores, positions = self._index.search(vector, count, **how)
        return [(self._hashes[at], float(score)) for at, score in zip(positions[0], scores[0], strict=True) if at >= 0]

    @cached_property
    def _positions(self) -> dict[bytes, int]:
        return {digest: at for at, digest in enumerate(self._hashes)}


class Part:
    """Some of a snapshot's vectors, searched as if there were no others."""

    def __init__(self, snapshot: Snapshot, positions: Sequence[int]) -> None:
        self._snapshot = snapshot
        self._positions = np.array(positions, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._positions)

    def nearest(self, vector: Vectors, count: int) -> list[tuple[bytes, float]]:
        """As `Snapshot.nearest`."""
        if not len(self):
            return []
        selector = faiss.IDSelectorBatch(self._positions)
        chosen = faiss.SearchParameters()
        chosen.sel = selector
        return self._snapshot.look_up(vector, min(count, len(self)), params=chosen)
