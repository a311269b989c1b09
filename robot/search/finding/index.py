"""FAISS over one wiki's stored vectors: built when the wiki is searched, followed by a new one when it changed.

Import this module in a worker thread only: numpy and FAISS come with it.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from robot.search.soundness import decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from robot.search.model.embed import Vectors

    Positions = NDArray[np.int64]

Rows = Sequence[tuple[bytes, bytes]]
Found = list[tuple[bytes, float]]

# From so many vectors on each number takes two bytes in memory, as on the disk, in place of four.
MANY = 100_000
# A change is put beside the index until that much of it is no longer as it was built; then it is built anew.
LARGEST_CHANGE = 1 / 8
SMALL_CHANGE = 256
# A smaller share of the vectors than this is compared one by one.
FEW = 1 / 8


@dataclass(frozen=True, slots=True)
class _Shard:
    """A FAISS index that nothing changes any more, and whose vectors its positions are."""

    index: Any
    positions: dict[bytes, int]
    hashes: Sequence[bytes]

    def nearest(self, vector: Vectors, count: int, only: Sequence[int] | None = None) -> Found:
        """Up to `count` (hash, cosine), best first; `only` of these positions."""
        count = min(count, len(self.hashes) if only is None else len(only))
        if not count or vector.shape[1] != self.index.d:
            return []
        chosen = None
        if only is not None:
            wanted = np.array(only, dtype=np.int64)
            if len(wanted) < FEW * len(self.hashes):
                return self._nearest_of_few(vector, count, wanted)
            selector = faiss.IDSelectorBatch(wanted)
            chosen = faiss.SearchParameters()
            chosen.sel = selector
        scores, positions = self.index.search(vector, count, params=chosen)
        return self._named(positions[0], scores[0])

    def _nearest_of_few(self, vector: Vectors, count: int, wanted: Positions) -> Found:
        """As `nearest`, from these alone: FAISS would look at each of the others to leave it out."""
        scores = self.index.reconstruct_batch(wanted) @ vector[0]
        best = np.argsort(-scores, kind="stable")[:count]
        return self._named(wanted[best], scores[best])

    def _named(self, positions: Positions, scores: Vectors) -> Found:
        found = zip(positions.tolist(), scores.tolist(), strict=True)
        return [(self.hashes[at], score) for at, score in found if at >= 0]


class Snapshot:
    """The vectors of a wiki at one moment, searchable from any thread because nothing changes it.

    It answers with content hashes. What they stand for is looked up in the catalog, so a page that was renamed or
    deleted since the snapshot was built is shown as it is now, or not at all. `unsound` are the hashes whose stored
    vectors are unusable.
    """

    def __init__(self, shards: Sequence[_Shard], unsound: Collection[bytes]) -> None:
        self._shards = shards
        self.unsound = frozenset(unsound)

    @classmethod
    def build(cls, parts: Iterable[Rows], count: int) -> Snapshot:
        """Of (hash, float16 bytes) in some lists, together about `count`. All sound vectors have one length."""
        base, unsound = _shard(parts, count)
        return cls([base] if base else [], unsound)

    def follow(self, current: set[bytes], fetch: Callable[[set[bytes]], Rows]) -> Snapshot | None:
        """The snapshot of what is there now, with only the vectors fetched that are new.

        None when so much changed that it is to be built.
        """
        if not self._shards:
            return None
        base = self._shards[0]
        rows = fetch(current - base.positions.keys())
        gone = len(base.positions.keys() - current)
        if gone + len(rows) > max(SMALL_CHANGE, LARGEST_CHANGE * len(base.hashes)):
            return None
        change, unsound = _shard([rows], len(rows))
        return Snapshot([base, change] if change else [base], unsound)

    def __len__(self) -> int:
        return sum(len(shard.hashes) for shard in self._shards)

    def nearest(self, vector: Vectors, count: int) -> Found:
        """Up to `count` (hash, cosine), best first. `vector` is float32[1, dimension] of length 1."""
        return _best([shard.nearest(vector, count) for shard in self._shards], count)

    def lacking(self, hashes: Iterable[bytes]) -> list[bytes]:
        """Those of these hashes that it does not hold."""
        return [digest for digest in hashes if not any(digest in shard.positions for shard in self._shards)]

    def part(self, hashes: Iterable[bytes]) -> Part:
        """What it holds of these hashes."""
        wanted = list(hashes)
        return Part(
            [
                (shard, [shard.positions[digest] for digest in wanted if digest in shard.positions])
                for shard in self._shards
            ]
        )


class Part:
    """Some of a snapshot's vectors, searched as if there were no others."""

    def __init__(self, chosen: Sequence[tuple[_Shard, Sequence[int]]]) -> None:
        self._chosen = chosen

    def __len__(self) -> int:
        return sum(len(positions) for _, positions in self._chosen)

    def nearest(self, vector: Vectors, count: int) -> Found:
        """As `Snapshot.nearest`."""
        return _best([shard.nearest(vector, count, only) for shard, only in self._chosen], count)


def _best(found: Sequence[Found], count: int) -> Found:
    return list(islice(heapq.merge(*found, key=lambda entry: -entry[1]), count))


def _shard(parts: Iterable[Rows], count: int) -> tuple[_Shard | None, set[bytes]]:
    """The sound vectors of the parts, and the hashes of the others."""
    index, hashes, unsound = None, list[bytes](), set[bytes]()
    for rows in parts:
        if not rows:
            continue
        if index is None:
            index = _empty_index(_usual_dimension(rows), count)
        decoded = decode(rows, index.d)
        index.add(decoded.matrix)
        hashes += decoded.hashes
        unsound.update(decoded.unsound)
    if index is None or not hashes:
        return None, unsound
    return _Shard(index, {digest: at for at, digest in enumerate(hashes)}, hashes), unsound


def _empty_index(dimension: int, count: int) -> Any:
    if count < MANY:
        return faiss.IndexFlatIP(dimension)
    return faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def _usual_dimension(rows: Rows) -> int:
    """Of damaged vectors some may have another length."""
    ((length, _),) = Counter(len(data) for _, data in rows).most_common(1)
    return max(length // 2, 1)
