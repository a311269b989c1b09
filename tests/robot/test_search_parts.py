"""A part of a wiki's vectors is searched as if there were no others, however much of the whole it is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from robot.search.finding.index import Snapshot

WIKI = 40
_directions = np.random.default_rng(5).normal(size=(WIKI, 16))
VECTORS = (_directions / np.linalg.norm(_directions, axis=1, keepdims=True)).astype(np.float16)
HASHES = [bytes([number]) for number in range(WIKI)]
UNKNOWN = b"unknown"
SNAPSHOT = Snapshot.build([[(HASHES[number], VECTORS[number].tobytes()) for number in range(WIKI)]], WIKI)


def unit(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    vector = VECTORS[number : number + 1].astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


@given(chosen=st.sets(st.integers(0, WIKI - 1)), asked=st.integers(0, WIKI - 1), count=st.integers(1, WIKI))
def test_the_nearest_of_a_part(chosen: set[int], asked: int, count: int) -> None:
    part = SNAPSHOT.part([HASHES[number] for number in chosen] + [UNKNOWN])
    found = part.nearest(unit(asked), count)
    cosines = {HASHES[number]: float((unit(number) @ unit(asked).T)[0, 0]) for number in chosen}
    assert len(part) == len(chosen)
    assert [digest for digest, _ in found] == sorted(cosines, key=lambda digest: -cosines[digest])[:count]
    assert all(abs(score - cosines[digest]) < 1e-3 for digest, score in found)
