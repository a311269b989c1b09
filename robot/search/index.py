"""FAISS over one wiki's stored vectors: built when the wiki is searched, replaced as a whole when it changed.

Import this module in a worker thread only: numpy and FAISS come with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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
        if self._index is None:
            return []
        scores, positions = self._index.search(vector, min(count, len(self)))
        return [(self._hashes[at], float(score)) for at, score in zip(positions[0], scores[0], strict=True) if at >= 0]
