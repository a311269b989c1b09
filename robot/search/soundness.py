"""Stored vectors as numbers, without those that cannot be what was stored. Pure.

Import this module in a worker thread only: numpy comes with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from robot.search.model.embed import Vectors

# Vectors are stored with length 1; float16 makes them longer or shorter by less than this.
_TOLERANCE = 4e-3


@dataclass(frozen=True, slots=True)
class Decoded:
    """`matrix` is float32[len(hashes), dimension], rows of length 1; `unsound` are the hashes of what is unusable."""

    hashes: Sequence[bytes]
    matrix: Vectors
    unsound: Sequence[bytes]


def decode(rows: Sequence[tuple[bytes, bytes]], dimension: int) -> Decoded:
    """`rows` are (hash, float16 bytes)."""
    fitting = [row for row in rows if len(row[1]) == 2 * dimension]
    halves = np.frombuffer(b"".join(data for _, data in fitting), dtype=np.float16)
    matrix: Vectors = halves.reshape(len(fitting), dimension).astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
        is_sound = np.abs(lengths - 1.0) < _TOLERANCE  # false for what is not a number
    hashes = [digest for (digest, _), sound in zip(fitting, is_sound, strict=True) if sound]
    known = set(hashes)
    return Decoded(
        hashes,
        matrix[is_sound] / lengths[is_sound, np.newaxis],
        [digest for digest, _ in rows if digest not in known],
    )
