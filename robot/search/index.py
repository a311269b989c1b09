"""FAISS over one wiki's stored vectors: built when the wiki is searched, replaced as a whole when it changed.

Import this module in a worker thread only: numpy and FAISS come with it.
"""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Snapshot:
    """The passages of a wiki at one moment, searchable from any thread because nothing changes it."""

    def __init__(self, rows: list[tuple[int, bytes, bytes]]) -> None:
        """`rows` are (chunk id, hash, float16 bytes); all vectors have one length."""
        self.chunk_ids = [chunk_id for chunk_id, _, _ in rows]
        self.hashes = [digest for _, digest, _ in rows]
        self._index = None
        if rows:
            halves = np.frombuffer(b"".join(data for _, _, data in rows), dtype=np.float16)
            matrix: Vectors = halves.reshape(len(rows), -1).astype(np.float32)
            faiss.normalize_L2(matrix)  # float16 rounding shortened or lengthened them a little
            self._index = faiss.IndexFlatIP(matrix.shape[1])
            self._index.add(matrix)

    def __len__(self) -> int:
        return len(self.chunk_ids)

    def nearest(self, vector: Vectors, count: int) -> list[tuple[int, float]]:
        """Up to `count` (position, cosine), best first. `vector` is float32[1, dimension] of length 1."""
        if self._index is None:
            return []
        scores, positions = self._index.search(vector, min(count, len(self)))
        return [(int(at), float(score)) for at, score in zip(positions[0], scores[0], strict=True) if at >= 0]
